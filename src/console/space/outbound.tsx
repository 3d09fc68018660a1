/** What of the outside a Space may reach, and what was refused it lately. */
import { useState } from "react";
import type { ReactNode } from "react";
import { Link } from "wouter";
import type { SpaceView } from "../../contract/api.ts";
import { outboundSay } from "../../contract/egress.ts";
import type { SpanExplanation } from "../../evidence/span.ts";
import { Asked, useAsked } from "../asked.tsx";
import { addressOf } from "../find.ts";
import { SaidInline } from "../said.tsx";
import { useSpoken } from "../words/words.tsx";
import ui from "../ui.module.css";

const dayMs = 24 * 3_600_000;

export function OutboundPart({ space: { id, outbound } }: { readonly space: SpaceView }): ReactNode {
  const { words } = useSpoken();
  if (outbound === undefined) return null;
  return (
    <>
      <h2>{words.outbound}</h2>
      {outbound === null ? (
        <p className={ui["panel"]}>{words.outboundOpen}</p>
      ) : (
        <>
          <dl className={`${ui["facts"]} ${ui["panel"]}`}>
            <dt>{words.outboundApps}</dt>
            <dd lang="en">{outboundSay(outbound.apps)}</dd>
            <dt>{words.outboundBuilds}</dt>
            <dd lang="en">{outboundSay(outbound.builds)}</dd>
          </dl>
          <p className={ui["muted"]}>{words.outboundBy}</p>
          <Refused id={id} />
        </>
      )}
    </>
  );
}

/** Of the last day, from the record. */
function Refused({ id }: { readonly id: string }): ReactNode {
  const { words, format } = useSpoken();
  const [from] = useState(() => new Date(Date.now() - dayMs + 60_000).toISOString());
  const span = useAsked<SpanExplanation>(addressOf("/api/explain", { from, space: id }));
  return (
    <>
      <h3>{words.outboundRefused}</h3>
      <Asked asked={span} what={words.outboundRefused}>
        {({ groups }) => {
          const failures = groups.flatMap((group) => group.failures).filter(({ code }) => code.startsWith("egress/"));
          return (
            <ul className={ui["list"]}>
              {failures.length === 0 && <li className={ui["muted"]}>{words.none}</li>}
              {failures.map(({ code, count, sentence, last, examples: [example] }) => (
                <li key={`${code} ${example}`}>
                  <code>{code}</code> {format.number(count)} × <SaidInline text={sentence} />{" "}
                  <span className={ui["muted"]}>{format.moment(last, Date.now())}</span>{" "}
                  {example !== undefined && <Link href={`/w/${example}`}>{example}</Link>}
                </li>
              ))}
            </ul>
          );
        }}
      </Asked>
    </>
  );
}
