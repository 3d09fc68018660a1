/** Which attempt at an app is the one to tell of, where a request was sent twice: found out from the replica's shim. */
import type { Certainty } from "../http/page.ts";
import type { Asked } from "./ask.ts";
import type { HandOver } from "./story.ts";
import type { Gone, Upstream } from "./upstream.ts";
import { tookNothing, wasTaken } from "./verdicts.ts";
import type { Cause } from "./verdicts.ts";

/** One that broke without a byte of answer. */
export interface Attempt {
  readonly name: Upstream["name"];
  readonly hand: HandOver | undefined;
  readonly gone: Gone;
}

export interface Blamed {
  readonly cause: Cause;
  readonly asked: Asked | undefined;
  /** Of the attempt before the last, where that is the one. */
  readonly hand?: HandOver;
}

/** How sure that is when its visitor is told: a shim that did not answer is asked again by whoever reads the evidence. */
export function certaintyOf({ asked }: Blamed): Certainty {
  return asked === undefined || asked.kind === "answer" ? "proved" : "open";
}

/** `name`: of the last attempt's connection, where it had one. */
export async function blame(
  { cause, name, earlier }: { cause: Cause; name: Upstream["name"] | undefined; earlier: Attempt | undefined },
  ask: (name: Upstream["name"]) => Promise<Asked>,
): Promise<Blamed> {
  if (cause.kind === "node-away") return { cause, asked: undefined };
  const asked = name === undefined || cause.kind === "unreachable" ? undefined : await ask(name);
  return (await tookEarlier(earlier, asked, ask)) ?? { cause, asked };
}

/**
 * A connection that broke without an answer may have been closed before it had the request, and was tried again; or the app read
 * the request and died of it. Then that attempt is the one to tell of, where the next one reached nobody.
 */
async function tookEarlier(
  earlier: Attempt | undefined,
  askedLast: Asked | undefined,
  ask: (name: Upstream["name"]) => Promise<Asked>,
): Promise<Blamed | undefined> {
  if (earlier?.hand === undefined || wasTaken(askedLast, 0)) return undefined;
  const { name, hand, gone } = earlier;
  const asked = await ask(name);
  return tookNothing(asked, hand.from) ? undefined : { cause: gone, asked, hand };
}
