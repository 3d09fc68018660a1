/** A child that writes to a spool until it is killed, and prints the number of each entry after `write` has returned. */
import { writeSync } from "node:fs";

import { openSpool } from "../../src/record/spool.ts";
import { instant } from "../../src/stdx/time.ts";

const folder = process.argv[2] ?? "";
const spool = await openSpool({
  folder,
  name: "child",
  clock: { wall: () => instant(Date.now()), monotonic: () => Math.trunc(performance.now()) },
  segmentBytes: 20_000,
});
for (let n = 1; ; n += 1) {
  spool.pack({
    work: `q_p${n}`,
    kind: "request",
    startedAt: Date.now(),
    stages: [
      ["edge.accept", 0],
      ["edge.deliver", 3],
    ],
    facts: { space: "alice/demo", status: 200 },
  });
  const { seq } = spool.write({
    work: `q_${n}`,
    hop: "edge.deliver",
    mark: "failed",
    facts: { code: "route/reset-midway", status: 502 },
  });
  writeSync(1, `${spool.epoch} ${seq}\n`);
  if (n % 200 === 0) await new Promise((resolve) => setImmediate(resolve));
}
