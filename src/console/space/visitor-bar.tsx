/** What a visitor of a Space is told beside the app: as whom they are known, what they have left, what a call costs, and how theirs stand. */
import type { ReactNode } from "react";
import { Link } from "wouter";
import type { CallView, FunctionView, Page, QuotaView } from "../../contract/api.ts";
import { CancelCall } from "../calls.tsx";
import { looksEveryMs, movesEveryMs, SignInLink, useAsked } from "../asked.tsx";
import { useMe } from "../me.ts";
import { SaidInline } from "../said.tsx";
import { useSpoken } from "../words/words.tsx";
import ui from "../ui.module.css";
import { priceOf } from "./price.ts";

/** More would hide the app; the command line lists all. */
const pricesMax = 8;
/** Of those that have ended: what was just done, and what it cost. */
const endedMax = 3;

export function VisitorBar({ id }: { readonly id: string }): ReactNode {
  const { words } = useSpoken();
  const { data: me } = useMe();
  if (me === undefined) return null;
  if (me === null)
    return (
      <div className={ui["panel"]}>
        <p>
          {words.asStranger} <SignInLink>{words.signIn}</SignInLink>
        </p>
        <Prices id={id} />
      </div>
    );
  return <KnownVisitor id={id} name={me.name} />;
}

function KnownVisitor({ id, name }: { readonly id: string; readonly name: string }): ReactNode {
  const { words, format } = useSpoken();
  const quota = useAsked<QuotaView>("/api/quota");
  const calls = useAsked<Page<CallView>>("/api/calls");
  const here = calls.data?.items.filter(({ space }) => space === id) ?? [];
  const open = here.filter(({ stage }) => stage !== "ended");
  const ended = here.filter(({ stage }) => stage === "ended").slice(0, endedMax);
  useAsked<Page<CallView>>("/api/calls", { everyMs: movesEveryMs, enabled: open.length > 0 });
  const price = priceOf(here);
  const left = quota.data?.leftMs;
  return (
    <div className={ui["panel"]}>
      <p className={ui["row"]}>
        <span>{words.bySession(name)}</span>
        {quota.data !== undefined && left !== undefined && (
          <span>
            {left === null ? words.noLimit : words.leftAndHeld(format.seconds(left), format.seconds(quota.data.heldMs))}
          </span>
        )}
        <span>
          {price === null
            ? words.priceUnknown
            : words.price(format.seconds(price.heldMs), format.seconds(price.usedMs), price.runs)}
        </span>
      </p>
      <Prices id={id} />
      {open.length + ended.length > 0 && (
        <ul className={ui["list"]} aria-label={words.calls}>
          {open.map((call) => (
            <li key={call.id}>
              <Link href={`/w/${call.id}`}>{call.id}</Link> {words.callStages[call.stage]}{" "}
              {call.waiting !== null && <SaidInline text={call.waiting.says} />}
              {call.stage === "queued" && <CancelCall id={call.id} />}
            </li>
          ))}
          {ended.map(({ id: call, outcome, code, chargedMs, heldMs, receipt }) => (
            <li key={call}>
              <Link href={`/w/${call}`}>{call}</Link>{" "}
              {outcome !== null && (
                <span className={outcome === "ok" ? undefined : ui["failed"]}>
                  {outcome === "ok" ? "" : "✕ "}
                  {words.outcomes[outcome]}
                </span>
              )}{" "}
              {code !== null && <code>{code}</code>} {words.charged}{" "}
              {words.chargedSays(format.seconds(chargedMs), format.seconds(heldMs))}{" "}
              {receipt !== null && <a href={`/api/receipts/${receipt}`}>{receipt}</a>}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** Of each function that anybody called; nothing where none is known. */
function Prices({ id }: { readonly id: string }): ReactNode {
  const { words, format } = useSpoken();
  const functions = useAsked<Page<FunctionView>>(`/api/spaces/${id}/functions`, { everyMs: looksEveryMs });
  const known = functions.data?.items ?? [];
  if (known.length === 0) return null;
  return (
    <ul className={ui["list"]} aria-label={words.prices}>
      {known.slice(0, pricesMax).map(({ endpoint, heldMs, usual }) => (
        <li key={endpoint}>
          <code>{endpoint}</code>{" "}
          {words.functionPrice(
            format.seconds(heldMs),
            usual && { used: format.seconds(usual.medianMs), runs: usual.runs },
          )}
        </li>
      ))}
    </ul>
  );
}
