/** The state at a journal's end (L25): from a snapshot and what came after it, whatever became of the snapshots. */
import { hash } from "node:crypto";
import { apply } from "../core/evolve.ts";
import { decodeState, emptyState, stateHashInput } from "../core/state.ts";
import type { State } from "../core/state.ts";
import type { Journal, Snapshot } from "../journal/index.ts";
import { assert } from "../stdx/assert.ts";

export interface Recovered {
  readonly state: State;
  /** The record that the replay went on from; 0 where it began with the first. */
  readonly from: number;
  /** Newer snapshots that could not be used. */
  readonly passedOver: readonly PassedOver[];
}

export interface PassedOver {
  readonly index: number;
  readonly why: string;
}

/** No snapshot can be used, and the records that it was taken of were removed by a compaction. */
export class SnapshotMismatch extends Error {
  override readonly name = "SnapshotMismatch";
  readonly code = "snapshot-mismatch";

  constructor(first: number, passedOver: readonly PassedOver[]) {
    const found = passedOver.map(({ index, why }) => `after record ${index}: ${why}`).join("; ");
    super(
      `the records begin with ${first}, and no snapshot of the state before it can be used (${found || "there is none"}). ` +
        "Start the version that wrote them where it was a later one; else restore the data folder from a backup.",
    );
  }
}

/** Records read at once while replaying. */
const replayAtOnce = 2_000;

/**
 * Goes on from the latest snapshot that gives the state which it was taken of; where none does, from the first record. Rejects with
 * what the journal found wrong, or with {@link SnapshotMismatch}.
 */
export async function recover(journal: Journal): Promise<Recovered> {
  const passedOver: PassedOver[] = [];
  let snapshot = await journal.latestSnapshot();
  while (snapshot !== null) {
    const read = stateOf(snapshot);
    if (typeof read !== "string")
      return { from: snapshot.index, state: await replayed(journal, read, passedOver), passedOver };
    passedOver.push({ index: snapshot.index, why: read });
    snapshot = await journal.latestSnapshot(snapshot.index);
  }
  return { state: await replayed(journal, emptyState(), passedOver), from: 0, passedOver };
}

/** sha256 of the state's canonical form, in hexadecimal digits. */
export function hashOf(state: State): string {
  return hash("sha256", stateHashInput(state), "hex");
}

/** The state, or why it cannot be had of this snapshot. */
function stateOf({ index, stateHash, body }: Snapshot): State | string {
  let state: State;
  try {
    state = decodeState(body);
  } catch (error) {
    return `it cannot be read (${(error as Error).message})`;
  }
  if (state.index !== index || hashOf(state) !== stateHash) return "it is not the state that it was taken of";
  return state;
}

async function replayed(journal: Journal, state: State, passedOver: readonly PassedOver[]): Promise<State> {
  for (;;) {
    const records = await journal.read(state.index + 1, replayAtOnce);
    const [first] = records;
    if (first !== undefined && first.index !== state.index + 1) throw new SnapshotMismatch(first.index, passedOver);
    for (const record of records) apply(state, record);
    if (records.length < replayAtOnce) break;
  }
  assert(state.index === journal.head.index, "replay reaches the journal's head");
  return state;
}
