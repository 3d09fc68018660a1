/** A ledger whose state is too large for a snapshot: more than a string can hold. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Engine } from "../../src/control/engine.ts";
import { textMax } from "../../src/core/policy.ts";
import { openSqliteJournal } from "../../src/journal/index.ts";
import { instant } from "../../src/stdx/time.ts";

const cardsEach = 200;
/** With what each card says of itself, 4 MB a node: more than 2^29 characters. */
const nodes = 140;

test("goes on without a snapshot, and the next start has all of it", { timeout: 300_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "waybill-large-state-"));
  try {
    const first = await open(folder);
    await first.engine.submit({ type: "set-pool", pool: "main", settings: {} });
    for (let n = 0; n < nodes; n++) {
      const devices = Array.from({ length: cardsEach }, (_, index) => ({
        ...{
          index,
          uuid: `GPU-${n}-${index}`.padEnd(textMax, "."),
          name: "n".repeat(textMax),
          slots: 1,
          simulated: true,
        },
      }));
      await first.engine.submit({ type: "join-node", node: `n${n}`, pool: "main", devices, replicas: [] });
    }
    await first.close();
    assert.ok(
      first.said.some((says) => says.includes("too large for a snapshot")),
      first.said.join("\n"),
    );

    const second = await open(folder);
    assert.equal(await second.engine.read((state) => state.nodes.size), nodes);
    await second.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});

async function open(folder: string): Promise<{ engine: Engine; said: string[]; close: () => Promise<void> }> {
  const said: string[] = [];
  const onFatal = (failure: Error): never => {
    throw failure;
  };
  const journal = await openSqliteJournal({ folder, onFatal });
  const clock = { wall: () => instant(Date.now()), monotonic: () => Math.floor(performance.now()) };
  const keep = (_: object, says: string) => void said.push(says);
  const log = { info: keep, warn: keep };
  const engine = await Engine.open({ journal, clock, onFatal, log });
  const close = async (): Promise<void> => {
    await engine[Symbol.asyncDispose]();
    await journal[Symbol.asyncDispose]();
  };
  return { engine, said, close };
}
