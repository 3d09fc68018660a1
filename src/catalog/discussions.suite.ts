/** What the tables of discussions must do over any database. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SqlRunner } from "../stdx/sql.ts";
import { instant } from "../stdx/time.ts";
import { Catalog } from "./catalog.ts";
import { mergingOf, type DiscussionDeed, type DiscussionEvent } from "./discussions.ts";

const t0 = instant(Date.UTC(2026, 10, 22, 12));
const repo = "models/m_1";
const talk = { repo, num: 1, title: "a talk", author: "bob", pull: false, status: "open", createdAt: t0 } as const;
const pull = { ...talk, num: 2, title: "a pull", pull: true, base: "b".repeat(40) } as const;
let ids = 0;
const event = (deed: DiscussionDeed, author = "bob"): DiscussionEvent => ({
  ...{ id: (++ids).toString(16).padStart(24, "0"), author, at: t0 },
  ...deed,
});
const comment = (...texts: readonly string[]): DiscussionEvent =>
  event({ kind: "comment", texts: texts.map((text) => ({ text, by: "bob", at: t0 })) });

export function discussionsSuite(name: string, openSql: () => Promise<SqlRunner>): void {
  const open = async () => Catalog.open(await openSql(), { wall: () => t0 });

  describe(`Discussions over ${name}`, () => {
    test("one has what happened in it in that order, and what it is called and how it stands with the last of it", async () => {
      const { discussions: rows } = await open();
      const [first, second] = [comment("hello"), event({ kind: "title", from: "a talk", to: "the talk" })];
      await rows.open(talk, first);
      await rows.add(talk, [second], { title: "the talk" });
      await rows.add(talk, [event({ kind: "status", status: "closed" }), comment("bye")], { status: "closed" });
      const whole = { ...talk, title: "the talk", status: "closed", base: null, merged: null, pending: null };
      assert.deepEqual(await rows.get(talk), whole);
      const events = await rows.events(talk);
      assert.deepEqual(events.slice(0, 2), [first, second]);
      assert.deepEqual(
        events.map(({ kind }) => kind),
        ["comment", "title", "status", "comment"],
      );
      const { events: count, characters } = await rows.weigh(talk);
      assert.ok(count === 4 && characters > 100 && characters < 1_000, String(characters));
      assert.deepEqual(await rows.weigh({ repo, num: 9 }), { events: 0, characters: 0 });
      await rows.say(first.id, []);
      assert.deepEqual(await rows.event(talk, first.id), { ...first, texts: [] });
      assert.equal(await rows.event({ repo, num: 2 }, first.id), undefined, "of another discussion");
      assert.equal(await rows.get({ repo: "models/m_2", num: 1 }), undefined);
    });

    test("a pull request is there when it is opened, and what was begun of it or its merge is told until it is settled", async () => {
      const { discussions: rows } = await open();
      await rows.open(talk, comment("x"));
      await rows.begin(pull);
      assert.equal(await rows.next(repo), 3, "its number is nobody else's");
      assert.deepEqual([await rows.get(pull), (await rows.pulls(repo)).size], [undefined, 0]);
      assert.deepEqual(
        (await rows.pending()).map(({ num, pending }) => [num, pending]),
        [[2, "opening"]],
      );
      await rows.forget(talk);
      assert.notEqual(await rows.get(talk), undefined, "only what was never opened is forgotten");
      await rows.opened(pull, comment("y"));
      await rows.forget(pull);
      assert.deepEqual([await rows.pending(), [...(await rows.pulls(repo))]], [[], [2]]);
      const change = { from: "c".repeat(40), to: "d".repeat(40), account: "alice" };
      await rows.merging(pull, change);
      const [row] = await rows.pending();
      assert.ok(row);
      assert.deepEqual([mergingOf(row), row.status], [change, "open"]);
      await rows.merging(pull, null);
      assert.deepEqual(await rows.pending(), []);
      await rows.merging(pull, change);
      await rows.merged(pull, change.to, [event({ kind: "status", status: "merged" }, "alice")]);
      assert.deepEqual(await rows.get(pull), { ...pull, status: "merged", merged: change.to, pending: null });
      assert.deepEqual(await rows.pending(), []);
    });

    test("lists and counts are of one repository, by kind, status and author, newest first", async () => {
      const { discussions: rows } = await open();
      for (let num = 1; num <= 5; num++)
        await rows.open({ ...talk, num, author: num === 4 ? "carol" : "bob", pull: num > 3 }, comment("x"));
      await rows.open({ ...talk, repo: "models/m_2", pull: true }, comment("x"));
      await rows.add({ repo, num: 5 }, [], { status: "draft" });
      await rows.add({ repo, num: 1 }, [], { status: "closed" });
      const list = async (filter: Parameters<typeof rows.list>[1], skip = 0, limit = 9) => {
        const { total, rows: found } = await rows.list(repo, filter, { skip, limit });
        return [total, found.map(({ num }) => num)];
      };
      assert.deepEqual(await list({}), [5, [5, 4, 3, 2, 1]]);
      assert.deepEqual(await list({}, 1, 2), [5, [4, 3]]);
      assert.deepEqual(await list({ pull: true }), [2, [5, 4]]);
      assert.deepEqual(await list({ pull: false, statuses: ["closed", "merged"] }), [1, [1]]);
      assert.deepEqual(await list({ author: "carol", statuses: ["open", "draft"] }), [1, [4]]);
      assert.deepEqual(await rows.count(repo, "bob"), { all: 5, own: 4 });
      assert.deepEqual([await rows.countOpenPulls("bob"), await rows.countOpenPulls("alice")], [2, 0]);
    });

    test("they go with their repository, a Space's too, and nobody else's do", async () => {
      const { accounts, discussions: rows, repos, spaces, largeFiles } = await open();
      await accounts.create({ name: "alice", tier: "free", role: "user", createdAt: t0 });
      assert.ok((await spaces.create("alice", "app", t0)).ok);
      const made = { kind: "models", owner: "alice", private: false, gated: "no", createdAt: t0 } as const;
      for (const one of ["m_1", "m_2"])
        await repos.create({
          ...{ ...made, name: one, folder: `models/${one}`, createdBy: "alice", changedAt: t0, changedBy: "alice" },
        });
      for (const folder of [repo, "models/m_2", "alice/app"]) {
        await rows.open({ ...talk, repo: folder }, comment("x"));
        await largeFiles.addProposer("bob", folder);
      }
      await largeFiles.addProposer("bob", repo);
      await repos.remove({ kind: "models", owner: "alice", name: "m_1", folder: repo }, t0);
      await spaces.remove("alice/app", t0);
      assert.deepEqual([await rows.get(talk), await rows.get({ repo: "alice/app", num: 1 })], [undefined, undefined]);
      assert.deepEqual([await rows.events(talk), await rows.next(repo)], [[], 1]);
      assert.equal((await rows.events({ repo: "models/m_2", num: 1 })).length, 1);
      assert.deepEqual(await largeFiles.proposedTo("bob"), ["models/m_2"]);
      assert.deepEqual(await largeFiles.proposers(), ["bob"]);
    });
  });
}
