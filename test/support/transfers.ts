/** Transfers whose evidence is kept in memory. */
import { Transfers, type TransfersOptions } from "../../src/hub/transfers.ts";
import type { Draft, Entry } from "../../src/evidence/entry.ts";
import { expand } from "../../src/evidence/expand.ts";
import { explain } from "../../src/evidence/explain.ts";
import type { Explanation } from "../../src/evidence/verdict.ts";
import { clock, random } from "./commits.ts";
import { MemoryEmitter } from "./edge-world.ts";

export interface MemoryTransfers {
  readonly transfers: Transfers;
  readonly emitter: MemoryEmitter;
  readonly failures: unknown[];
  readonly counted: Parameters<TransfersOptions["count"]>[0][];
  /** What `explain` says of it now. */
  explain(id: string): Explanation;
}

export function memoryTransfers(): MemoryTransfers {
  const emitter = new MemoryEmitter();
  const counted: MemoryTransfers["counted"] = [];
  const count: TransfersOptions["count"] = (what) => `n_${counted.push(what)}`;
  const failures: unknown[] = [];
  const signed = { emitter: "edge", epoch: 3, at: "2026-11-22T12:00:00.000Z" };
  return {
    transfers: new Transfers({ emitter, count, clock, random, onFailure: (_, error) => void failures.push(error) }),
    failures,
    emitter,
    counted,
    explain(id) {
      const written = emitter
        .of(id)
        .map((draft: Draft, n): Entry => ({ ...draft, ...signed, id: `edge/3/${n}`, seq: n }));
      const packed = emitter.packs.filter(({ work }) => work === id).map((one) => ({ ...one, ...signed, seq: 99 }));
      return explain({
        ...{ id, kind: "transfer", entries: [...written, ...packed.flatMap(expand)] },
        ...{ gaps: [], watermarks: [], epochs: [], links: [], charge: null, read: { journal: 0, evidence: 1 } },
      });
    },
  };
}
