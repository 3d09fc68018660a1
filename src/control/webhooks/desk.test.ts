/** Webhooks by the API: who has them, what is sent to them and how often, and what their owners are told of it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Webhook } from "standardwebhooks";
import { Catalog } from "../../catalog/catalog.ts";
import { memorySql } from "../../catalog/memory-sql.ts";
import type { Page } from "../../contract/api.ts";
import type { AuditEntryView } from "../../contract/identity.ts";
import type { AddedWebhook, DeliveryView, NoticeBody, WebhookSecret, WebhookView } from "../../contract/webhooks.ts";
import type { Incident } from "../../evidence/incidents.ts";
import type { SqlRunner } from "../../stdx/sql.ts";
import { createApi } from "../app.ts";
import { ControlWorld } from "../control.suite.ts";
import type { Posted, Posting } from "../../contract/posting.ts";

const hour = 3_600_000;
const url = "https://hooks.example/a?key=of-mine";
const answered = (status: number, retryAfter?: string): Posted => ({
  ...{ answered: true, status, retryAfter, answer: `it is ${status}\u001b[31m` },
});

async function open(sql: SqlRunner = memorySql()) {
  const world = await ControlWorld.open({ sql });
  const now = world.clock.wall();
  for (const name of ["bob", "chief"])
    await world.catalog.accounts.create({ name, tier: "free", role: "user", createdAt: now });
  await world.server.organisations.create({ name: "acme", tier: "pro", admin: "chief", by: "admin" });
  world.server.webhooks.start();
  const app = createApi(world.server);
  const tokens = new Map<string, string>();
  for (const who of ["alice", "bob", "chief", "admin"])
    tokens.set(who, await world.token(who, ["read", "write", "gpu", "admin"]));
  const ask = async <Body>(line: string, body?: unknown, who = "alice", headers = {}): Promise<[number, Body]> => {
    const [method = "", path = ""] = line.split(" ");
    const response = await app.request(path, {
      method,
      headers: { authorization: `Bearer ${tokens.get(who)}`, ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return [response.status, (await response.json()) as Body];
  };
  const add = async (over: object = {}, who = "alice"): Promise<AddedWebhook> => {
    const [status, made] = await ask<AddedWebhook>("POST /api/webhooks", { url, ...over }, who);
    assert.equal(status, 201);
    return made;
  };
  const log = async (id: string, who = "alice"): Promise<readonly DeliveryView[]> =>
    (await ask<Page<DeliveryView>>(`GET /api/webhooks/${id}/deliveries`, undefined, who))[1].items;
  /** What is due is brought; nobody waits for what is due later. */
  const settled = async (): Promise<void> => world.server.webhooks.idle();
  /** Lets time pass, until what is due then is brought. */
  const pass = async (ms: number, id: string): Promise<void> => {
    world.clock.advance(ms);
    world.catalog.notices.onDelivery(id);
    await settled();
  };
  const show = async (id: string) => (await ask<WebhookView>(`GET /api/webhooks/${id}`))[1];
  return { world, ask, add, log, settled, pass, show, sent: world.hooks.sent };
}

const verify = ({ headers, body }: Posting, secret: string): NoticeBody =>
  new Webhook(secret).verify(body, { ...headers }) as NoticeBody;
/** The library looks at the clock of this machine. */
const nowadays = (world: ControlWorld): void => world.clock.advance(Date.now() - world.clock.wall());

