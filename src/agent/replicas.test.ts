import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { ReplicaStatus } from "../contract/agent.ts";
import { durationMs, instant } from "../stdx/time.ts";
import type { Launcher } from "./ports.ts";
import { ReplicaSet } from "./replicas.ts";
import { Shipping } from "./shipping.ts";

const restarts = { firstMs: 1, mostMs: 4, endsMax: 3, windowMs: 600_000 };
const none = (): never => {
  throw new Error("nothing was started");
};

/** Of a node that starts none, for the reason `code`. */
function replicaSet(
  folder: string,
  code: string,
  onEnd: (status: ReplicaStatus) => void = () => undefined,
): ReplicaSet {
  const launcher: Launcher = {
    launch: () => Promise.reject(Object.assign(new Error("not now"), { code })),
    adopt: none,
    runs: () => false,
    ownersOf: () => new Map(),
    ended: async () => undefined,
    specOf: none,
    readLog: none,
  };
  let draws = 0;
  return new ReplicaSet({
    folder,
    launcher,
    releases: { release: async () => ({ folder, manifest: { build: "b_1" } as never }) },
    emitter: {
      name: "agent",
      epoch: 1,
      write: (draft) => draft as never,
      writeAll: none,
      pack: none,
      answer: none,
      sync: none,
    },
    shipping: new Shipping(
      () => true,
      () => 0,
    ),
    spoolOf: none,
    holdsBack: () => false,
    send: (message) => {
      if (message.type === "replica" && message.status.end) onEnd(message.status);
    },
    clock: { wall: () => 0 as never, monotonic: () => 0 },
    random: (bytes) => new Uint8Array(bytes).fill((draws += 1)),
    log: { info: () => undefined, warn: () => undefined },
    restarts,
  });
}

const spec = {
  replica: "p_0",
  space: "s",
  release: "rel_1",
  sdk: "docker",
  env: {},
  readyWithinMs: durationMs(1_000),
} as const;

/** What is told of a Space's replicas by when so many have ended, on a node that starts none, for this reason. */
async function endsOf(code: string, count: number): Promise<readonly ReplicaStatus[]> {
  const folder = mkdtempSync(join(tmpdir(), "waybill-replicas-"));
  const ends: ReplicaStatus[] = [];
  const many = Promise.withResolvers<void>();
  const set = replicaSet(folder, code, (end) => {
    if (ends.push(end) === count) many.resolve();
  });
  try {
    set.start(spec);
    await many.promise;
    return ends.slice(0, count);
  } finally {
    await set.close("keep", 0);
    rmSync(folder, { recursive: true });
  }
}

describe("ReplicaSet", { timeout: 10_000 }, () => {
  test("a disk that is low is no fault of the app's: it is tried past the number of a crash loop, each end by its own code", async () => {
    const ends = await endsOf("runtime/disk-low", 8);
    assert.deepEqual([...new Set(ends.map(({ end }) => end?.code))], ["runtime/disk-low"]);
    assert.equal(new Set(ends.map(({ replica }) => replica)).size, 8);
  });

  test("a start that fails otherwise is given up at that number", async () => {
    const ends = await endsOf("ESRCH", 3);
    assert.deepEqual(
      ends.map(({ end }) => end?.code),
      ["runtime/shim-lost", "runtime/shim-lost", "app/crash-loop"],
    );
  });

  test("of a Space that was made again under its name the one before does not live, and the name does", async () => {
    const folder = mkdtempSync(join(tmpdir(), "waybill-replicas-"));
    const set = replicaSet(folder, "runtime/disk-low");
    try {
      set.start({ ...spec, madeAt: instant(2) });
      assert.deepEqual(
        [1, 2].map((at) => set.livesOf({ space: "s", madeAt: instant(at) })),
        [false, true],
      );
      assert.deepEqual(
        ["s", "other"].map((space) => set.livesUnder(space)),
        [true, false],
      );
    } finally {
      await set.close("keep", 0);
      rmSync(folder, { recursive: true });
    }
  });
});
