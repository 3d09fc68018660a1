/** Turns a packed record back into entries, for whoever reads its work: nothing is in them that the record does not hold. */
import { hopOrder } from "./entry.ts";
import type { Entry, Facts, Hop, Packed } from "./entry.ts";

/**
 * The entries of a packed record, one a stage, in hop order. They share the record's number, and their ids are
 * `<emitter>/<epoch>/<seq>.<stage>`. All facts stand on the last one, where the work ended well; `ms` since the start is on each.
 */
export function expand(record: Packed): readonly Entry[] {
  const started = Date.parse(record.at);
  const stages = [...record.stages].sort(([a], [b]) => hopOrder(record.kind, a) - hopOrder(record.kind, b));
  return stages.map(([hop, ms], index): Entry => {
    const last = index === stages.length - 1;
    return {
      id: `${record.emitter}/${record.epoch}/${record.seq}.${index + 1}`,
      work: record.work,
      hop,
      mark: markOf(hop),
      emitter: record.emitter,
      epoch: record.epoch,
      seq: record.seq,
      at: new Date(started + ms).toISOString(),
      facts: last ? { ...record.facts, ms } : ({ ms } satisfies Facts),
    };
  });
}

/** A packed work went well, so each stage is `done`, but for the one that only the taker signs. */
function markOf(hop: Hop): Entry["mark"] {
  return hop === "app.take" || hop === "edge.accept" ? "took" : "done";
}
