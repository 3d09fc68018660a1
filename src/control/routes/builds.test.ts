import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { BuildDetails, BuildQueueView, BuildView, Page } from "../../contract/api.ts";
import type { Problem } from "../../contract/problem.ts";
import type { Explanation } from "../../evidence/verdict.ts";
import { createChecked } from "../described/checked.suite.ts";
import { commitBytes, ControlWorld } from "../control.suite.ts";

const scopes = ["read", "write"] as const;

async function asking() {
  const world = await ControlWorld.open();
  await world.catalog.accounts.create({ name: "bob", tier: "free", role: "user", createdAt: world.clock.wall() });
  const app = createChecked(world.server);
  const tokens = {
    alice: await world.token("alice", scopes),
    bob: await world.token("bob", scopes),
    admin: await world.token("admin", [...scopes, "admin"]),
  };
  const ask = async <Body>(
    who: keyof typeof tokens,
    method: "GET" | "POST" | "PATCH",
    path: string,
    body?: unknown,
  ): Promise<{ status: number; body: Body }> => {
    const headers = { authorization: `Bearer ${tokens[who]}`, "content-type": "application/json" };
    const init = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await app.request(path, { method, headers, ...init });
    return { status: response.status, body: (await response.json()) as Body };
  };
  const commit = async (name: string, text: string): Promise<string> => {
    const bytes = commitBytes({ "README.md": text });
    const done = await world.commits.commit({ owner: "alice", name, bytes, author: "alice" });
    assert.ok(done.ok && done.build !== null);
    return done.build;
  };
  return { world, ask, commit };
}

describe("a Space's builds", () => {
  test("come in pages, the newest first, to its owner and the operator only", async () => {
    const { world, ask, commit } = await asking();
    await using _ = world;
    const ids: string[] = [];
    for (const text of ["1", "2", "3"]) {
      world.clock.advance(10);
      ids.unshift(await commit("demo", text));
    }
    const path = "/api/spaces/alice/demo/builds?limit=2";
    const { body: first } = await ask<Page<BuildView>>("alice", "GET", path);
    const { body: second } = await ask<Page<BuildView>>("admin", "GET", `${path}&page=${first.next}`);
    assert.deepEqual(
      [...first.items, ...second.items].map(({ id }) => id),
      ids,
    );
    assert.equal(second.next, null);
    assert.equal((await ask("bob", "GET", path)).status, 403);
    assert.equal((await ask("alice", "GET", "/api/spaces/alice/none/builds")).status, 404);
  });

  test("each tells how it came to its stage", async () => {
    const { world, ask, commit } = await asking();
    await using _ = world;
    const older = await commit("demo", "1");
    const newer = await commit("demo", "2");
    const { body } = await ask<BuildDetails>("alice", "GET", `/api/builds/${older}`);
    assert.deepEqual([body.stage, body.outcome, body.replacedBy], ["superseded", "superseded", newer]);
    assert.deepEqual(
      body.events.map(({ event, by }) => `${event} by ${by}`),
      ["queued by alice", "ended by alice"],
    );
  });
});

describe("cancelling a build", () => {
  test("is for the owner and the operator, once, and the answer says who did it", async () => {
    const { world, ask, commit } = await asking();
    await using _ = world;
    const [own, other] = [await commit("a", "1"), await commit("b", "1")];
    assert.equal((await ask("bob", "POST", `/api/builds/${own}/cancel`)).status, 403);
    const byOwner = await ask<BuildView>("alice", "POST", `/api/builds/${own}/cancel`);
    const byOperator = await ask<BuildView>("admin", "POST", `/api/builds/${other}/cancel`);
    assert.deepEqual(
      [byOwner, byOperator].map(({ body }) => [body.outcome, body.code, body.by, body.says]),
      [
        ["cancelled", "build/cancelled", "alice", "cancelled by alice"],
        ["cancelled", "build/cancelled", "the operator admin", "cancelled by the operator admin"],
      ],
    );
    const again = await ask<Problem>("alice", "POST", `/api/builds/${own}/cancel`);
    assert.deepEqual([again.status, again.body.detail], [409, `Build ${own}: build ${own} has ended.`]);
    assert.equal((await ask("alice", "POST", "/api/builds/b_none/cancel")).status, 404);
  });
});

