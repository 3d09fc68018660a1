/**
 * Logs as they are read: in parts, as fast as the reader takes them and no faster, with what is still to come where it follows. A part
 * without lines is a sign of life.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { LogFind, LogLine } from "../contract/agent.ts";
import { isFound } from "../log/segments.ts";
import type { BuildLog } from "./build-log.ts";
import type { KnownReplica } from "./replicas.ts";
import type { Server } from "./server.ts";

/** What of a log is wanted. */
export interface LogWish {
  readonly find: LogFind;
  /** The first line's number. */
  readonly from: number;
  /** The last so many of those that are there, instead of all from `from` on. */
  readonly tail: number | undefined;
  /** At most so many in all. */
  readonly limit: number;
  /** Goes on with the lines to come. */
  readonly follow: boolean;
}

/** Lines that are read at once. */
const partLines = 500;
/** How often a followed log asks its node for more. */
const followEveryMs = 250;
/** A log that says nothing is shown to be alive so often: connections are cut by what lies between after a minute, mostly. */
export const aliveEveryMs = 15_000;
/** The most that `tail` may ask for: they are held until the end is found. */
export const tailMax = 10_000;

type Parts = AsyncGenerator<readonly LogLine[]>;
type Part = { readonly lines: readonly LogLine[]; readonly next: number; readonly more?: boolean };
type ReadPart = (from: number, limit: number) => Promise<Part | undefined>;

/** A build's log; it ends with the build. */
export async function* buildLogStream(log: BuildLog, wish: LogWish, signal: AbortSignal): Parts {
  const read: ReadPart = async (from, limit) => log.read(from, limit, wish.find);
  let next = wish.from;
  if (wish.tail !== undefined) {
    const last = await lastOf(read, wish.tail, wish.find);
    yield last?.lines ?? [];
    next = last?.next ?? next;
  }
  while (!signal.aborted) {
    // Looked at before the lines are read: what is written in between is then simply not the end yet.
    const { ended } = log;
    const part = log.read(next, partLines, wish.find);
    next = part.next;
    yield part.lines;
    if (part.more) continue;
    if (ended || !wish.follow) return;
    await log.more(next - 1, AbortSignal.any([signal, AbortSignal.timeout(aliveEveryMs)]));
    yield [];
  }
}

/** Which replicas of a Space are read. */
export interface SpaceLogWish extends LogWish {
  readonly space: string;
  /** Where it begins; else with the newest, or with the one before that where it ended by itself. */
  readonly start: Shown | undefined;
  /** Where it goes on, for a reader who comes back before this one's node does, as to a server that has just been started. */
  readonly awaited?: string | undefined;
  /** Those that followed the first are not read. */
  readonly only: boolean;
  /** Ends when nothing of the Space runs or begins any more. */
  readonly untilDown?: boolean;
}

/** The log of a Space's replicas. Each line bears its replica; numbers begin anew with each. */
export async function* spaceLogStream(server: Server, wish: SpaceLogWish, signal: AbortSignal): Parts {
  const { space, find } = wish;
  let { start: current, awaited, from: next, tail }: Pick<SpaceLogWish, "start" | "awaited" | "from" | "tail"> = wish;
  let told = false;
  let isAway = false;
  while (!signal.aborted) {
    const known = server.replicas.of(space);
    if (awaited !== undefined && known.length > 0) {
      current = await findReplica(server, space, awaited);
      if (!current) {
        if (wish.only) return yield [note(server, `-- ${space} has no replica ${awaited} any more --`)];
        next = 1;
      }
      awaited = undefined;
    }
    if (awaited === undefined) current ??= firstShown(known, { from: next, tail });
    if (!current) {
      if (!told)
        yield [note(server, awaited === undefined ? `-- ${space} has no replica yet --` : awaits(awaited, next))];
      told = true;
      if (!wish.follow || (wish.untilDown && isDown(server, space))) return;
      yield await pause(signal);
      continue;
    }
    const { node, replica } = current;
    // Looked up before the lines are read: where another follows already, what is read now is all that this one wrote.
    const follower = wish.only ? undefined : followerOf(known, replica);
    const read = readerOf(server, { node, replica, space, find });
    const part = tail === undefined ? await read(next, partLines) : await lastOf(read, tail, find);
    if (part) {
      ({ next } = part);
      tail = undefined;
      yield part.lines.map((line) => ({ ...line, replica }));
    } else if (!isAway) {
      const until = wish.follow ? " until it does" : "";
      yield [note(server, `-- node ${node} does not answer: lines from ${next} on are not shown${until} --`)];
    }
    isAway = part === undefined;
    if (part?.more) continue;
    if (isAway && !wish.follow) return;
    if (follower) {
      yield [note(server, `-- replica ${follower.replica} follows ${replica} --`)];
      current = follower;
      next = 1;
      tail = undefined;
      continue;
    }
    // One that has ended is followed by another where the Space is to run: its node may be about to start it.
    const isOver = part?.complete === true && (wish.only || isDown(server, space));
    if (!wish.follow || isOver || (wish.untilDown && isDown(server, space))) return;
    yield await pause(signal);
  }
}

