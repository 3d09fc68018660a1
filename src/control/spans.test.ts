import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SpanExplanation } from "../evidence/span.ts";
import { iso, instant } from "../stdx/time.ts";
import { createChecked } from "./described/checked.suite.ts";
import { ControlWorld, replica, request } from "./control.suite.ts";

async function asking(world: ControlWorld) {
  for (const [name, role] of [
    ["bob", "user"],
    ["root", "admin"],
  ] as const)
    await world.catalog.accounts.create({ name, tier: "free", role, createdAt: world.clock.wall() });
  const api = createChecked(world.server);
  return async (who: string | null, query: Readonly<Record<string, string>>) => {
    const scopes = who === "root" ? (["read", "admin"] as const) : (["read"] as const);
    const headers = who === null ? {} : { authorization: `Bearer ${await world.token(who, scopes)}` };
    const reply = await api.request(`/api/explain?${new URLSearchParams(query)}`, { headers });
    return { status: reply.status, body: (await reply.json()) as SpanExplanation & { readonly detail: string } };
  };
}

/** The hour around now. */
function hour(world: ControlWorld): { readonly from: string; readonly to: string } {
  const now = world.clock.wall();
  return { from: iso(instant(now - 1_800_000)), to: iso(instant(now + 1_800_000)) };
}

/** So long that the ledger gives its nodes up. */
async function silent(world: ControlWorld): Promise<void> {
  world.clock.advance(600_000);
  await world.engine.submit({ type: "tick" });
}

describe("explain of a span of time", () => {
  test("a node that is lost is the cause of the calls that end with it, and stands among the changes", async () => {
    await using world = await ControlWorld.open();
    await world.space();
    const node = await world.node([replica("p_1", "ready")]);
    node.say({ type: "schedule", request: request("c_1") });
    await world.settled();
    const before = world.clock.wall();
    await silent(world);
    const ask = await asking(world);
    const { body } = await ask("root", hour(world));
    const [group] = body.groups;
    assert.deepEqual([group?.cause?.id, group?.cause?.code], ["n1", "gpu/node-lost"]);
    assert.deepEqual(group?.failures[0]?.examples, ["c_1", "n1"]);
    const subjects = body.changes.map(({ subject, items }) => [subject, items.map(({ says }) => says)]);
    assert.ok(subjects.some(([subject, items]) => subject === "node n1" && items?.includes("stopped answering")));
    assert.deepEqual(
      body.emitters.map(({ emitter }) => emitter),
      ["server"],
    );
    // What lies before or behind it is not in a span.
    const early = { from: iso(instant(before - 1000)), to: iso(instant(before + 1000)) };
    assert.equal((await ask("root", early)).body.count, 0);
  });

  test("others are told of what is theirs: neither nodes nor emitters, nor the works of others", async () => {
    await using world = await ControlWorld.open();
    await world.space();
    await world.node([replica("p_1", "ready")]);
    for (const [work, space] of [
      ["b_1", "alice/demo"],
      ["b_2", "bob/own"],
    ] as const)
      world.drafts.push({ work, hop: "build.queue", mark: "refused", facts: { code: "build/queue-timeout", space } });
    await silent(world);
    const ask = await asking(world);
    const { body } = await ask("bob", hour(world));
    assert.deepEqual(
      body.groups.flatMap(({ failures }) => failures.flatMap(({ examples }) => examples)),
      ["b_2"],
    );
    assert.deepEqual([body.emitters, body.counted], [[], []]);
    assert.ok(!JSON.stringify(body).includes("n1"), JSON.stringify(body));
    const all = await ask("root", hour(world));
    assert.equal(all.body.count, 3);
    const one = await ask("root", { ...hour(world), space: "alice/demo" });
    assert.deepEqual(
      one.body.groups.flatMap(({ spaces }) => spaces),
      ["alice/demo"],
    );
    assert.equal((await ask("bob", { ...hour(world), space: "alice/demo" })).status, 403);
    assert.equal((await ask(null, hour(world))).status, 401);
  });

  test("a Space's changes are told to its owner, in the order of its record", async () => {
    await using world = await ControlWorld.open();
    const space = await world.space();
    await world.release("rel_1", world.clock.wall());
    const ask = await asking(world);
    const { body } = await ask("alice", hour(world));
    const [changes] = body.changes;
    assert.equal(changes?.subject, space);
    assert.ok(changes?.items.some(({ id, says }) => id === "rel_1" && says.startsWith("release rel_1 was published")));
    assert.deepEqual((await ask("bob", hour(world))).body.changes, []);
  });

  test("a wrong span is refused with what is wrong with it", async () => {
    await using world = await ControlWorld.open();
    const ask = await asking(world);
    const { from, to } = hour(world);
    const wrong = [
      [{ from: to, to: from }, /ends before it begins/],
      [{ from: "12:00" }, /from: /],
      [{ to }, /from: /],
      [{ from: "2026-11-01T00:00:00Z", to }, /at most 24 hours/],
      [{ from, space: "demo" }, /write OWNER\/NAME/],
    ] as const;
    for (const [query, says] of wrong) {
      const { status, body } = await ask("root", query);
      assert.deepEqual([status, says.test(body.detail)], [400, true], body.detail);
    }
  });
});
