/** The changes that one caller may hear of, in parts: what came since the last part, at most a few times a second. */
import { setTimeout as delay } from "node:timers/promises";
import type { Change, LedgerChange } from "../contract/changes.ts";
import { spaceOwner } from "../contract/space.ts";
import type { Event } from "../core/model.ts";
import type { LedgerRecord } from "../core/record.ts";
import type { Caller } from "./caller.ts";
import { worksOf } from "./engine.ts";
import { aliveEveryMs } from "./log-streams.ts";
import type { Server } from "./server.ts";

/** So long changes are gathered before they are told: people see no difference, and a busy pool makes five parts a second. */
const gatherMs = 200;
/** Records behind one part. */
const recordsAtOnce = 500;
/** Who was away for longer reads all anew, which costs less. */
const resumeMost = 5_000;
/** Calls named in one part: each is looked up for whose it is. */
const callsMost = 50;
/** Then it ends, and its client comes back: whether it still may hear all of it is found out so often. */
const lastsMs = 300_000;

/** Who listens; null: a stranger. */
export interface Listener {
  readonly caller: Caller | null;
  knowsOf(space: string): boolean;
}

/** `after`: the last record that it was told; null: it begins. */
export async function* changeStream(
  server: Server,
  listener: Listener,
  after: number | null,
  signal: AbortSignal,
): AsyncGenerator<readonly Change[]> {
  const { changes } = server;
  using untold = changes.listen();
  const until = server.clock.monotonic() + lastsMs;
  const now = server.ledgerIndex;
  const isKnown = after !== null && after <= now && now - after <= resumeMost && (await isKept(server, after, now));
  let index = isKnown ? after : now;
  yield [{ type: "begun", index, all: !isKnown }];
  while (!signal.aborted && server.clock.monotonic() < until) {
    const { more } = untold;
    const records = await server.ledgerRecords(index + 1, recordsAtOnce);
    const told: Change[] = [];
    if (records.length > 0) {
      index = records.at(-1)?.index ?? index;
      const change = await ledgerChange(server, listener, records);
      if (change !== undefined) told.push(change);
    }
    const { spaces, builds } = untold.take();
    const known = spaces && [...spaces].filter((id) => listener.knowsOf(id));
    if (known?.length !== 0) told.push({ type: "spaces", spaces: known });
    const mine = builds && [...builds].filter(([, space]) => knowsAll(listener, space));
    if (mine?.length !== 0) told.push({ type: "builds", builds: mine && mine.map(([id, space]) => ({ id, space })) });
    yield told;
    if (records.length === recordsAtOnce) continue;
    // `more` is of before the records were read: what came meanwhile is not waited for.
    const either = AbortSignal.any([signal, AbortSignal.timeout(aliveEveryMs)]);
    await Promise.race([more, untold.more, ended(either)]);
    await delay(gatherMs, undefined, { signal }).catch(() => undefined); // The listener went away: the loop ends.
  }
}

/** Whether the journal still has what came after that record. */
async function isKept(server: Server, after: number, now: number): Promise<boolean> {
  return after === now || (await server.ledgerRecords(after + 1, 1))[0]?.index === after + 1;
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Undefined where nothing of it is for this one to know. */
async function ledgerChange(
  server: Server,
  listener: Listener,
  records: readonly LedgerRecord[],
): Promise<LedgerChange | undefined> {
  const events = records.flatMap((record) => record.events);
  const ids = [...new Set(worksOf(events))];
  const account = listener.caller?.account;
  const calls: { id: string; space: string }[] = [];
  let quota = events.some((event) => "account" in event && event.account === account);
  for (const id of account === undefined ? [] : ids.slice(0, callsMost)) {
    const call = await server.calls.get(id);
    if (call === undefined) continue;
    const isOwn = call.account === account;
    quota ||= isOwn || spaceOwner(call.space) === account;
    if (isOwn || knowsAll(listener, call.space)) calls.push({ id, space: call.space });
  }
  const isMore = account !== undefined && ids.length > callsMost;
  const queue = events.some(isOfQueue);
  if (calls.length === 0 && !isMore && !queue && !quota) return undefined;
  return {
    type: "ledger",
    index: records.at(-1)?.index ?? 0,
    calls: isMore ? null : calls,
    queue,
    quota: quota || isMore,
  };
}

function knowsAll({ caller }: Listener, space: string): boolean {
  return caller !== null && caller.grants("read", space) && caller.may("write", { owner: spaceOwner(space), space });
}

/** What the queue, the board or the pools show; a node's sign of life is none of it. */
function isOfQueue({ type }: Event): boolean {
  return /^(call|slot|cards?|pool|drain|route|node-(joined|lost))-?/.test(type);
}
