/** What webhooks and their deliveries must do over any database: told with what they tell, once each, within bounds. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gpuMs } from "../core/amounts.ts";
import type { CallTerms, Event } from "../core/model.ts";
import { freshSpace } from "../core/spaces/model.ts";
import type { SpaceEvent, StateName } from "../core/spaces/model.ts";
import type { NoticeBody } from "../contract/webhooks.ts";
import type { SqlRunner } from "../stdx/sql.ts";
import { durationMs, instant } from "../stdx/time.ts";
import { openDatabase } from "./database.ts";
import { Catalog } from "./catalog.ts";
import { Deliveries } from "./deliveries.ts";
import type { DeliveryRow } from "./deliveries.ts";
import { Notices } from "./notices.ts";
import type { Notice } from "./notices.ts";
import { noEffects } from "./request-keys.ts";
import { Webhooks } from "./webhooks.ts";
import type { WebhookRow } from "./webhooks.ts";

const t0 = instant(Date.UTC(2026, 10, 22, 12));
const at = (ms: number) => instant(t0 + ms);

const webhook = (over: Partial<WebhookRow> = {}): WebhookRow => ({
  ...{ id: "wh_1", owner: "alice", url: "https://hooks.example/a", types: [], description: null },
  ...{ state: "on", since: t0, says: "made by alice", failingSince: null },
  ...{ key: "k_1", sealed: "c2VhbGVk", formerKey: null, formerSealed: null, formerUntil: null },
  ...{ createdAt: t0, createdBy: "alice", ...over },
});

const space = freshSpace("alice/demo", { replicas: 1, sleepAfterMs: null, sleepMode: "stop", hardware: null }, t0);
const moved = (from: StateName, to: StateName): SpaceEvent => ({
  ...{ v: 1, at: at(5), from, to, reason: { says: "so it is", code: null }, deadline: null, ends: "never" },
  ...{ actor: { kind: "owner", account: "alice" }, change: { kind: "nothing" } },
});
const off = (n: number): Notice => ({
  ...{ type: "webhook.off", key: `off/${n}`, at: at(n), owner: "alice" },
  data: { webhook: "wh_9", url: "https://hooks.example/b", says: `${n}` },
});
const refused = (call: string, code: "quota-exceeded" | "budget-exceeded", account = "bob"): Event => {
  const terms: CallTerms = {
    call, account, tier: "free", billedBy: "token", request: "q_1", space: "alice/demo", release: "rel_1",
    replica: "p_1", node: "n1", pool: "main", task: "1", endpoint: null, declaredMs: durationMs(10_000), size: "large",
  }; // prettier-ignore
  const little = {
    ...{ askedMs: gpuMs(9), leftMs: gpuMs(1), usedMs: gpuMs(8), heldMs: gpuMs(0), limitMs: gpuMs(9) },
    ...{ resetsAt: at(60_000), clip: null },
  };
  const refusal = code === "quota-exceeded" ? { code, ...little } : { code, sponsor: "alice", ...little };
  return { v: 1, type: "call-refused", terms, refusal };
};
const bodyOf = ({ body }: DeliveryRow): NoticeBody => JSON.parse(body) as NoticeBody;

export function webhooksSuite(name: string, openSql: () => Promise<SqlRunner>): void {
  const open = async (sql?: SqlRunner) => {
    const catalog = await Catalog.open(sql ?? (await openSql()), { wall: () => t0 });
    for (const account of ["alice", "bob"])
      await catalog.accounts.create({ name: account, tier: "free", role: "user", createdAt: t0 });
    return catalog;
  };
  const told = async ({ deliveries }: Catalog, of = "wh_1"): Promise<readonly DeliveryRow[]> =>
    ((await deliveries.list(of, { limit: 50 }))?.items ?? []).toReversed();
  const types = async (catalog: Catalog, of?: string): Promise<readonly string[]> =>
    (await told(catalog, of)).map(({ type }) => type);

  describe(`Webhooks over ${name}`, () => {
    test("one that was added is there for the next that opens, with what it changed to", async () => {
      const sql = await openSql();
      const { webhooks } = await open(sql);
      await webhooks.add(webhook());
      const change = { types: ["build.ended"], description: "ours", failingSince: at(3) } as const;
      await webhooks.change("wh_1", change, { asked: true });
      const again = await Catalog.open(sql, { wall: () => t0 });
      assert.deepEqual(again.webhooks.all, [webhook(change)]);
      assert.deepEqual(again.webhooks.of("bob"), []);
    });

    test("a Space's states, its builds' ends and an organisation's members are told in the commit that has them", async () => {
      const catalog = await open();
      const acme = { name: "acme", tier: "pro", role: "user", kind: "organisation", createdAt: t0 } as const;
      const alice = { organisation: "acme", account: "alice", role: "admin", since: t0, addedBy: "admin" } as const;
      const bob = { ...alice, account: "bob", role: "read" } as const;
      await catalog.webhooks.add(webhook());
      await catalog.webhooks.add(webhook({ id: "wh_all", owner: null }));
      await catalog.members.found(acme, alice);
      await catalog.webhooks.add(webhook({ id: "wh_acme", owner: "acme" }));
      await catalog.members.put(bob, { type: "member.added", at: at(1) });
      await catalog.members.put({ ...bob, role: "write" }, { type: "member.changed", at: at(2) });
      await catalog.members.remove({ ...bob, role: "write" }, at(3));
      await catalog.spaces.create("alice", "demo", t0);
      await catalog.spaceEvents.add(space, [moved("no-release", "building"), moved("building", "building")]);
      const build = { id: "b_1", space: "alice/demo", commit: "f".repeat(40), says: "queued", queuedAt: t0 };
      const event = { build: "b_1", actor: "alice", fence: 0, code: null, says: "so", deadline: null } as const;
      await catalog.builds.record([{ ...event, at: t0, event: "queued", stage: "queued", created: build, change: {} }]);
      const end = { ...event, at: at(9), event: "ended", stage: "failed", code: "build/step-failed" } as const;
      await catalog.builds.record([{ ...end, change: { stage: "failed", endedAt: at(9), says: "exit code 1" } }]);
      assert.deepEqual(await types(catalog), ["space.state", "build.ended"]);
      assert.deepEqual(await types(catalog, "wh_acme"), ["member.added", "member.changed", "member.removed"]);
      assert.equal((await told(catalog, "wh_all")).length, 6);
      const [state, ended] = (await told(catalog)).map(bodyOf);
      assert.deepEqual(state, {
        ...{ type: "space.state", timestamp: "2026-11-22T12:00:00.005Z" },
        data: {
          ...{ space: "alice/demo", from: "no-release", to: "building", says: "so it is", code: null },
          ...{ by: "owner", release: null },
        },
      });
      assert.deepEqual(ended?.data, {
        ...{ build: "b_1", space: "alice/demo", commit: build.commit, stage: "failed", says: "exit code 1" },
        ...{ code: "build/step-failed", release: null },
      });
    });

    test("a commit that is refused tells nothing", async () => {
      const catalog = await open();
      await catalog.webhooks.add(webhook());
      const wrong = { organisation: "alice", account: "nobody", role: "read", since: t0, addedBy: "admin" } as const;
      await assert.rejects(catalog.members.put(wrong, { type: "member.added", at: t0 }), { code: "sql-refused" });
      assert.deepEqual(await told(catalog), []);
    });

    test("a quota that is used up is told once a window, to whose it is, and a budget to whoever pays", async () => {
      const sql = await openSql();
      const catalog = await open(sql);
      await catalog.webhooks.add(webhook());
      await catalog.webhooks.add(webhook({ id: "wh_bob", owner: "bob" }));
      const records = [
        { index: 1, at: at(1), events: [refused("c_1", "quota-exceeded"), refused("c_2", "budget-exceeded")] },
        {
          index: 2,
          at: at(2),
          events: [refused("c_3", "quota-exceeded"), refused("c_4", "quota-exceeded", "address:1")],
        },
      ];
      await catalog.calls.project(records);
      // Another process has no memory of it: the rows have.
      const next = await Catalog.open(sql, { wall: () => t0 });
      await next.calls.project([{ index: 3, at: at(3), events: [refused("c_5", "quota-exceeded")] }]);
      assert.deepEqual(
        (await told(catalog, "wh_bob")).map((row) => bodyOf(row).data),
        [{ account: "bob", call: "c_1", askedMs: 9, leftMs: 1, limitMs: 9, resetsAt: "2026-11-22T12:01:00.000Z" }],
      );
      assert.deepEqual(await types(catalog), ["budget.exceeded"]);
    });

    test("one hears of the types that it asked for, and one that is off of nothing", async () => {
      const catalog = await open();
      const { webhooks } = catalog;
      await webhooks.add(webhook({ types: ["build.ended"] }));
      await webhooks.add(webhook({ id: "wh_off", state: "off" }));
      await catalog.spaces.create("alice", "demo", t0);
      await catalog.spaceEvents.add(space, [moved("no-release", "building")]);
      await webhooks.tell([off(1)]);
      assert.deepEqual(await types(catalog), ["webhook.off"]);
      assert.deepEqual(await types(catalog, "wh_off"), []);
    });

    test("incidents are for the platform's webhooks alone, and for those that were there when they began or ended", async () => {
      const catalog = await open();
      await catalog.webhooks.add(webhook({ types: ["incident.opened"] }));
      await catalog.webhooks.add(webhook({ id: "wh_all", owner: null }));
      await catalog.webhooks.add(webhook({ id: "wh_later", owner: null, since: at(1) }));
      const data = {
        ...{ incident: "i_1", boundary: "runtime", wrong: "node-lost", planned: false, says: "n1" },
        ...{ since: "2026-11-22T12:00:00.000Z", until: null },
      };
      const opened: Notice = { type: "incident.opened", key: "incident/i_1/opened", at: t0, owner: null, data };
      await catalog.webhooks.tell([opened]);
      const heard = await Promise.all(["wh_1", "wh_all", "wh_later"].map((of) => types(catalog, of)));
      assert.deepEqual(heard, [[], ["incident.opened"], []]);
    });

    test("each delivery is announced once it is stored; what is told again has the same id and is not stored again", async () => {
      const catalog = await open();
      const announced: string[] = [];
      catalog.notices.onDelivery = (of) => announced.push(of);
      await catalog.webhooks.add(webhook());
      await catalog.webhooks.tell([off(1)]);
      await catalog.webhooks.tell([off(1), off(2)]);
      assert.deepEqual(announced, ["wh_1", "wh_1"]);
      const ids = (await told(catalog)).map(({ id }) => id);
      assert.deepEqual([ids.length, new Set(ids).size], [2, 2]);
      assert.match(ids[0] ?? "", /^dl_[0-9a-hjkmnp-tv-z]{16}$/);
    });

    test("one that is switched off gives up what waits for it, and says why; one that is removed has nothing left", async () => {
      const catalog = await open();
      const { webhooks, deliveries } = catalog;
      await webhooks.add(webhook());
      await webhooks.tell([off(1)]);
      await webhooks.change("wh_1", { state: "off", since: at(9), says: "alice wanted it" }, { asked: true });
      const [given] = await told(catalog);
      assert.deepEqual(
        [given?.state, given?.dueAt, given?.endedAt, given?.says],
        ["failed", null, at(9), "the webhook is off: alice wanted it"],
      );
      assert.equal(await deliveries.next("wh_1"), undefined);
      await webhooks.remove("wh_1");
      assert.deepEqual([webhooks.all, await told(catalog)], [[], []]);
    });
  });

  describe(`Deliveries over ${name}`, () => {
    const attempt = { at: at(20), tookMs: 7, outcome: "answered", status: 503, says: "503", answer: "busy" } as const;
    const later = (ms: number) => ({ state: "waiting", dueAt: at(ms), endedAt: null, says: "503" }) as const;

    test("what is due first is next, with its tries; a try is kept beside it until it has ended", async () => {
      const catalog = await open();
      const { webhooks, deliveries } = catalog;
      await webhooks.add(webhook());
      await webhooks.tell([off(1), off(2)]);
      const first = await deliveries.next("wh_1");
      assert(first);
      assert.deepEqual([bodyOf(first).data, first.dueAt, first.tries], [off(1).data, at(1), 0]);
      await deliveries.tried(first, attempt, later(5_000));
      const second = await deliveries.next("wh_1");
      assert(second);
      assert.deepEqual(bodyOf(second).data, off(2).data);
      await deliveries.tried(
        second,
        { ...attempt, status: 204, outcome: "delivered", says: "204" },
        {
          ...{ state: "delivered", dueAt: null, endedAt: at(30), says: "204" },
        },
      );
      const again = await deliveries.next("wh_1");
      assert.deepEqual([again?.id, again?.tries, again?.dueAt], [first.id, 1, at(5_000)]);
      assert.deepEqual(await deliveries.attempts([first.id]), [{ delivery: first.id, n: 1, ...attempt }]);
      assert.equal(await deliveries.waiting("wh_1"), 1);
    });

    test("one that is wanted again is tried from the first try on, under its id, beside the tries that it had", async () => {
      const catalog = await open();
      const { webhooks, deliveries } = catalog;
      await webhooks.add(webhook());
      await webhooks.tell([off(1)]);
      const first = await deliveries.next("wh_1");
      assert(first);
      await deliveries.tried(first, attempt, { state: "failed", dueAt: null, endedAt: at(30), says: "503" });
      assert.equal(await deliveries.next("wh_1"), undefined);
      await deliveries.again(first, at(99));
      const again = await deliveries.next("wh_1");
      assert(again);
      assert.deepEqual([again.id, again.tries, again.dueAt, again.endedAt], [first.id, 0, at(99), null]);
      await deliveries.tried(again, attempt, later(200));
      assert.deepEqual(
        (await deliveries.attempts([first.id])).map(({ n }) => n),
        [1, 2],
      );
    });

    test("a try that comes to its end after the webhook was switched off leaves it ended, unless it was delivered", async () => {
      const catalog = await open();
      const { webhooks, deliveries } = catalog;
      await webhooks.add(webhook());
      await webhooks.tell([off(1), off(2)]);
      const rows = await told(catalog);
      await webhooks.change("wh_1", { state: "off", since: at(9), says: "so" }, { asked: false });
      const [first, second] = rows;
      assert(first && second);
      await deliveries.tried(first, attempt, later(5_000));
      await deliveries.tried(second, attempt, { state: "delivered", dueAt: null, endedAt: at(30), says: "204" });
      assert.deepEqual(
        (await told(catalog)).map(({ state, dueAt }) => [state, dueAt]),
        [
          ["failed", null],
          ["delivered", null],
        ],
      );
    });

    test("of one webhook a bounded number waits, and a bounded number of those that ended is kept; the oldest go", async () => {
      const sql = await openSql();
      await open(sql);
      const db = openDatabase(sql);
      const notices = new Notices(db, { waiting: 3, ended: 2 });
      const webhooks = await Webhooks.open(db, sql, noEffects, notices);
      const deliveries = new Deliveries(db, sql, noEffects, notices);
      await webhooks.add(webhook());
      await webhooks.add(webhook({ id: "wh_2" }));
      await webhooks.tell([off(0)], "wh_2");
      for (let n = 1; n <= 7; n += 1) await webhooks.tell([off(n)], "wh_1");
      const rows = (await deliveries.list("wh_1", { limit: 50 }))?.items ?? [];
      assert.deepEqual(
        rows.map((row) => [(bodyOf(row).data as { says: string }).says, row.state, row.says]),
        [
          ["7", "waiting", ""],
          ["6", "waiting", ""],
          ["5", "waiting", ""],
          ["4", "failed", "3 newer ones waited, which are the most"],
          ["3", "failed", "3 newer ones waited, which are the most"],
        ],
      );
      assert.equal((await deliveries.next("wh_2"))?.webhook, "wh_2");
    });

    test("a page goes on where the one before it ended", async () => {
      const { webhooks, deliveries } = await open();
      await webhooks.add(webhook());
      await webhooks.tell([off(1), off(2), off(3)]);
      const first = await deliveries.list("wh_1", { limit: 2 });
      const rest = await deliveries.list("wh_1", { limit: 2, before: first?.next ?? "" });
      assert.deepEqual([first?.items.length, rest?.items.map(({ at: when }) => when), rest?.next], [2, [at(1)], null]);
      assert.equal(await deliveries.list("wh_1", { limit: 2, before: "no page" }), undefined);
    });

    test("a sentence that is too long is cut, and the body stays JSON", async () => {
      const catalog = await open();
      await catalog.webhooks.add(webhook());
      const data = { webhook: "wh_9", url: "https://hooks.example", says: "é".repeat(50_000) };
      await catalog.webhooks.tell([{ type: "webhook.off", key: "long", at: t0, owner: "alice", data }]);
      const [row] = await told(catalog);
      assert(row);
      assert(Buffer.byteLength(row.body) < 20_000);
      assert.match((bodyOf(row).data as { says: string }).says, /^é+…$/);
    });
  });
}
