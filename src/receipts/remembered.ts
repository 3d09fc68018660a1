/** What somebody has seen of logs of receipts, as it is kept: in a file beside a sign-in, or in a browser. */
import type { RememberedLog } from "./log-proof.ts";

/** By their names, which are whatever a document claimed. */
export type SeenLogs = Readonly<Record<string, RememberedLog>>;

/** Logs of more platforms than a person asks; the ones seen last stay. */
export const logsMax = 100;

export function seenOf(seen: SeenLogs, origin: string): RememberedLog | undefined {
  return Object.hasOwn(seen, origin) ? seen[origin] : undefined;
}

export function seenAs(logs: readonly RememberedLog[]): SeenLogs {
  return Object.fromEntries(logs.map((log) => [log.origin, log]));
}

/** What is to be kept: with what was seen last first, and a bound. */
export function keptOf(seen: SeenLogs): { readonly logs: readonly RememberedLog[] } {
  const logs = Object.values(seen).toSorted((a, b) => b.at.localeCompare(a.at));
  return { logs: logs.slice(0, logsMax) };
}

/** Whether a value has the form that {@link keptOf} gives each log. */
export function isRemembered(log: unknown): log is RememberedLog {
  const { origin, size, root, keys, at } = (log ?? {}) as Record<string, unknown>;
  const areTexts = [origin, root, at].every((text) => typeof text === "string");
  return areTexts && Number.isSafeInteger(size) && Array.isArray(keys) && keys.every(isSpan);
}

function isSpan(key: unknown): boolean {
  const { x, until } = (key ?? {}) as Record<string, unknown>;
  return typeof x === "string" && (until === null || Number.isSafeInteger(until));
}
