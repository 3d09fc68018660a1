/** Requests that come for a Space that is asleep: held at the edge, with what wakes it in the test's hand. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { SpaceRoute } from "../src/edge/index.ts";
import { app, ask, problemIn } from "./support/edge-app.ts";
import { appHost, edgeWorld } from "./support/edge-world.ts";
import type { EdgeWorld } from "./support/edge-world.ts";
import { eventually } from "./support/eventually.ts";

describe("a request for a Space that is asleep", () => {
  let world: EdgeWorld;
  let running: SpaceRoute;
  const woken: { space: string; account: string | null; resolve: (route: SpaceRoute | undefined) => void }[] = [];
  before(async () => {
    const wake = (space: string, account: string | null) =>
      new Promise<SpaceRoute | undefined>((resolve) => woken.push({ space, account, resolve }));
    world = await edgeWorld(app, { wake, limits: { wakeWithinMs: 2_000 } });
    running = world.directory.get(appHost) as SpaceRoute;
    world.directory.set(appHost, { space: "alice/demo", owner: "alice", state: { kind: "asleep" } });
  });
  after(() => world.close());

  const next = () => eventually("somebody wakes it", () => woken.shift());

  test("waits, and goes to the app that answers then, with its body; its record has the wait", async () => {
    const answer = ask(world, "/", { authorization: "Bearer hf_wbalice" }, "POST", "x".repeat(100_000));
    const { space, account, resolve } = await next();
    assert.deepEqual([space, account], ["alice/demo", "alice"]);
    resolve(running);
    const { status, headers } = await answer;
    assert.equal(status, 200);
    const work = String(headers["x-waybill-id"]);
    const { stages } = await eventually("its record", () => world.emitter.packs.find((pack) => pack.work === work));
    const hops = stages.map(([hop]) => hop);
    assert.deepEqual(hops.slice(2, 5), ["edge.route", "edge.wake", "edge.connect"]);
  });

  test("hears why where the Space does not come up, with the code of what ended it", async () => {
    const answer = ask(world, "/");
    const { account, resolve } = await next();
    assert.equal(account, null, "a stranger");
    resolve({ ...running, state: { kind: "down", code: "app/crash-loop", says: "it does not run" } });
    const refused = await answer;
    assert.deepEqual([refused.status, problemIn(refused).code], [503, "crash-loop"]);
    const entries = world.emitter.of(String(refused.headers["x-waybill-id"]));
    assert.deepEqual(
      entries.filter(({ facts }) => facts["code"] === "app/crash-loop").map(({ hop, mark }) => [hop, mark]),
      [
        ["edge.wake", "failed"],
        ["edge.deliver", "refused"],
      ],
    );
  });

  test("is told to come again when it was held for its time, and what comes later changes nothing", async () => {
    const answer = ask(world, "/");
    const { resolve } = await next();
    const refused = await answer;
    assert.deepEqual([refused.status, problemIn(refused).code, refused.headers["retry-after"]], [503, "waking", "5"]);
    resolve(running);
    const entries = world.emitter.of(String(refused.headers["x-waybill-id"]));
    assert.ok(entries.some(({ hop, facts }) => hop === "edge.wake" && Number(facts["ms"]) >= 2_000));
  });
});
