import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { Exits } from "../exits.ts";
import type { Processes, ProcessStat } from "../processes.ts";
import { appWorkers } from "./workers.ts";

const app = { root: { pid: 10, start: "100" }, marker: "WAYBILL_REPLICA=p_1" };
const killed = 9;

describe("the workers of an app", () => {
  let counter: string;
  let folder: string;
  const table = new Map<number, ProcessStat>();
  const open = new Set<number>();
  const processes: Processes = {
    stat: (pid) => table.get(pid),
    all: () => [...table.values()],
    children: () => [],
    hasMarker: () => false,
    inner: () => undefined,
    signal: () => undefined,
  };
  const exits: Exits = {
    watch({ pid }) {
      open.add(pid);
      return { waitStatus: () => (table.has(pid) ? null : killed), close: () => void open.delete(pid) };
    },
  };
  const live = (pid: number): void =>
    void table.set(pid, {
      pid,
      start: String(pid * 10),
      state: "S",
      parent: app.root.pid,
      group: app.root.pid,
      session: app.root.pid,
      waitStatus: null,
    });
  const kills = (count: number): void => writeFileSync(counter, `oom_kill_disable 0\nunder_oom 0\noom_kill ${count}\n`);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "waybill-workers-"));
    counter = join(folder, "memory.oom_control");
    kills(0);
    live(20);
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
    table.clear();
    open.clear();
  });

  test("one that is killed while the kernel ends something of the app for want of memory has run out of it", () => {
    const workers = appWorkers(processes, () => app, { oomCounter: counter, exits });
    const worker = workers.find(20);
    assert.ok(worker);
    kills(1);
    table.delete(20);
    assert.deepEqual(workers.look(worker), { exitCode: null, signal: "SIGKILL", outOfMemory: true });
  });

  test("what the kernel ended before a warm one's newest call is no reason for its end", () => {
    const workers = appWorkers(processes, () => app, { oomCounter: counter, exits });
    const worker = workers.find(20);
    assert.ok(worker);
    kills(1);
    workers.begin(worker);
    table.delete(20);
    assert.deepEqual(workers.look(worker), { exitCode: null, signal: "SIGKILL" });
  });

  test("an app that names ever more of its processes does not make its shim hold ever more open", () => {
    const workers = appWorkers(processes, () => app, { oomCounter: counter, exits });
    // Above every pid that Linux gives: one of them must not be this process's own, which is no worker.
    const first = 1 << 22;
    for (let pid = first; pid < first + 1_000; pid++) {
      live(pid);
      assert.ok(workers.find(pid));
    }
    assert.deepEqual([open.size, open.has(first + 999), open.has(first)], [64, true, false]);
  });
});
