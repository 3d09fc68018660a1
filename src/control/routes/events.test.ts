import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Hono } from "hono";
import type { Change } from "../../contract/changes.ts";
import type { ApiEnv } from "../api.ts";
import { createChecked } from "../described/checked.suite.ts";
import { ControlWorld, replica, request } from "../control.suite.ts";

/** Of all of it, in milliseconds: only a failure waits so long. */
const timeout = 120_000;

interface Heard extends AsyncDisposable {
  readonly status: number;
  /** The first from here on that is so, with the id that its browser keeps. */
  until(is: (change: Change) => boolean): Promise<{ readonly change: Change; readonly id: string | undefined }>;
}

async function listen(api: Hono<ApiEnv>, headers: Readonly<Record<string, string>> = {}): Promise<Heard> {
  const answer = await api.request("/api/events", { headers });
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let id: string | undefined;
  const next = async (): Promise<Change | undefined> => {
    while (!text.includes("\n\n")) {
      const { done, value } = (await reader?.read()) ?? { done: true };
      if (done) throw new Error("the stream has ended");
      text += value ?? "";
    }
    const at = text.indexOf("\n\n");
    const fields = new Map(
      text
        .slice(0, at)
        .split("\n")
        .map((line) => [line.split(": ")[0], line.slice(line.indexOf(": ") + 2)]),
    );
    text = text.slice(at + 2);
    id = fields.get("id") ?? id;
    const type = fields.get("event");
    return type === undefined ? undefined : ({ type, ...(JSON.parse(fields.get("data") ?? "") as object) } as Change);
  };
  return {
    status: answer.status,
    async until(is) {
      for (;;) {
        const change = await next();
        if (change && is(change)) return { change, id };
      }
    },
    [Symbol.asyncDispose]: async () => reader?.cancel(),
  };
}

const isLedger = (change: Change): boolean => change.type === "ledger" && change.calls?.[0] !== undefined;

async function worldWithCall(): Promise<{ world: ControlWorld; api: Hono<ApiEnv>; call(id: string): Promise<void> }> {
  const world = await ControlWorld.open();
  await world.catalog.accounts.create({ name: "bob", tier: "free", role: "user", createdAt: world.clock.wall() });
  await world.space();
  await world.release("rel_1", 1);
  const node = await world.node([replica("p_1", "ready")]);
  const call = async (id: string): Promise<void> => {
    node.say({ type: "schedule", request: request(id) });
    await world.settled();
  };
  return { world, api: createChecked(world.server), call };
}

describe("the stream of events", { timeout }, () => {
  test("names a call to its account and to operators, and to others only that the queue is another", async () => {
    const { world, api, call } = await worldWithCall();
    await using _ = world;
    const by = async (account: string, admin = false): Promise<Record<string, string>> => ({
      authorization: `Bearer ${await world.token(account, admin ? ["read", "admin"] : ["read"])}`,
    });
    await using alice = await listen(api, await by("alice"));
    await using admin = await listen(api, await by("admin", true));
    await using bob = await listen(api, await by("bob"));
    await using stranger = await listen(api);
    const all = [alice, admin, bob, stranger];
    for (const one of all) await one.until(({ type }) => type === "begun");
    await call("c_1");
    for (const one of [alice, admin]) {
      const { change, id } = await one.until(isLedger);
      assert.deepEqual(change.type === "ledger" && change.calls, [{ id: "c_1", space: "alice/demo" }]);
      assert.ok(Number(id) > 0);
    }
    for (const one of [bob, stranger]) {
      const { change } = await one.until(({ type }) => type === "ledger");
      assert.deepEqual(change.type === "ledger" && [change.calls, change.queue, change.quota], [[], true, false]);
    }
  });

  test("goes on after the record that its reader was told last: each call once, however often it comes back", async () => {
    const { world, api, call } = await worldWithCall();
    await using _ = world;
    const headers = { authorization: `Bearer ${await world.token("alice", ["read"])}` };
    let last = "";
    {
      await using first = await listen(api, headers);
      await first.until(({ type }) => type === "begun");
      await call("c_1");
      last = (await first.until(isLedger)).id ?? "";
    }
    await call("c_2");
    await using second = await listen(api, { ...headers, "last-event-id": last });
    assert.deepEqual((await second.until(() => true)).change, { type: "begun", index: Number(last), all: false });
    const { change } = await second.until(isLedger);
    assert.deepEqual(change.type === "ledger" && change.calls?.map(({ id }) => id), ["c_2"]);
  });

  test("tells who comes from another record, or none, to read all anew", async () => {
    const { world, api } = await worldWithCall();
    await using _ = world;
    for (const headers of [{}, { "last-event-id": "99999999" }, { "last-event-id": "x" }] as const) {
      await using heard = await listen(api, headers);
      const { change } = await heard.until(() => true);
      assert.equal(change.type === "begun" && change.all, true);
    }
  });

  test("tells of a private Space to who may know of it alone", async () => {
    const { world, api } = await worldWithCall();
    await using _ = world;
    await world.space("open");
    const owner = { kind: "owner", account: "alice" } as const;
    await using alice = await listen(api, { cookie: await world.cookie("alice") });
    await using stranger = await listen(api);
    for (const one of [alice, stranger]) await one.until(({ type }) => type === "begun");
    const told = (space: string) => (change: Change) =>
      change.type === "spaces" && change.spaces?.includes(space) === true;
    await world.spaces.set("alice/demo", { private: true }, owner);
    await alice.until(told("alice/demo"));
    await world.spaces.set("alice/open", { replicas: 2 }, owner);
    // It was told of nothing else before.
    const { change } = await stranger.until(({ type }) => type === "spaces");
    assert.deepEqual(change, { type: "spaces", spaces: ["alice/open"] });
  });

  test("has a bound for one account, and one for all", async () => {
    const { world, api } = await worldWithCall();
    await using _ = world;
    const headers = { cookie: await world.cookie("alice") };
    await using stack = new AsyncDisposableStack();
    for (let n = 0; n < 20; n += 1) {
      const one = stack.use(await listen(api, headers));
      await one.until(({ type }) => type === "begun");
    }
    await using more = await listen(api, headers);
    assert.equal(more.status, 429);
    await using other = await listen(api, { cookie: await world.cookie("bob") });
    assert.equal(other.status, 200);
  });
});