describe("webhooks", () => {
  test("what happens is sent as the published library verifies it, and what was changed on the way is refused by it", async () => {
    const { world, ask, add, settled, sent } = await open();
    await using _ = world;
    nowadays(world);
    const { secret, id } = await add({ types: ["space.state"] });
    await world.space();
    assert.equal((await ask("POST /api/spaces/alice/demo/pause", { reason: "a rest" }))[0], 200);
    await settled();
    const [first] = sent;
    assert(first);
    const body = verify(first, secret);
    assert.equal(body.type, "space.state");
    assert.equal((body.data as { space: string }).space, "alice/demo");
    assert.equal(first.url, url);
    assert.equal(first.headers["content-type"], "application/json");
    assert.match(first.headers["webhook-id"] ?? "", /^dl_[0-9a-z]{16}$/);
    assert.throws(() => verify({ ...first, body: first.body.replace("alice", "mallo") }, secret));
    assert.throws(() => verify({ ...first, headers: { ...first.headers, "webhook-id": "dl_other" } }, secret));
    assert.throws(() => verify(first, `whsec_${Buffer.alloc(32).toString("base64")}`));
    assert.match(id, /^wh_/);
  });

  test("a secret is shown once; after another was made both sign for a day, and then that one alone", async () => {
    const { world, ask, add, show, settled, sent } = await open();
    await using _ = world;
    nowadays(world);
    const { id, secret } = await add();
    assert.equal("secret" in (await show(id)), false);
    assert.equal(JSON.stringify(world.catalog.webhooks.all).includes(secret), false);
    const [, rotated] = await ask<WebhookSecret>(`POST /api/webhooks/${id}/secret`);
    assert.notEqual(rotated.secret, secret);
    await ask(`POST /api/webhooks/${id}/test`);
    await settled();
    const both = sent[0] as Posting;
    assert.equal(both.headers["webhook-signature"]?.split(" ").length, 2);
    for (const one of [secret, rotated.secret]) assert.equal(verify(both, one).type, "webhook.test");
    world.clock.advance(24 * hour);
    assert.equal((await show(id)).formerSecretUntil, null);
    await ask(`POST /api/webhooks/${id}/test`);
    await settled();
    assert.equal(sent[1]?.headers["webhook-signature"]?.split(" ").length, 1);
  });

  test("what fails is tried again under its id with another timestamp, until it is delivered; the log has each try", async () => {
    const { world, ask, add, log, settled, pass, show, sent } = await open();
    await using _ = world;
    const { id } = await add();
    world.hooks.answer = async () => answered(503, "60");
    await ask(`POST /api/webhooks/${id}/test`);
    await settled();
    assert.equal((await show(id)).failingSince, "2026-11-22T12:00:00.000Z");
    await pass(59_000, id);
    assert.equal(sent.length, 1);
    world.hooks.answer = async () => answered(200);
    await pass(1_000, id);
    const [delivery] = await log(id);
    assert(delivery);
    assert.deepEqual([delivery.state, delivery.dueAt, delivery.says], ["delivered", null, "it was answered by 200"]);
    assert.deepEqual(
      delivery.attempts.map(({ outcome, status, answer }) => [outcome, status, answer]),
      [
        ["answered", 503, "it is 503�[31m"],
        ["delivered", 200, "it is 200�[31m"],
      ],
    );
    const [first, second] = sent;
    assert.equal(first?.headers["webhook-id"], second?.headers["webhook-id"]);
    assert.equal(first?.body, second?.body);
    assert.notEqual(first?.headers["webhook-timestamp"], second?.headers["webhook-timestamp"]);
    assert.equal((await show(id)).failingSince, null);
  });

  test("after ten tries a delivery is given up and says so, its webhook is off, and its owner's others are told", async () => {
    const { world, ask, add, log, settled, pass, show, sent } = await open();
    await using _ = world;
    const { id } = await add();
    const other = await add({ url: "https://other.example/", types: ["build.ended"] });
    world.hooks.answer = async ({ url: to }) => answered(to === url ? 500 : 204);
    await ask(`POST /api/webhooks/${id}/test`);
    await settled();
    for (let n = 0; n < 12; n += 1) {
      const dueAt = (await log(id))[0]?.dueAt;
      await pass(dueAt ? Date.parse(dueAt) - world.clock.wall() : hour, id);
    }
    assert.equal(sent.filter((one) => one.url === url).length, 10);
    const [delivery] = await log(id);
    assert.deepEqual([delivery?.state, delivery?.says], ["failed", "given up after 10 tries: it was answered by 500"]);
    const view = await show(id);
    assert.equal(view.state, "off");
    assert.match(view.says, /^no try since 2026-11-22T12:00:00.000Z went well; the last: it was answered by 500$/);
    assert.deepEqual(
      (await log(other.id)).map(({ type, state }) => [type, state]),
      [["webhook.off", "delivered"]],
    );
    const [status] = await ask(`POST /api/webhooks/${id}/test`);
    assert.equal(status, 409);
    const [, on] = await ask<WebhookView>(`PATCH /api/webhooks/${id}`, { state: "on" });
    assert.deepEqual([on.state, on.failingSince], ["on", null]);
  });

  test("410 switches a webhook off at once; a delivery is sent again when its owner wants it", async () => {
    const { world, ask, add, log, settled, show, sent } = await open();
    await using _ = world;
    const { id } = await add();
    world.hooks.answer = async () => answered(410);
    await ask(`POST /api/webhooks/${id}/test`);
    await settled();
    assert.equal((await show(id)).state, "off");
    const [delivery] = await log(id);
    const again = `POST /api/webhooks/${id}/deliveries/${delivery?.id}/redeliver`;
    assert.equal((await ask(again))[0], 409);
    await ask(`PATCH /api/webhooks/${id}`, { state: "on" });
    world.hooks.answer = async () => answered(204);
    assert.equal((await ask(again))[0], 202);
    await settled();
    const [, whole] = await ask<DeliveryView>(`GET /api/webhooks/${id}/deliveries/${delivery?.id}`);
    assert.deepEqual([whole.state, whole.attempts.length, whole.body], ["delivered", 2, sent[0]?.body]);
    assert.equal(sent[1]?.headers["webhook-id"], delivery?.id);
  });

  test("one that does not answer keeps no other waiting", async () => {
    const { world, ask, add, log, settled } = await open();
    await using _ = world;
    const slow = await add();
    const quick = await add({ url: "https://quick.example/" });
    const answers = Promise.withResolvers<Posted>();
    const reached = Promise.withResolvers<void>();
    world.hooks.answer = async ({ url: to }) => (to === url ? (reached.resolve(), answers.promise) : answered(204));
    await ask(`POST /api/webhooks/${slow.id}/test`);
    await reached.promise;
    const tested = Promise.withResolvers<void>();
    const heard = world.hooks.answer;
    world.hooks.answer = (posting, signal) => heard(posting, signal).finally(() => tested.resolve());
    await ask(`POST /api/webhooks/${quick.id}/test`);
    await tested.promise;
    answers.resolve(answered(204));
    await settled();
    assert.deepEqual([(await log(quick.id))[0]?.state, (await log(slow.id))[0]?.state], ["delivered", "delivered"]);
  });

  test("what was decided before the process died is sent by the next one, also what was on its way", async () => {
    const sql = memorySql();
    const first = await open(sql);
    const { id } = await first.add();
    first.world.hooks.answer = () => new Promise(() => undefined);
    await first.ask(`POST /api/webhooks/${id}/test`);
    await first.ask(`POST /api/webhooks/${id}/test`);
    // It is not closed: it never heard how its request ended.
    const next = await ControlWorld.open({ catalog: await Catalog.open(sql, first.world.clock) });
    await using _ = next;
    next.server.webhooks.start();
    await next.server.webhooks.idle();
    const sent = next.hooks.sent.map(({ headers }) => headers["webhook-id"]);
    const decided = (await first.log(id)).map((delivery) => delivery.id);
    assert.deepEqual([sent.length, new Set(sent)], [2, new Set(decided)]);
    assert.equal(next.hooks.sent[0]?.headers["webhook-id"], first.sent[0]?.headers["webhook-id"]);
  });

  test("one is the owner's and an organisation's administrators'; the platform's are for operators; all others find none", async () => {
    const { world, ask, add } = await open();
    await using _ = world;
    const { id } = await add();
    const acme = await add({ account: "acme" }, "chief");
    const platform = await add({ platform: true }, "admin");
    assert.deepEqual([acme.owner, platform.owner], ["acme", null]);
    for (const [hook, who, status] of [
      [id, "bob", 404],
      [id, "admin", 200],
      [acme.id, "chief", 200],
      [acme.id, "alice", 404],
      [platform.id, "alice", 404],
      [platform.id, "admin", 200],
    ] as const) {
      assert.equal((await ask(`GET /api/webhooks/${hook}`, undefined, who))[0], status);
      assert.equal((await ask(`GET /api/webhooks/${hook}/deliveries`, undefined, who))[0], status);
    }
    for (const line of [`PATCH /api/webhooks/${id}`, `POST /api/webhooks/${id}/secret`, `DELETE /api/webhooks/${id}`])
      assert.equal((await ask(line, {}, "bob"))[0], 404);
    for (const body of [
      { url, account: "acme" },
      { url, platform: true },
    ])
      assert.equal((await ask("POST /api/webhooks", body, "bob"))[0], 403);
    assert.equal((await ask("GET /api/webhooks?account=acme", undefined, "bob"))[0], 403);
    const list = async (query: string, who: string) =>
      (await ask<Page<WebhookView>>(`GET /api/webhooks${query}`, undefined, who))[1].items.map((one) => one.id);
    assert.deepEqual(await list("", "alice"), [id]);
    assert.deepEqual(await list("?account=acme", "chief"), [acme.id]);
    assert.deepEqual(await list("?platform=true", "admin"), [platform.id]);
  });

  test("an address that is none, private, or not encrypted is refused with what to do, and so are types that it cannot have", async () => {
    const { world, ask, add } = await open();
    await using _ = world;
    const { id } = await add();
    const says = async (body: object, line = "POST /api/webhooks") => {
      const [status, { detail }] = await ask<{ detail: string }>(line, body);
      return `${status} ${detail}`;
    };
    assert.match(await says({ url: "https://10.1.2.3/" }), /^400 The platform does not reach 10.1.2.3 \(private/);
    assert.match(await says({ url: "http://hooks.example/" }), /^400 http carries/);
    assert.match(await says({ url: "https://10.1.2.3/" }, `PATCH /api/webhooks/${id}`), /^400 The platform does not/);
    assert.match(await says({ url, types: ["webhook.off"] }), /^400 webhook.off is told to every webhook/);
    assert.match(await says({ url, types: ["incident.opened"] }), /^400 incident.opened is for the platform's/);
    assert.match(await says({ url, types: ["space.moved"] }), /^400 types.0: /);
    assert.match(
      await says({ url, account: "alice", platform: true }),
      /^400 A webhook is an account's or the platform's/,
    );
    for (let n = 1; n < 10; n += 1) await add();
    assert.equal(await says({ url }), "409 alice has 10 webhooks: remove one first.");
  });

  test("each change is in the audit log, without the address and the secret; a request that is sent again makes no second one", async () => {
    const { world, ask, settled } = await open();
    await using _ = world;
    const key = { "idempotency-key": '"once"' };
    const [, made] = await ask<AddedWebhook>("POST /api/webhooks", { url }, "alice", key);
    const [, same] = await ask<AddedWebhook>("POST /api/webhooks", { url }, "alice", key);
    assert.deepEqual([same.id, same.secret], [made.id, made.secret]);
    const at = `/api/webhooks/${made.id}`;
    await ask(`PATCH ${at}`, { types: ["build.ended"] });
    await ask(`POST ${at}/test`);
    await settled();
    await ask(`POST ${at}/secret`);
    await ask(`DELETE ${at}`);
    const [, { items }] = await ask<Page<AuditEntryView>>("GET /api/audit?action=webhook");
    assert.deepEqual(
      items.map(({ action, target, owner }) => [action, target, owner]),
      ["remove", "rotate", "test", "set", "add"].map((what) => [`webhook.${what}`, `webhook/${made.id}`, "alice"]),
    );
    const set = items.find(({ action }) => action === "webhook.set");
    assert.deepEqual([set?.before, set?.after], [{ types: [] }, { types: ["build.ended"] }]);
    assert.doesNotMatch(JSON.stringify(items), /of-mine|whsec_/);
    assert.equal((await ask(`GET ${at}`))[0], 404);
  });

  test("incidents are told to the platform's webhooks when they open and when they are over, each once", async () => {
    const { world, add, log, settled } = await open();
    await using _ = world;
    const { id } = await add({ platform: true }, "admin");
    world.clock.advance(1_000);
    const since = world.clock.wall();
    const incident: Incident = {
      ...{ id: "i_1", subject: "node/n1", boundary: "runtime", wrong: "node-lost", planned: false, says: "n1 is away" },
      ...{ since, until: null, closedBy: null, counts: null, behind: ["n1"], notes: [] },
    };
    world.clock.advance(1_000);
    const { webhooks } = world.server;
    await webhooks.incidents([incident]);
    await webhooks.incidents([{ ...incident, notes: [{ at: since, by: "admin", says: "seen" }] }]);
    const over = { ...incident, until: since + 5, closedBy: "detection" };
    await webhooks.incidents([over]);
    // A start looks at them again, and at those from before anybody wanted to hear of them.
    await webhooks.recoverIncidents(async () => [
      over,
      { ...over, id: "i_0", since: since - hour, until: since - hour },
    ]);
    await settled();
    assert.deepEqual(
      (await log(id, "admin")).map(({ type, state }) => [type, state]),
      [
        ["incident.closed", "delivered"],
        ["incident.opened", "delivered"],
      ],
    );
  });
});
