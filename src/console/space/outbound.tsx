/** What of the outside a Space may reach, to what of that its owner has it keep, and what was refused it lately. */
import { useRef, useState } from "react";
import type { FormEvent, ReactNode } from "react";
import { Link } from "wouter";
import type { SpaceView } from "../../contract/api.ts";
import { outboundSay } from "../../contract/egress.ts";
import { reachWords } from "../../contract/reach.ts";
import type { SpanExplanation } from "../../evidence/span.ts";
import { Asked, useAsked } from "../asked.tsx";
import { addressOf } from "../find.ts";
import { SaidInline } from "../said.tsx";
import { useSending, Wrong } from "../sending.tsx";
import { useSpoken } from "../words/words.tsx";
import ui from "../ui.module.css";

const dayMs = 24 * 3_600_000;

export function OutboundPart({ space: { id, outbound, settings } }: { readonly space: SpaceView }): ReactNode {
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
          <Reach key={settings.reach} id={id} reach={settings.reach} />
          <Refused id={id} />
        </>
      )}
    </>
  );
}

/** The server says what is wrong with a list, and what of it the operator does not allow. */
function Reach({ id, reach }: { readonly id: string; readonly reach: string }): ReactNode {
  const { words } = useSpoken();
  const list = useRef<HTMLTextAreaElement>(null);
  const sending = useSending();
  const set = (value: string): void =>
    sending.mutate({ method: "PATCH", path: `/api/spaces/${id}/settings`, body: { reach: value } });
  const onSubmit = (event: FormEvent): void => {
    event.preventDefault();
    set(list.current?.value ?? reach);
  };
  const isList = reach !== reachWords.all && reach !== reachWords.none;
  return (
    <form onSubmit={onSubmit} aria-label={words.reach}>
      <h3>{words.reach}</h3>
      <p>{reach === reachWords.all ? words.reachAll : reach === reachWords.none ? words.reachNone : words.reachList}</p>
      <div className={ui["field"]}>
        <label htmlFor="reach">{words.reachNames}</label>
        <textarea
          id="reach"
          ref={list}
          rows={3}
          maxLength={2_000}
          defaultValue={isList ? reach : ""}
          placeholder="api.example.com, *.example.org:443"
          dir="ltr"
          required
        />
      </div>
      <p className={ui["row"]}>
        <button type="submit" className={ui["button"]} disabled={sending.isPending}>
          {words.reachSet}
        </button>
        {reach !== reachWords.none && (
          <button
            type="button"
            className={ui["button"]}
            disabled={sending.isPending}
            onClick={() => set(reachWords.none)}
          >
            {words.reachSetNone}
          </button>
        )}
        {reach !== reachWords.all && (
          <button
            type="button"
            className={ui["button"]}
            disabled={sending.isPending}
            onClick={() => set(reachWords.all)}
          >
            {words.reachSetAll}
          </button>
        )}
      </p>
      <p className={ui["muted"]}>{words.reachSays}</p>
      <Wrong sending={sending} />
    </form>
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
