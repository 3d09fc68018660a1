import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo, type Server } from "node:net";
import { describe, test } from "node:test";
import {
  endAll,
  family,
  howEnded,
  isAlive,
  listenerWatch,
  member,
  members,
  parseStat,
  type Processes,
  type ProcessStat,
} from "./processes.ts";

const one = (pid: number, parent: number, fields: Partial<ProcessStat> = {}): ProcessStat => ({
  pid,
  start: String(pid * 10),
  state: "S",
  parent,
  group: pid,
  session: 1,
  waitStatus: null,
  ...fields,
});

/** A machine: the shim is 5, the app 10. Signals are kept; SIGKILL removes. */
function machine(
  list: readonly ProcessStat[],
  marked: readonly number[] = [],
): Processes & { readonly sent: string[]; table: Map<number, ProcessStat> } {
  const table = new Map(list.map((stat) => [stat.pid, stat]));
  const sent: string[] = [];
  return {
    table,
    sent,
    stat: (pid) => table.get(pid),
    all: () => [...table.values()],
    children: (pid) => [...table.values()].filter(({ parent }) => parent === pid).map((child) => child.pid),
    hasMarker: (pid) => marked.includes(pid),
    inner: () => undefined,
    signal: ({ pid, start }, signal) => {
      if (table.get(pid)?.start !== start) return;
      sent.push(`${signal} ${pid}`);
      if (signal === "SIGKILL") table.delete(pid);
    },
  };
}

const app = { root: { pid: 10, start: "100" }, marker: "WAYBILL_REPLICA=p_1" };

describe("processes", () => {
  test("a stat line is read past a name with spaces and parentheses", () => {
    const line = `41 (a) b (c)) S 7 41 40 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2 3\n`;
    assert.deepEqual(parseStat(41, line), {
      pid: 41,
      start: "987654",
      state: "S",
      parent: 7,
      group: 41,
      session: 40,
      waitStatus: null,
    });
    assert.equal(parseStat(41, ""), undefined);
  });

  test("a wait status is an exit code or a signal", () => {
    assert.deepEqual(howEnded(3 << 8), { exitCode: 3, signal: null });
    assert.deepEqual(howEnded(9), { exitCode: null, signal: 9 });
    assert.deepEqual(howEnded(0x80 | 11), { exitCode: null, signal: 11 });
  });

  test("a pid that was used again is another process", () => {
    const processes = machine([one(10, 5, { start: "999" })]);
    assert.equal(isAlive(processes, app.root), false);
    assert.deepEqual(family(processes, app.root), []);
  });

  test("belongs: below the app, in its session, or with its marker; never pid 1, the shim, a stranger, the dead", () => {
    const processes = machine(
      [
        one(1, 0),
        one(5, 1),
        one(10, 5),
        one(11, 10),
        one(12, 1, { session: 10 }),
        one(13, 1),
        one(14, 1),
        one(15, 10, { state: "Z" }),
      ],
      [13, 5, 1],
    );
    const found = [1, 5, 10, 11, 12, 13, 14, 15, 77].filter((pid) => member(processes, app, pid, 5));
    assert.deepEqual(found, [10, 11, 12, 13]);
    assert.deepEqual(
      members(processes, app, 5).map(({ pid }) => pid),
      [10, 11, 12, 13],
    );
  });

  test("what is born while its family is being stopped is ended too", async () => {
    const processes = machine([one(10, 5), one(11, 10)]);
    const born = one(12, 11);
    const list = (): readonly ProcessStat[] => {
      if (processes.sent.length === 2) processes.table.set(12, born);
      return family(processes, app.root);
    };
    assert.deepEqual(await endAll(processes, list), []);
    assert.deepEqual([...processes.table.keys()], []);
    assert.deepEqual(processes.sent.filter((text) => text.startsWith("SIGKILL")).toSorted(), [
      "SIGKILL 10",
      "SIGKILL 11",
      "SIGKILL 12",
    ]);
  });
});

describe("listenerWatch", { skip: process.platform !== "linux" && "/proc is Linux's" }, () => {
  async function listener(port = 0): Promise<Server> {
    const server = createServer().listen(port, "127.0.0.1");
    await once(server, "listening");
    return server;
  }
  async function close(server: Server): Promise<void> {
    server.close();
    await once(server, "close");
  }

  for (const [whose, pids] of [
    ["whose process is known", [process.pid]],
    ["of somebody else", []],
  ] as const) {
    test(`a port ${whose} is listened on until its socket is closed, and again by the next one`, async () => {
      const first = await listener();
      const { port } = first.address() as AddressInfo;
      const isListening = listenerWatch(port, () => pids, 2);
      for (let asked = 0; asked < 6; asked++) assert.equal(isListening(), true);
      await close(first);
      assert.equal(isListening(), false);
      const second = await listener(port);
      assert.equal(isListening(), true);
      await close(second);
      assert.equal(isListening(), false);
    });
  }

  test("the table of sockets is not read while the socket that listened is open", async () => {
    const server = await listener();
    let looks = 0;
    const pids = (): readonly number[] => {
      looks += 1;
      return [process.pid];
    };
    const isListening = listenerWatch((server.address() as AddressInfo).port, pids, 4);
    for (let asked = 0; asked < 5; asked++) isListening();
    assert.equal(looks, 1);
    isListening();
    assert.equal(looks, 2, "and now and then it is, in any case");
    await close(server);
  });
});