/** A Space's replica by its id, also where only its node knows it. */
export async function findReplica(server: Server, space: string, replica: string): Promise<Shown | undefined> {
  const found = server.replicas.of(space).find(({ status }) => status.replica === replica);
  if (found) return shown(found);
  for (const { node } of server.nodes.all) {
    const page = await server.nodes.readLog({ node, replica, space, from: 1, limit: 1 });
    if (page && page.unknown !== true) return { replica, node };
  }
  return undefined;
}

const awaits = (replica: string, next: number): string =>
  `-- no node has told of replica ${replica} yet: lines from ${next} on are not shown until one does --`;

/** The last so many lines that fit, and where to read on. */
async function lastOf(
  read: ReadPart,
  count: number,
  find: LogFind,
): Promise<(Part & { complete?: boolean }) | undefined> {
  const isAll = find.grep === undefined && find.source === undefined && find.since === undefined;
  let lines: LogLine[] = [];
  for (let next = isAll ? -count : 1; ;) {
    const part = await read(next, partLines);
    if (!part) return undefined;
    ({ next } = part);
    lines = [...lines, ...part.lines].slice(-count);
    if (!part.more) return { ...part, lines };
  }
}

function readerOf(
  server: Server,
  asked: { readonly node: string; readonly replica: string; readonly space: string; readonly find: LogFind },
) {
  return async (from: number, limit: number) => {
    const page = await server.nodes.readLog({ ...asked, from, limit });
    // A shim of before this version gives all lines, and says nothing of more.
    return (
      page && {
        ...page,
        lines: page.lines.filter((line) => line.stream === "note" || isFound(line, asked.find)),
        more: page.more ?? page.lines.length >= limit,
      }
    );
  };
}

/** A replica, and where its log lies. */
export interface Shown {
  readonly replica: string;
  readonly node: string;
}

function firstShown(known: readonly KnownReplica[], { from, tail }: Pick<LogWish, "from" | "tail">): Shown | undefined {
  const before = known.at(-2);
  const isWhole = from === 1 && tail === undefined;
  return shown(isWhole && before?.status.phase === "exited" ? before : known.at(-1));
}

/** The one after it; the newest where it is no longer remembered. */
function followerOf(known: readonly KnownReplica[], replica: string): Shown | undefined {
  const at = known.findIndex(({ status }) => status.replica === replica);
  return shown(at === -1 ? known.at(-1) : known[at + 1]);
}

const shown = (known: KnownReplica | undefined): Shown | undefined =>
  known && { replica: known.status.replica, node: known.node };

/** Its stage is final: it does not run, and nothing is on its way. */
/** Apps that end with the platform are there again with it. */
function isDown(server: Server, space: string): boolean {
  if (server.isLeaving) return false;
  const stage = server.spaces.hubView(space, { inside: false })?.runtime.stage ?? "";
  return !/RUNNING|BUILDING|STARTING/.test(stage);
}

/** A part without lines, after a while. */
async function pause(signal: AbortSignal): Promise<readonly LogLine[]> {
  await delay(followEveryMs, undefined, { signal }).catch(() => undefined); // The reader went away: the loop ends.
  return [];
}

function note(server: Server, text: string): LogLine {
  return { n: 0, at: new Date(server.clock.wall()).toISOString(), source: "runtime", stream: "note", text };
}
