import assert from "node:assert/strict";
import { test } from "node:test";

import { ControlWorld } from "./control.suite.ts";
import { SpacePorts } from "./space-ports.ts";

function world({ used = [] as number[] } = {}) {
  const kept = new Map<string, number>();
  const marks = new Map<number, string>();
  const skipped: number[] = [];
  const ports = new SpacePorts({
    range: { from: 7_100, to: 7_103 },
    consolePort: () => 7_100,
    taken: async () => new Set(kept.values()),
    keep: async (id, port) => void kept.set(id, port),
    listen: async (port, mark) => {
      if (used.includes(port)) return `Port ${port} is in use`;
      marks.set(port, mark);
      return undefined;
    },
    secret: new Uint8Array(32),
    onSkipped: (port) => skipped.push(port),
  });
  return { ports, kept, marks, skipped, used };
}

test("the first of the range that nothing has is given, once, with a mark of its own", async () => {
  const { ports, kept, marks, skipped } = world({ used: [7_101] });
  const both = await Promise.all([ports.open({ id: "a/b", port: null }), ports.open({ id: "a/c", port: null })]);
  assert.deepEqual(both, [
    { ok: true, port: 7_102 },
    { ok: true, port: 7_103 },
  ]);
  assert.deepEqual(
    [...kept],
    [
      ["a/b", 7_102],
      ["a/c", 7_103],
    ],
  );
  assert.ok(skipped.includes(7_101) && !skipped.includes(7_100));
  assert.match(marks.get(7_102) ?? "", /^wb-[0-9a-z]{16}-$/);
  assert.notEqual(marks.get(7_102), marks.get(7_103));
});

test("what a Space was given it keeps, with its mark, also where another program has it now", async () => {
  const { ports, marks, kept, used } = world();
  await ports.open({ id: "a/b", port: 7_102 });
  const before = marks.get(7_102);
  await ports.open({ id: "a/b", port: 7_102 });
  assert.equal(marks.get(7_102), before);
  used.push(7_102);
  assert.deepEqual(await ports.open({ id: "a/b", port: 7_102 }), {
    ok: false,
    port: 7_102,
    says: "Port 7102 is in use",
  });
  assert.equal(kept.size, 0);
});

test("where none is free it says which range, and what to do", async () => {
  const { ports } = world({ used: [7_101, 7_102, 7_103] });
  const given = await ports.open({ id: "a/b", port: null });
  assert.ok(!given.ok && given.port === null);
  assert.match(given.says, /no port from 7100 to 7103 is free for a\/b; give a wider range with --addresses/);
});

test("a deleted Space's port is its name's still: another Space is given the next, and one of that name the same", async () => {
  await using world = await ControlWorld.open();
  const { spaces } = world.catalog;
  const ports = new SpacePorts({
    ...{ range: { from: 7_100, to: 7_103 }, consolePort: () => 7_070, secret: new Uint8Array(32) },
    ...{ taken: () => spaces.ports(), keep: (id, port) => spaces.givePort(id, port) },
    ...{ listen: async () => undefined, onSkipped: () => undefined },
  });
  const made = async (name: string) => {
    const created = await spaces.create("alice", name, world.clock.wall());
    assert.ok(created.ok);
    return ports.open(created.space);
  };
  assert.deepEqual(await made("one"), { ok: true, port: 7_100 });
  await spaces.remove("alice/one", world.clock.wall());
  assert.deepEqual(await made("two"), { ok: true, port: 7_101 });
  assert.deepEqual(await made("one"), { ok: true, port: 7_100 });
});
