import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ReleaseRow } from "../catalog/builds.ts";
import { ControlWorld, card, replica, request } from "./control.suite.ts";
import { Fitting } from "./fitting.ts";

const torch = { version: "2.1.2", cuda: "12.1", archs: ["sm_80"] };
const runtime = { python: "3.10.13", gradio: "6.31.0", spaces: "0.51.3", torch };
const h100 = { name: "NVIDIA H100", simulated: false, computeCapability: "9.0", driver: "580.95.05" };

describe("a release and its node's cards", () => {
  test("nothing is looked up where the cards are simulated, and once where they are not", async () => {
    const asked: string[] = [];
    const fitting = new Fitting({
      get: async (id) => (asked.push(id), { manifest: { runtime } } as unknown as ReleaseRow),
    });
    assert.equal(await fitting.misfit("rel_1", [card]), undefined);
    assert.deepEqual(asked, []);
    for (const _ of [1, 2]) assert.equal((await fitting.misfit("rel_1", [h100]))?.code, "runtime/arch-mismatch");
    assert.equal(await fitting.misfit("rel_1", [{ ...h100, computeCapability: "8.0" }]), undefined);
    assert.deepEqual(asked, ["rel_1"]);
  });

  test("a call of one that fits none is refused in the ledger, before a hold, and says why", async () => {
    await using world = await ControlWorld.open();
    await world.space();
    const row = await world.release("rel_1", 1);
    await world.catalog.releases.create({
      ...row,
      id: "rel_2",
      manifest: { ...row.manifest, release: "rel_2", runtime },
    });
    const node = await world.node([replica("p_1", "ready", { release: "rel_2" })], [{ ...card, ...h100 }]);
    node.say({ type: "schedule", request: request("c_1", { release: "rel_2" }) });
    await world.settled();
    const [refused] = node.of("refuse");
    assert.deepEqual([refused?.code, refused?.kind], ["runtime/arch-mismatch", "capacity"]);
    assert.match(refused?.says ?? "", /^torch 2\.1\.2, .* has no code for NVIDIA H100.*Nothing was charged\.$/);
    const call = await world.server.calls.get("c_1");
    assert.deepEqual(
      [call?.outcome, call?.code, call?.heldMs, call?.chargedMs, call?.account],
      ["refused", "runtime/arch-mismatch", 0, 0, "alice"],
    );
    node.say({ type: "schedule", request: request("c_1", { release: "rel_2" }) });
    await world.settled();
    assert.equal(node.of("refuse").length, 2, "a repeat has the same answer");
  });
});
