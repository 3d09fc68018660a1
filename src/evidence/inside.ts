/**
 * Inside which call or request of its replica an outbound connection was opened. Nobody signs for that: the gateway knows the replica, and not
 * which of its functions asked. So it is likely at best, and said only where no other work that is recorded could have been it. Pure.
 */

/** A request or a call while it was with its replica, by the clocks of those who wrote it; milliseconds since 1970. */
export interface Open {
  readonly id: string;
  readonly kind: "request" | "call";
  readonly from: number;
  /** Null: it goes on. */
  readonly to: number | null;
  /** Of a call: the request that made it; null where none did. */
  readonly request?: string | null;
}

export interface Inside {
  readonly id: string;
  /** Why it is likely. */
  readonly says: string;
}

/** Clocks of two machines that nothing is said of differ by less. */
export const clockSlackMs = 1_000;
/** A request by which Gradio tells what becomes of events, or that a page is open: it stands open beside all others, and begins nothing. */
export function onlyListens(method: unknown, path: unknown): boolean {
  return method === "GET" && typeof path === "string" && listening.test(path);
}

const listening = /\/queue\/data$|\/call\/(?:v2\/)?[^/]+\/[0-9a-f]{32}$|\/heartbeat\/[^/]+$/;

/** `works`: all of that replica that are recorded around that time. Undefined where it may have been several, or none. */
export function insideOf(openedAt: number, works: readonly Open[]): Inside | undefined {
  const could = works.filter(({ from, to }) => isWithin(openedAt, from, to, clockSlackMs));
  const origins = new Set(could.map(originOf));
  const [origin] = origins;
  if (origin === undefined || origins.size > 1) return undefined;
  const certain = could.filter(({ from, to }) => isWithin(openedAt, from, to, 0));
  const calls = could.filter(({ kind }) => kind === "call");
  const [call] = calls;
  if (call !== undefined && calls.length === 1 && certain.includes(call)) return { id: call.id, says: only("call") };
  // Of several calls of one request, or near the ends of one, what is left is the request.
  return certain.some(({ id }) => id === origin) ? { id: origin, says: only("request") } : undefined;
}

/** The request that a call is of is the same origin as the call. */
function originOf({ id, request }: Open): string {
  return request ?? id;
}

function isWithin(at: number, from: number, to: number | null, slackMs: number): boolean {
  return at >= from - slackMs && (to === null || at <= to + slackMs);
}

function only(kind: string): string {
  return `the only ${kind} that its replica is known to have had when the connection was opened`;
}
