/**
 * A process that appends without end, for tests that kill it: prints `ready`, then each acknowledged index, one a line.
 * Arguments: the folder or the address of a database, and `engine` for whole call cycles through an engine instead of plain records.
 */
import type { LedgerRecord } from "../../src/core/record.ts";
import { Engine } from "../../src/control/engine.ts";
import { openSqliteJournal } from "../../src/journal/index.ts";
import type { Journal } from "../../src/journal/index.ts";
import { openPostgresJournal } from "../../src/journal/postgres.ts";
import { durationMs, instant, seconds } from "../../src/stdx/time.ts";

/** So many go on at once. */
const parallel = 8;

const [place = "", kind = "plain"] = process.argv.slice(2);
/** Where the reader is behind it comes late, and never early: what is not read by the end was acknowledged and not told. */
const say = (line: string | number): void => void process.stdout.write(`${line}\n`);

function onFatal(failure: Error & { code?: string }): never {
  say(`fatal ${failure.code}`);
  process.exit(70);
}

async function appendForever(journal: Journal): Promise<never> {
  let next = journal.head.index + 1;
  const worker = async (): Promise<never> => {
    for (;;) {
      const index = next++;
      const record: LedgerRecord = {
        index,
        at: instant(index),
        events: [{ v: 1, type: "visitor-left", call: `c_${index}` }],
      };
      await journal.append(record, [`c_${index}`]);
      say(index);
    }
  };
  return Promise.race(Array.from({ length: parallel }, worker));
}

async function cycleForever(engine: Engine): Promise<never> {
  const devices = [{ index: 0, uuid: "GPU-0", name: "simulated", slots: parallel, simulated: true }];
  await engine.submit({ type: "set-pool", pool: "main", settings: {} });
  await engine.submit({ type: "join-node", node: "n1", pool: "main", devices, replicas: ["p_1"] });
  const worker = async (_: unknown, i: number): Promise<never> => {
    for (let n = 0; ; n++) {
      const call = `c_${process.pid}_${i}_${n}`;
      const terms = {
        call,
        account: `a${i}`,
        tier: "unlimited",
        billedBy: "token",
        request: null,
        space: "a/b",
        release: "r",
        replica: "p_1",
        node: "n1",
        pool: "main",
        task: "t",
        endpoint: "/run",
        declaredMs: seconds(1),
        size: "large",
      } as const;
      const scheduled = await engine.submit({ type: "schedule", terms });
      say(scheduled.index);
      const fence = await engine.read((state) => {
        const known = state.calls.get(call);
        return known?.stage === "granted" ? known.lease.fence : null;
      });
      if (fence === null) throw new Error("as many slots as workers: each call is granted at once");
      say((await engine.submit({ type: "attach", call, fence, pid: 1 })).index);
      const ended = { type: "end", call, fence, cause: "returned", usedMs: durationMs(1), workerAlive: false } as const;
      say((await engine.submit(ended)).index);
    }
  };
  return Promise.race(Array.from({ length: parallel }, worker));
}

const journal: Journal = place.startsWith("postgres:")
  ? await openPostgresJournal({ url: place, onFatal })
  : await openSqliteJournal({ folder: place, onFatal });
if (kind === "engine") {
  const clock = { wall: () => instant(Date.now()), monotonic: () => Math.floor(performance.now()) };
  const engine = await Engine.open({ journal, clock, onFatal, snapshotEvery: 500 });
  say("ready");
  await cycleForever(engine);
} else {
  say("ready");
  await appendForever(journal);
}
