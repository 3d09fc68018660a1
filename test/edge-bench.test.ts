/** What the edge's benchmark does with a side that breaks under it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inTurn } from "../bench/edge.ts";
import type { Side } from "../bench/edge-sides.ts";

const side = (name: string): Side => ({ name, port: 1, pids: [], collect: async () => undefined });
const [ours, weak, strong] = [side("ours"), side("weak"), side("strong")];

test("a peer that breaks is left out of what is measured then, and told with why; the others have all of their rounds", async () => {
  const sides = { peers: [weak, strong], skipped: [] };
  let asked = 0;
  const take = async ({ name }: Side): Promise<number> => {
    asked += 1;
    if (name === "weak" && asked > 4) throw new Error("it closed a connection");
    return asked;
  };
  const runs = await inTurn(sides, [ours, weak, strong], { what: "streams", rounds: 3, take });
  assert.deepEqual([...runs.keys()], [ours, strong]);
  assert.deepEqual(
    [...runs.values()].map(({ length }) => length),
    [3, 3],
  );
  assert.deepEqual(sides.skipped, [{ what: "weak: streams", why: "it broke: Error: it closed a connection" }]);
});

test("one of ours that breaks ends the run", async () => {
  const sides = { peers: [strong], skipped: [] };
  const take = async ({ name }: Side): Promise<number> => {
    if (name === "ours") throw new Error("it ended");
    return 1;
  };
  await assert.rejects(inTurn(sides, [strong, ours], { what: "streams", rounds: 2, take }), /ours: the run broke/);
  assert.deepEqual(sides.skipped, []);
});
