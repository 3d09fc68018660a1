/** What passed at one replica in a span of time: its requests but for those that only listen, and the connections that it opened, each from when to when. */
import type { EmitterClock, Packed } from "../evidence/entry.ts";
import { lastedMs } from "../evidence/entry.ts";
import { onlyListens } from "../evidence/inside.ts";
import type { EvidenceDatabase } from "./evidence-database.ts";

export interface PassagesQuery {
  readonly space: string;
  readonly replica: string;
  /** `[from, to)`, milliseconds since 1970: when they began. */
  readonly from: number;
  readonly to: number;
}

export interface Passage {
  readonly id: string;
  readonly kind: "request" | "connection";
  readonly from: number;
  /** Null: it goes on, as far as is known. */
  readonly to: number | null;
}

export interface Passages {
  readonly passages: readonly Passage[];
  /** There are more than are read at once. */
  readonly isCut: boolean;
  /** Of those who told of them. */
  readonly clocks: readonly EmitterClock[];
}

/** Rows of each table that one look reads: beyond them nothing is said of which is inside which. */
export const passagesMax = 1_000;

export function readPassages(store: EvidenceDatabase, asked: PassagesQuery): Passages {
  const [packed, told, refused] = [packedIn(store, asked), toldIn(store, asked), refusedIn(store, asked)];
  const emitters = new Set([...packed.emitters, ...refused.emitters]);
  return {
    passages: [...packed.rows, ...told.rows, ...refused.rows],
    isCut: packed.isCut || told.isCut || refused.isCut,
    clocks: [...emitters].sort().flatMap((name) => store.clocks.of(name) ?? []),
  };
}

interface Part {
  readonly rows: readonly Passage[];
  readonly isCut: boolean;
  readonly emitters: readonly string[];
}

function packedIn(store: EvidenceDatabase, { space, replica, from, to }: PassagesQuery): Part {
  const number = store.packedRows.spaceNumber(space);
  const found = store.packedRows.find(
    `space = ? AND at >= ? AND at < ? ORDER BY at LIMIT ${passagesMax + 1}`,
    number,
    from,
    to,
  );
  const own = found.map(({ packed }) => packed).filter((packed) => replicaOf(packed) === replica);
  return {
    rows: own.map((packed) => {
      const begun = Date.parse(packed.at);
      const kind = packed.kind === "request" ? "request" : "connection";
      return { id: packed.work, kind, from: begun, to: begun + lastedMs(packed) };
    }),
    isCut: found.length > passagesMax,
    emitters: own.map(({ emitter }) => emitter),
  };
}

function replicaOf({ kind, facts }: Packed): unknown {
  if (kind === "request") return onlyListens(facts["method"], facts["path"]) ? undefined : facts["replica"];
  return kind === "connection" ? facts["link"] : undefined;
}

/** Requests that are told by entries, which those are too that go on for longer. */
function toldIn(store: EvidenceDatabase, { space, replica, from, to }: PassagesQuery): Part {
  const found = store
    .prepare(
      `SELECT work, at, ended, method, path, more ->> '$.replica' AS replica FROM told_requests
       WHERE space = ? AND at >= ? AND at < ? ORDER BY at LIMIT ${passagesMax + 1}`,
    )
    .all(space, from, to);
  return {
    rows: found
      .filter((row) => row["replica"] === replica && !onlyListens(row["method"], row["path"]))
      .map((row) => ({
        ...{ id: String(row["work"]), kind: "request", from: Number(row["at"]) },
        to: row["ended"] === null ? null : Number(row["ended"]),
      })),
    isCut: found.length > passagesMax,
    emitters: [],
  };
}

/** Connections that were not carried: their entries are written at their end, which says how long they took. */
function refusedIn(store: EvidenceDatabase, { replica, from, to }: PassagesQuery): Part {
  const found = store
    .prepare(
      `SELECT work, at, emitter, body ->> '$.facts.link' AS link, body ->> '$.facts.ms' AS ms, body ->> '$.mark' AS mark
       FROM entries WHERE at >= ? AND at < ? AND +work >= 'x_' AND +work < 'x\`' ORDER BY at LIMIT ${passagesMax + 1}`,
    )
    .all(from, to);
  const own = found.filter((row) => row["link"] === replica && (row["mark"] === "refused" || row["mark"] === "failed"));
  return {
    rows: own.map((row) => {
      const at = Number(row["at"]);
      return { id: String(row["work"]), kind: "connection", from: at - (Number(row["ms"]) || 0), to: at };
    }),
    isCut: found.length > passagesMax,
    emitters: own.map((row) => String(row["emitter"])),
  };
}
