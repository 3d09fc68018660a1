import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gpuMs } from "../core/amounts.ts";
import type { Explanation } from "../evidence/verdict.ts";
import { repoName } from "../hub/repo-name.ts";
import { createChecked } from "./described/checked.suite.ts";
import { ControlWorld, replica, request } from "./control.suite.ts";

/** Asks as an account; `admin` is the operator. */
async function asking(world: ControlWorld) {
  for (const [name, role] of [
    ["bob", "user"],
    ["root", "admin"],
  ] as const)
    await world.catalog.accounts.create({ name, tier: "free", role, createdAt: world.clock.wall() });
  const api = createChecked(world.server);
  const tokens = new Map<string, string>();
  return async (who: string, id: string) => {
    const token = tokens.get(who) ?? (await world.token(who, who === "root" ? ["read", "admin"] : ["read"]));
    tokens.set(who, token);
    const path = id.split("/").map(encodeURIComponent).join("/");
    const reply = await api.request(`/api/explain/${path}`, { headers: { authorization: `Bearer ${token}` } });
    const body = (await reply.json()) as Explanation & { readonly detail: string; readonly next: string };
    return { status: reply.status, body };
  };
}

describe("explain of what is no work", () => {
  test("a node says what it serves and which replicas run there, to operators; for others there is none", async () => {
    await using world = await ControlWorld.open();
    await world.space();
    await world.node([replica("p_1", "ready")]);
    const ask = await asking(world);
    const { status, body } = await ask("root", "n1");
    assert.equal(status, 200);
    assert.match(body.sentence, /Node n1 is connected and serves calls of pool main: 1 of 1 slot free/);
    assert.deepEqual(body.entries.map(({ id, hop }) => [id.startsWith("journal/"), hop])[0], [true, "node.start"]);
    const [other, none] = [await ask("bob", "n1"), await ask("bob", "n9")];
    assert.deepEqual([other.status, none.status], [404, 404]);
    assert.equal(other.body.next, none.body.next);
  });

  test("a slot names the call that has its lease, and an entry's id tells the story of its work", async () => {
    await using world = await ControlWorld.open();
    await world.space();
    const node = await world.node([replica("p_1", "ready")]);
    node.say({ type: "schedule", request: request("c_1") });
    await world.settled();
    const ask = await asking(world);
    const slot = await ask("root", "n1/0/0");
    assert.match(slot.body.sentence, /^Slot n1\/0\/0 is leased to call c_1 since .*, under fence \d+\.$/);
    assert.deepEqual(
      slot.body.links.map(({ id }) => id),
      ["c_1"],
    );
    const call = await ask("root", "c_1");
    const entry = call.body.entries.find(({ hop }) => hop === "gpu.grant");
    assert.ok(entry);
    const told = await ask("root", entry.id);
    assert.deepEqual([told.body.id, told.body.asked, told.body.kind], ["c_1", entry.id, "call"]);
    // Numbers can be counted through: whom it does not concern learns nothing.
    for (const id of [entry.id, "n1/0/0", "journal/999/1"]) assert.equal((await ask("bob", id)).status, 404, id);
  });

  test("a release and a commit name their builds, for the Space's owner and nobody else", async () => {
    await using world = await ControlWorld.open();
    const space = await world.space();
    const { build } = await world.release("rel_1", 1);
    const commit = "4f2a9c14f2a9c14f2a9c14f2a9c14f2a9c14f2a9";
    await world.catalog.builds.create({ id: "b_9", space, commit, says: "queued", queuedAt: world.clock.wall() });
    const ask = await asking(world);
    const release = await ask("alice", "rel_1");
    assert.equal(release.body.kind, "release");
    assert.ok(release.body.sentence.includes(`by build ${build}`));
    assert.match(release.body.sentence, /It is not what the Space runs \(no replica of it runs\)/);
    const told = await ask("alice", `${space}@4f2a9c1`);
    assert.equal(told.body.id, `${space}@${commit}`);
    assert.match(told.body.sentence, /has 1 build\. The newest, b_9, is queued/);
    for (const id of ["rel_1", `${space}@4f2a9c1`]) assert.equal((await ask("bob", id)).status, 403, id);
    assert.equal((await ask("alice", `${space}@0000000`)).status, 404);
  });

  test("what belongs to a private Space is not there for others, by whichever name", async () => {
    await using world = await ControlWorld.open();
    await world.spaces.ensure("alice", "closed", "alice", { private: true });
    const ask = await asking(world);
    for (const rest of ["", "@4f2a9c1", "#1", "/discussions/1"])
      assert.equal((await ask("bob", `alice/closed${rest}`)).status, 404, rest);
    assert.equal((await ask("alice", "alice/closed")).status, 200);
  });

  test("a token and a session say whose they are and whether they hold, to whom they belong", async () => {
    await using world = await ControlWorld.open();
    const ask = await asking(world);
    await ask("bob", "t_none");
    const [token] = await world.catalog.tokens.list("bob");
    assert.ok(token);
    const { body } = await ask("bob", token.id);
    assert.match(body.sentence, /of bob was made at .* with the scope read\. .* It holds without end\.$/);
    const session = await world.sessions.make({ account: "bob", how: "password", address: null, agent: null });
    assert.match((await ask("bob", session.id)).body.sentence, /bob signed in at .* by password/);
    await world.catalog.accounts.create({ name: "eve", tier: "free", role: "user", createdAt: world.clock.wall() });
    for (const id of [token.id, session.id]) assert.equal((await ask("eve", id)).status, 403, id);
  });

  test("an allowance says who gave it and what is left of it, and after it was taken back by whom", async () => {
    await using world = await ControlWorld.open();
    const ask = await asking(world);
    await ask("bob", "al_0");
    const allowance = {
      id: "al_1",
      by: "root",
      reason: "a talk",
      terms: { kind: "credits", ms: gpuMs(60_000), expiresAt: null },
    } as const;
    const given = await world.engine.submit({ type: "allow", account: "bob", tier: "free", allowance });
    assert.ok(given.ok);
    await world.settled();
    const standing = await ask("bob", "al_1");
    assert.match(
      standing.body.sentence,
      /^Allowance al_1 of bob, credits of 60 s, was given by root at .*: a talk\. Of them 0 s are used\. It holds without end\.$/,
    );
    assert.deepEqual([standing.body.kind, standing.body.outcome], ["allowance", "open"]);
    await world.engine.submit({ type: "revoke", account: "bob", allowance: "al_1", by: "root", reason: "it was over" });
    await world.settled();
    const over = await ask("root", "al_1");
    assert.match(over.body.sentence, /It was taken back by root at .*: it was over\.$/);
    assert.equal(over.body.outcome, "ok");
    assert.equal((await ask("alice", "al_1")).status, 403);
  });

  test("an access request says who asked for what and who decided, to both of them", async () => {
    await using world = await ControlWorld.open();
    const ask = await asking(world);
    await ask("bob", "ar_0");
    const made = await world.hubRepos.create(repoName("models", "alice", "tiny"), { private: false, by: "alice" });
    assert.ok(made.ok);
    const folder = world.hubRepos.find(repoName("models", "alice", "tiny"))?.stored ?? "";
    const askedAt = world.clock.wall();
    const row = {
      id: "ar_1",
      folder,
      account: "bob",
      askedAt,
      fields: null,
      decidedAt: null,
      decidedBy: null,
      reason: null,
    };
    await world.catalog.accessRequests.put({ ...row, status: "pending" });
    const waits = await ask("alice", "ar_1");
    assert.match(
      waits.body.sentence,
      /: bob asked at .* for the files of the model alice\/tiny\. Nobody has decided yet\.$/i,
    );
    assert.equal(waits.body.outcome, "open");
    await world.catalog.accessRequests.put({
      ...row,
      status: "rejected",
      decidedAt: askedAt,
      decidedBy: "alice",
      reason: "no",
    });
    assert.match((await ask("bob", "ar_1")).body.sentence, /It was rejected by alice at .*: no\.$/);
    await world.catalog.accounts.create({ name: "eve", tier: "free", role: "user", createdAt: askedAt });
    assert.equal((await ask("eve", "ar_1")).status, 403);
  });

  test("a backup says how it ended, to operators", async () => {
    await using world = await ControlWorld.open();
    const ask = await asking(world);
    const id = world.server.backups.begin("/backups/1");
    await world.settled();
    const { body } = await ask("root", id);
    assert.match(body.sentence, new RegExp(`^Backup ${id} in /backups/1 failed: `));
    assert.equal(body.outcome, "failed");
    assert.equal((await ask("bob", id)).status, 403);
  });

  test("an id of nothing says which ids there are; one of a known kind, since when it could be gone", async () => {
    await using world = await ControlWorld.open();
    const ask = await asking(world);
    const nonsense = await ask("alice", "nonsense");
    assert.equal(nonsense.body.detail, "No work here has the id nonsense.");
    assert.match(nonsense.body.next, /q_… \(a request\).*OWNER\/NAME \(a Space\).*a node's name/);
    const call = await ask("alice", "c_0000000000000000");
    assert.match(call.body.next, /It would be a GPU call\. Nothing was dropped from the record yet/);
    assert.match((await ask("alice", "app_1")).body.next, /`waybill space show OWNER\/NAME` of its Space\./);
    for (const id of ["al_1", "ar_1", "bk_1"]) assert.equal((await ask("root", id)).status, 404, id);
  });
});
