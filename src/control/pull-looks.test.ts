/** How much git does for those who look at pull requests. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DiscussionRow } from "../catalog/discussions.ts";
import { instant } from "../stdx/time.ts";
import { PullLooks } from "./pull-looks.ts";

const row: DiscussionRow = {
  ...{ repo: "models/m_1", num: 1, title: "t", author: "bob", pull: true, status: "open", base: "base" },
  ...{ merged: null, pending: null, createdAt: instant(0) },
};

class World {
  main = "main-1";
  merges = 0;
  #answered = Promise.withResolvers<void>();
  readonly looks: PullLooks;

  constructor() {
    const pulls = {
      commits: async () => [],
      diff: async (_folder: string, from: string, to: string) => `${from}..${to}`,
      merge: async () => {
        this.merges += 1;
        await this.#answered.promise;
        return { ok: false as const, conflicts: ["a.txt"] };
      },
    };
    const head = async (_folder: string, branch: string) => (branch === "main" ? this.main : `head of ${branch}`);
    this.looks = new PullLooks({ head }, pulls, { atOnce: 3, perCaller: 2, anonymous: 2, withinMs: 0 });
  }

  look(account: string | null, { of = row, withDiff = false } = {}) {
    const caller = { account, address: "192.0.2.1" };
    return this.looks.at(of, "folder", { caller, withDiff, signal: new AbortController().signal });
  }

  answer(): void {
    this.#answered.resolve();
  }
}

test("of all who look at a pull request while it and main stay as they are, one has git look for its conflicts", async () => {
  const world = new World();
  const both = [world.look("alice"), world.look("bob")];
  world.answer();
  const found = { commits: [], conflicts: ["a.txt"], diff: undefined };
  assert.deepEqual(await Promise.all(both), [found, found]);
  assert.deepEqual(await world.look(null, { withDiff: true }), { ...found, diff: "main-1..head of refs/pr/1" });
  assert.equal(world.merges, 1);
  world.main = "main-2";
  await world.look("alice");
  assert.equal(world.merges, 2);
});

test("so many look at once, of them so many of one and so many without a token; one more is told in time", async () => {
  const world = new World();
  const inside = [world.look(null), world.look(null)];
  assert.equal(await world.look(null), undefined, "who says nothing of who it is");
  inside.push(world.look("alice"));
  assert.equal(await world.look("bob"), undefined);
  world.answer();
  assert.equal((await Promise.all(inside)).filter((look) => look !== undefined).length, 3);
  assert.notEqual(await world.look("bob"), undefined);
});

test("of one that is merged there are no conflicts, and its diff is from where it began", async () => {
  const world = new World();
  const merged = { ...row, status: "merged", merged: "main-1" } as const;
  assert.deepEqual(await world.look("alice", { of: merged, withDiff: true }), {
    ...{ commits: [], conflicts: [], diff: "base..head of refs/pr/1" },
  });
  assert.equal(world.merges, 0);
});