describe("trying a build again", () => {
  test("builds the same commit under a new id that names the old one", async () => {
    const { world, ask, commit } = await asking();
    await using _ = world;
    const id = await commit("demo", "1");
    const early = await ask<Problem>("alice", "POST", `/api/builds/${id}/retry`);
    assert.deepEqual([early.status, early.body.detail], [409, `Build ${id} is queued and has not ended.`]);
    await ask("alice", "POST", `/api/builds/${id}/cancel`);
    const { body: old } = await ask<BuildView>("alice", "GET", `/api/builds/${id}`);
    const { body: next } = await ask<BuildView>("alice", "POST", `/api/builds/${id}/retry`);
    assert.deepEqual([next.retryOf, next.commit, next.stage], [id, old.commit, "queued"]);
    assert.equal((await world.spaces.view("alice/demo"))?.build?.id, next.id);
    const late = await ask<Problem>("alice", "POST", `/api/builds/${id}/retry`);
    assert.equal(late.status, 409);
    assert.match(late.body.detail, new RegExp(`^Build ${next.id} of alice/demo is newer than ${id}`));
  });
});

describe("the queue of builds", () => {
  test("is the operator's, who can put a build first", async () => {
    const { world, ask, commit } = await asking();
    await using _ = world;
    const [a, b] = [await commit("a", "1"), await commit("b", "1")];
    assert.equal((await ask("alice", "GET", "/api/builds")).status, 403);
    assert.equal((await ask("alice", "PATCH", `/api/builds/${b}`, { priority: 5 })).status, 403);
    assert.equal((await ask("admin", "PATCH", `/api/builds/${b}`, { priority: "high" })).status, 400);
    assert.equal((await ask<BuildView>("admin", "PATCH", `/api/builds/${b}`, { priority: 5 })).body.priority, 5);
    const { body } = await ask<BuildQueueView>("admin", "GET", "/api/builds");
    assert.deepEqual(
      body.waiting.map(({ id, waiting }) => [id, waiting?.position]),
      [
        [b, 1],
        [a, 2],
      ],
    );
    assert.deepEqual(
      body.waiting[1]?.waiting?.reasons.map(({ says }) => says),
      ["no builder is connected", "1 build of a higher priority goes first"],
    );
    const log = (await world.builds.log(a)).read(1, 10).lines.at(-1);
    assert.match(log?.text ?? "", /^now 2nd of 2, .*1 build of a higher priority goes first/);
  });

  test("is counted in the status, with how the builds of the last day ended", async () => {
    const { world, ask, commit } = await asking();
    await using _ = world;
    await world.node();
    await commit("a", "1");
    const waits = await commit("b", "1");
    const cancelled = await commit("c", "1");
    await ask("alice", "POST", `/api/builds/${cancelled}/cancel`);
    assert.deepEqual((await world.server.status()).builds, {
      queued: 1,
      building: 1,
      day: { ok: 0, failed: 0, failedBy: {}, dropped: 1 },
    });
    world.clock.advance(10);
    assert.ok(waits);
  });
});

describe("explain", () => {
  test("says of a build in each stage why it is there, since when, and what ends it", async () => {
    const { world, ask, commit } = await asking();
    await using _ = world;
    const id = await commit("demo", "1");
    const sentence = async (): Promise<string> =>
      (await ask<Explanation>("alice", "GET", `/api/explain/${id}`)).body.sentence;
    const since = "since 12:00 UTC on 2026-11-22";
    assert.equal(
      await sentence(),
      `The build is queued ${since}: 1st of 1, no builder is connected; gives up at 2026-11-22T12:00:10.000Z.`,
    );
    const node = await world.node();
    assert.match(
      await sentence(),
      new RegExp(`^The build is claimed ${since}: builder n1, after 0 s, and has to end by 12:21 UTC`),
    );
    const said = { build: id, fence: 1 } as const;
    node.say({ type: "build-step", ...said, step: "install", state: "started", tookMs: 0 });
    await world.settled();
    assert.match(
      await sentence(),
      new RegExp(`^The build is building ${since}: building on builder n1, and has to end by 12:21 UTC`),
    );
    const outcome = { ok: true, release: "rel_1", sdk: "node", settings: {} } as const;
    node.say({ type: "build-done", ...said, outcome });
    await world.settled();
    assert.match(
      await sentence(),
      new RegExp(
        `^The build is starting ${since}: release rel_1 is published and starts, and has to listen by 12:01 UTC`,
      ),
    );
  });
});
