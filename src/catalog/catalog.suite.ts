/** What the catalog must do over any database: each implementation of `SqlRunner` calls this from its own test file. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decide } from "../core/spaces/decide.ts";
import { evolve, freshSpace } from "../core/spaces/model.ts";
import type { Seen } from "../core/spaces/seen.ts";
import type { SqlRunner } from "../stdx/sql.ts";
import { durationMs, instant } from "../stdx/time.ts";
import { Catalog } from "./catalog.ts";
import { accessRequestsSuite } from "./access-requests.suite.ts";
import { appsSuite } from "./apps.suite.ts";
import { auditSuite } from "./audit.suite.ts";
import { callsSuite } from "./calls.suite.ts";
import { discussionsSuite } from "./discussions.suite.ts";
import { keptSuite } from "./kept.suite.ts";
import { identitiesSuite } from "./identities.suite.ts";
import { reposSuite } from "./repos.suite.ts";
import { largeFilesSuite } from "./large-files.suite.ts";
import { sessionsSuite } from "./sessions.suite.ts";
import { webhooksSuite } from "./webhooks.suite.ts";
import { buildView } from "./builds.ts";
import type { ReleaseManifest } from "../contract/release.ts";
import { settingDefaults } from "./spaces.ts";
import { endedKeptMs, lastUsedEveryMs } from "./tokens.ts";

const t0 = instant(Date.UTC(2026, 10, 22, 12));
const clock = { wall: () => t0 };
const at = (ms: number) => instant(t0 + ms);

const nothingSeen: Seen = {
  node: "here",
  build: null,
  replicas: [],
  startWithinMs: durationMs(0),
  unvisitedMs: null,
  busy: 0,
  usedAt: t0,
};

/** `openSql` gives a fresh database each time. */
export function catalogSuite(name: string, openSql: () => Promise<SqlRunner>, numRuns = 40): void {
  const open = async (): Promise<Catalog> => Catalog.open(await openSql(), clock);
  const withAlice = async (): Promise<Catalog> => {
    const catalog = await open();
    await catalog.accounts.create({ name: "alice", tier: "free", role: "user", createdAt: t0 });
    return catalog;
  };

  describe(`Catalog over ${name}`, () => {
    test("what one has written the next one that opens reads", async () => {
      const sql = await openSql();
      const first = await Catalog.open(sql, clock);
      await first.accounts.create({ name: "alice", tier: "free", role: "user", createdAt: t0 });
      const second = await Catalog.open(sql, clock);
      assert.deepEqual(await second.accounts.list(), await first.accounts.list());
    });
  });

  describe(`Accounts over ${name}`, () => {
    test("an account is made once; the second time says so and changes nothing", async () => {
      const catalog = await withAlice();
      const again = await catalog.accounts.create({
        name: "alice",
        tier: "unlimited",
        role: "admin",
        createdAt: at(9),
      });
      assert.deepEqual(again, { ok: false, refusal: "account-exists" });
      assert.deepEqual(await catalog.accounts.get("alice"), {
        name: "alice",
        tier: "free",
        role: "user",
        kind: "person",
        createdAt: t0,
      });
    });

    test("a name that cannot be is refused, an address's above all", async () => {
      const { accounts } = await open();
      const create = (name: string) => accounts.create({ name, tier: "free", role: "user", createdAt: t0 });
      assert.deepEqual(await create("address:127.0.0.1"), { ok: false, refusal: "name-invalid" });
      assert.deepEqual(await create("api"), { ok: false, refusal: "name-reserved" });
      assert.deepEqual(await accounts.list(), []);
    });

    test("a tier is changed, of an account that exists", async () => {
      const { accounts } = await withAlice();
      assert.equal(await accounts.setTier("alice", "pro"), true);
      assert.equal(await accounts.setTier("bob", "pro"), false);
      assert.equal((await accounts.get("alice"))?.tier, "pro");
    });
  });

  describe(`Members over ${name}`, () => {
    const acme = { name: "acme", tier: "pro", role: "user", kind: "organisation", createdAt: t0 } as const;
    const member = { organisation: "acme", account: "alice", role: "admin", since: t0, addedBy: "admin" } as const;

    test("an organisation and its first member are there together or not at all", async () => {
      const { accounts, members } = await withAlice();
      await assert.rejects(members.found(acme, { ...member, account: "nobody" }), { code: "sql-refused" });
      assert.equal(await accounts.get("acme"), undefined);
      await members.found(acme, member);
      assert.deepEqual([await accounts.get("acme"), await members.all()], [acme, [member]]);
    });

    test("a member has one role, of who added it first, until it is taken out", async () => {
      const { members } = await withAlice();
      await members.found(acme, member);
      await members.put(
        { ...member, role: "read", since: at(9), addedBy: "bob" },
        { type: "member.changed", at: at(9) },
      );
      assert.deepEqual(await members.all(), [{ ...member, role: "read" }]);
      await members.remove(member, at(10));
      assert.deepEqual(await members.all(), []);
    });
  });

  describe(`Tokens over ${name}`, () => {
    const token = {
      id: "t_1",
      account: "alice",
      hash: "ab",
      name: "laptop",
      scopes: ["read", "gpu"],
      createdAt: t0,
      expiresAt: null,
    } as const;

    test("a token is found by its hash, with its owner's tier and role of now", async () => {
      const { tokens, accounts } = await withAlice();
      await tokens.create(token);
      await accounts.setTier("alice", "pro");
      assert.deepEqual(await tokens.find("ab"), {
        token: { ...token, lastUsedAt: null, revokedAt: null, spaces: [], app: null },
        tier: "pro",
        role: "user",
      });
      assert.equal(await tokens.find("cd"), undefined);
    });

    test("what a token may do to single Spaces is kept; those that hold are counted, and what ended long ago is forgotten", async () => {
      const { tokens } = await withAlice();
      const spaces = [{ space: "alice/demo", right: "read" }] as const;
      await tokens.create({ ...token, spaces });
      await tokens.create({ ...token, id: "t_2", hash: "cd", expiresAt: at(5) });
      assert.deepEqual((await tokens.get("t_1"))?.spaces, spaces);
      assert.deepEqual([await tokens.count("alice", at(4)), await tokens.count("alice", at(5))], [2, 1]);
      await tokens.revoke("t_1", at(6));
      await tokens.create({ ...token, id: "t_3", hash: "ef", createdAt: at(endedKeptMs + 6) });
      assert.deepEqual(
        (await tokens.list("alice")).map(({ id }) => id),
        ["t_3", "t_1"],
      );
    });

    test("a use is noted at most once an hour", async () => {
      const { tokens } = await withAlice();
      await tokens.create(token);
      const used: (number | null | undefined)[] = [];
      for (const ms of [0, lastUsedEveryMs - 1, lastUsedEveryMs]) {
        await tokens.touch("t_1", at(ms));
        used.push((await tokens.list("alice"))[0]?.lastUsedAt);
      }
      assert.deepEqual(used, [t0, t0, at(lastUsedEveryMs)]);
    });

    test("a token is revoked once and stays findable", async () => {
      const { tokens } = await withAlice();
      await tokens.create(token);
      assert.equal(await tokens.revoke("t_1", at(5)), true);
      assert.equal(await tokens.revoke("t_1", at(6)), false);
      assert.equal((await tokens.find("ab"))?.token.revokedAt, at(5));
    });

    test("two tokens with one hash, or of no account, cannot be", async () => {
      const { tokens } = await withAlice();
      await tokens.create(token);
      await assert.rejects(tokens.create({ ...token, id: "t_2" }), { code: "sql-refused" });
      await assert.rejects(tokens.create({ ...token, id: "t_3", hash: "cd", account: "bob" }), { code: "sql-refused" });
    });
  });

  describe(`Spaces over ${name}`, () => {
    test("a Space gets a label and a loopback address of its own", async () => {
      const { spaces } = await withAlice();
      const made = await spaces.create("alice", "demo", t0);
      assert.ok(made.ok);
      assert.equal(made.space.subdomain, "alice-demo");
      assert.match(made.space.address, /^127\.(?!0\.)/);
      assert.deepEqual(await spaces.get("alice/demo"), made.space);
    });

    test("a-b/c and a/b-c get different labels, whichever came first", async () => {
      const catalog = await open();
      for (const owner of ["a-b", "a"]) {
        await catalog.accounts.create({ name: owner, tier: "free", role: "user", createdAt: t0 });
      }
      const [first, second] = [
        await catalog.spaces.create("a-b", "c", t0),
        await catalog.spaces.create("a", "b-c", t0),
      ];
      assert.ok(first.ok && second.ok);
      assert.equal(first.space.subdomain, "a-b-c");
      assert.match(second.space.subdomain, /^a-b-c-[0-9a-z]{6}$/);
    });

    test("the same Space made many times at once is made once", async () => {
      const { spaces } = await withAlice();
      const made = await Promise.all(Array.from({ length: 5 }, () => spaces.create("alice", "demo", t0)));
      assert.equal(made.filter(({ ok }) => ok).length, 1);
      assert.ok(made.every((result) => result.ok || result.refusal === "space-exists"));
    });

    test("a Space needs an owner and a name that can be", async () => {
      const { spaces } = await withAlice();
      assert.deepEqual(await spaces.create("bob", "demo", t0), { ok: false, refusal: "no-such-account" });
      assert.deepEqual(await spaces.create("alice", "Demo", t0), { ok: false, refusal: "name-invalid" });
    });

    test("a change touches what it names and keeps the addresses", async () => {
      const { spaces } = await withAlice();
      const made = await spaces.create("alice", "demo", t0);
      assert.ok(made.ok);
      const change = { state: "building", since: at(3), says: "Build b_1 has begun.", build: "b_1" } as const;
      assert.equal(await spaces.update("alice/demo", change), true);
      assert.deepEqual(await spaces.get("alice/demo"), { ...made.space, ...change });
      assert.equal(await spaces.update("alice/other", change), false);
    });

    test("a Space has the default settings until its owner changes them", async () => {
      const { spaces } = await withAlice();
      await spaces.create("alice", "demo", t0);
      assert.deepEqual((await spaces.get("alice/demo"))?.settings, settingDefaults);
      await spaces.update("alice/demo", { settings: { ...settingDefaults, "on-leave": "stop" } });
      await spaces.update("alice/demo", { says: "Something else changed." });
      assert.deepEqual((await spaces.get("alice/demo"))?.settings, { ...settingDefaults, "on-leave": "stop" });
    });

    test("what happens to a Space is kept with what it leads to, in order, and given newest first", async () => {
      const catalog = await withAlice();
      const { spaces } = catalog;
      await spaces.create("alice", "demo", t0);
      const fresh = freshSpace(
        "alice/demo",
        { replicas: 1, sleepAfterMs: null, sleepMode: "stop", hardware: null },
        t0,
      );
      const pausing = (why: string) => {
        const actor = { kind: "owner", account: "alice" } as const;
        const decided = decide(fresh, { type: "pause", actor, by: "owner", why }, nothingSeen, at(5));
        assert.ok(decided.ok);
        return decided.events;
      };
      for (const why of ["one", "two", "three"]) {
        const events = pausing(why);
        await catalog.spaceEvents.add(events.reduce(evolve, fresh), events, { settings: settingDefaults });
      }
      const row = await spaces.get("alice/demo");
      assert.deepEqual([row?.state, row?.says, row?.since], ["paused", "three", at(5)]);
      assert.deepEqual(row?.machine?.state.reason, { says: "three", code: null });
      const first = await catalog.spaceEvents.list("alice/demo", { limit: 2 });
      assert.deepEqual(
        first?.items.map(({ seq, from, to, reason }) => [seq, from, to, reason.says]),
        [
          [3, "no-release", "paused", "three"],
          [2, "no-release", "paused", "two"],
        ],
      );
      const rest = await catalog.spaceEvents.list("alice/demo", { limit: 2, before: first?.next ?? "" });
      assert.deepEqual([rest?.items.map(({ seq }) => seq), rest?.next], [[1], null]);
      assert.deepEqual(rest?.items[0]?.change, pausing("one")[0]?.change);
      assert.equal(await catalog.spaceEvents.list("alice/demo", { limit: 2, before: "odd" }), undefined);
    });

    test("pages give each Space once, newest first; a foreign page token is told", async () => {
      const { spaces } = await withAlice();
      for (const n of [1, 2, 3, 4, 5]) await spaces.create("alice", `s${n}`, at(Math.floor(n / 2)));
      const seen: string[] = [];
      let before: string | undefined;
      do {
        const page = await spaces.list({ limit: 2, ...(before !== undefined && { before }) });
        assert.ok(page);
        seen.push(...page.items.map(({ name: shown }) => shown));
        before = page.next ?? undefined;
      } while (before !== undefined);
      assert.deepEqual(seen, ["s5", "s4", "s3", "s2", "s1"]);
      assert.equal(await spaces.list({ limit: 2, before: "nonsense" }), undefined);
    });
  });

  describe(`Builds over ${name}`, () => {
    const queued = {
      id: "b_1",
      space: "alice/demo",
      commit: "c0ffee",
      says: "Waits for a builder.",
      queuedAt: t0,
    } as const;

    test("a build keeps its steps and reasons, and its view counts the time so far", async () => {
      const { builds } = await open();
      await builds.create(queued);
      await builds.update("b_1", {
        stage: "building",
        claimedAt: at(30),
        steps: [{ name: "install", state: "started", tookMs: 0 }],
      });
      const row = await builds.get("b_1");
      assert.ok(row);
      const view = buildView(row, at(100));
      assert.deepEqual([view.queuedMs, view.tookMs, view.outcome, view.steps.length], [30, 70, null, 1]);
      assert.deepEqual(
        (await builds.open()).map(({ id }) => id),
        ["b_1"],
      );
    });

    test("a build keeps what was in force on it, once a builder has said so", async () => {
      const { builds } = await open();
      await builds.create(queued);
      const view = async (): Promise<unknown> => buildView((await builds.get("b_1")) ?? assert.fail(), at(1)).limits;
      assert.equal(await view(), null);
      await builds.update("b_1", { limits: { wholeMs: 1, writtenBytes: 2 } });
      await builds.update("b_1", { stage: "building" });
      assert.deepEqual(await view(), { wholeMs: 1, writtenBytes: 2 });
    });

    test("an ended build is not changed any more", async () => {
      const { builds } = await open();
      await builds.create(queued);
      const because = ["npm ci ended with 1"];
      assert.equal(
        await builds.update("b_1", { stage: "failed", code: "build/step-failed", because, endedAt: at(90) }),
        true,
      );
      assert.equal(await builds.update("b_1", { stage: "done", endedAt: at(99) }), false);
      const row = await builds.get("b_1");
      assert.deepEqual(
        [row?.stage, row?.code, row?.because, row?.endedAt],
        ["failed", "build/step-failed", because, at(90)],
      );
      assert.deepEqual(await builds.open(), []);
    });

    test("an empty change of an open build is no error", async () => {
      const { builds } = await open();
      await builds.create(queued);
      assert.equal(await builds.update("b_1", {}), true);
    });

    test("transitions are kept in their order beside what they change, all of one decision or none", async () => {
      const { builds } = await open();
      const event = { at: t0, actor: "alice", fence: 0, code: null, says: "so it is", deadline: at(60) } as const;
      await builds.record([
        { ...event, build: "b_1", event: "queued", stage: "queued", created: queued, change: { machine: "{}" } },
        {
          ...event,
          build: "b_1",
          event: "given",
          stage: "claimed",
          fence: 1,
          change: { stage: "claimed", attempts: 1 },
        },
      ]);
      const twice = { ...event, build: "b_2", event: "queued", stage: "queued", change: {} } as const;
      await assert.rejects(
        builds.record([
          { ...twice, created: { ...queued, id: "b_2" } },
          { ...twice, created: queued },
        ]),
      );
      const row = await builds.get("b_1");
      assert.deepEqual([row?.stage, row?.attempts, row?.machine], ["claimed", 1, "{}"]);
      const events = await builds.events("b_1");
      assert.deepEqual(
        events.map(({ event: kind, fence }) => [kind, fence]),
        [
          ["queued", 0],
          ["given", 1],
        ],
      );
      assert.deepEqual([await builds.get("b_2"), await builds.events("b_2")], [undefined, []]);
    });

    test("those of a Space come in pages, those that ended are counted by how, and read by when", async () => {
      const { builds } = await open();
      for (const n of [1, 2, 3]) await builds.create({ ...queued, id: `b_${n}`, queuedAt: at(n) });
      await builds.update("b_1", { stage: "failed", code: "build/step-failed", claimedAt: at(5), endedAt: at(10) });
      await builds.update("b_2", { stage: "cancelled", code: "build/cancelled", endedAt: at(20) });
      const first = await builds.page("alice/demo", { limit: 2 });
      const second = await builds.page("alice/demo", { limit: 2, before: first?.next ?? "" });
      assert.deepEqual(
        [first, second].map((page) => page?.items.map(({ id }) => id)),
        [["b_3", "b_2"], ["b_1"]],
      );
      assert.equal(await builds.page("alice/demo", { limit: 2, before: "nonsense" }), undefined);
      assert.deepEqual(await builds.countEnded(at(15)), [{ stage: "cancelled", code: "build/cancelled", count: 1 }]);
      assert.deepEqual(
        (await builds.endedSince(t0, 10)).map(({ id }) => id),
        ["b_1"],
      );
    });
  });

  describe(`Releases over ${name}`, () => {
    const manifest: ReleaseManifest = {
      release: "rel_1", space: "alice/demo", commit: "c0ffee", build: "b_1", sdk: "static", title: "Demo",
      argv: null, staticFolder: ".", appPort: 7860, builtAt: "2026-11-22T12:00:00.000Z",
    }; // prettier-ignore

    test("a release is kept as it was first published, and the newest is found by commit", async () => {
      const { releases } = await open();
      const row = {
        id: "rel_1",
        space: "alice/demo",
        build: "b_1",
        commit: "c0ffee",
        manifest,
        node: "n1",
        createdAt: t0,
      };
      await releases.create(row);
      await releases.create({ ...row, node: "n2" });
      await releases.create({ ...row, id: "rel_2", commit: "beef", createdAt: at(1) });
      assert.deepEqual(await releases.get("rel_1"), row);
      assert.equal((await releases.newest("alice/demo"))?.id, "rel_2");
      assert.equal((await releases.newest("alice/demo", "c0ffee"))?.id, "rel_1");
      assert.equal(await releases.newest("alice/other"), undefined);
    });
  });

  describe(`Settings over ${name}`, () => {
    test("setOnce keeps the first value, set the last", async () => {
      const { settings } = await open();
      assert.equal(await settings.get("k"), null);
      assert.deepEqual([await settings.setOnce("k", "1"), await settings.setOnce("k", "2")], ["1", "1"]);
      await settings.set("k", "3");
      assert.equal(await settings.get("k"), "3");
    });
  });

  callsSuite(name, openSql, numRuns);
  auditSuite(name, openSql);
  appsSuite(name, openSql);
  keptSuite(name, openSql);
  sessionsSuite(name, openSql);
  webhooksSuite(name, openSql);
  identitiesSuite(name, openSql);
  accessRequestsSuite(name, openSql);
  reposSuite(name, openSql);
  largeFilesSuite(name, openSql);
  discussionsSuite(name, openSql);
}
