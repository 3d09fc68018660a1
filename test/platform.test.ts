/** `waybill up` as a person meets it: what keeps it from starting, what it refuses, and what a deployment does. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, truncateSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, test } from "node:test";
import { ApiError } from "../src/client/errors.ts";
import type { Problem } from "../src/contract/problem.ts";
import type { StatusView } from "../src/contract/status.ts";
import { exit } from "../src/cli/exit.ts";
import { traceIdOf } from "../src/evidence/traces.ts";
import { verifyReceipt } from "../src/receipts/document.ts";
import type { RememberedLog } from "../src/receipts/log-proof.ts";
import { borrowed, endedCall } from "./support/calls.ts";
import { Collector } from "./support/collector.ts";
import { freePort } from "./support/free-port.ts";
import { Platform, lives, until, upRefused, visit, type Account, type App } from "./support/platform.ts";
import { changeRecord } from "./support/stored-records.ts";

const problemIn = (out: string): Problem => JSON.parse(out) as Problem;

describe("waybill up that cannot start", () => {
  let up: Platform;
  before(async () => {
    up = await Platform.start();
  });
  after(() => up[Symbol.asyncDispose]());

  test("a port in use is named, with what to do", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await until("somebody listens", () => other.listening);
    const { port } = other.address() as AddressInfo;
    const { code, out } = await upRefused(join(up.folder, "other"), port);
    other.close();
    assert.equal(code, exit.failed);
    assert.equal(problemIn(out).code, "port-in-use");
    assert.match(problemIn(out).detail, new RegExp(`Port ${port} on 127\\.0\\.0\\.1 is in use`));
    assert.match(problemIn(out).next, /--port/);
  });

  test("the data folder of another running Waybill is left alone", async () => {
    const { code, out } = await upRefused(up.data, 0);
    assert.equal(code, exit.failed);
    assert.equal(problemIn(out).code, "data-folder-busy");
    assert.match(problemIn(out).detail, /another process already works on the data folder/);
    assert.equal((await up.admin.status()).spaces, 0, "the first one still answers");
  });

  test("plain processes find no door through which they could name themselves any Space", () => {
    assert.equal(existsSync(join(up.data, "inside.sock")), false);
  });

  test("a wrong configuration is refused with all its problems at once", async () => {
    const { code, out } = await upRefused(
      join(up.folder, "wrong"),
      0,
      {
        WAYBILL_METRICS: "9464",
        WAYBILL_OTLP: "collector:4318",
        WAYBILL_BUILD_SECONDS: "soon",
        WAYBILL_START_SECONDS: "0",
        WAYBILL_APPS_DOMAIN: "no domain",
      },
      ["--host", "0.0.0.0"],
    );
    assert.equal(code, exit.usage);
    for (const name of [
      "WAYBILL_METRICS",
      "--otlp",
      "WAYBILL_BUILD_SECONDS",
      "WAYBILL_START_SECONDS",
      "WAYBILL_APPS_DOMAIN",
      "--host",
    ])
      assert.match(problemIn(out).detail, new RegExp(name));
  });
});

describe("a journal that is damaged", () => {
  const damages: readonly [what: string, damage: (data: string) => void, says: RegExp][] = [
    ["a record that was changed", (data) => changeRecord(data, 2, () => Buffer.from([0])), /record 2 in .*journal\.db/],
    ["a record that is missing", (data) => changeRecord(data, 2, () => undefined), /record 2 .*missing/],
    ["a file cut short", (data) => cutShort(data), /journal\.db/],
  ];
  for (const [what, damage, says] of damages) {
    test(`${what} stops the start, is named, and nothing is overwritten`, async () => {
      await using up = await Platform.start();
      for (const queueLimitMs of [2_000, 3_000, 4_000]) await up.admin.changePool("main", { queueLimitMs });
      // A start that ended well leaves a snapshot, and only what came after it is read again: so this one is killed. What the
      // mark does not name yet was promised to nobody, and may be cut.
      const { journalIndex } = await up.admin.status();
      await until("the mark names all of it", () => marked(up.data) >= journalIndex);
      await up.kill();
      damage(up.data);
      const before = hash(up.data);
      const { code, out } = await upRefused(up.data, 0);
      assert.equal(code, exit.failed, out);
      assert.equal(problemIn(out).code, "journal-damaged");
      assert.match(problemIn(out).detail, says);
      assert.match(problemIn(out).detail, /Nothing was overwritten/);
      assert.equal(hash(up.data), before);
    });
  }

  const tamper = (data: string, sql: string): void => {
    const db = new DatabaseSync(join(data, "journal.db"));
    assert.equal(db.prepare(sql).run().changes, 1);
    db.close();
  };
  const marked = (data: string): number =>
    Math.max(
      0,
      ...[...readFileSync(join(data, "journal.mark"), "latin1").matchAll(/"index":(\d+)/g)].map(([, index]) =>
        Number(index),
      ),
    );
  const cutShort = (data: string): void => {
    tamper(data, "UPDATE meta SET value = value WHERE key = 'format'"); // Whoever closes it last takes the log into the file.
    truncateSync(join(data, "journal.db"), 4096 * 2);
  };
  const hash = (data: string): string =>
    createHash("sha256")
      .update(readFileSync(join(data, "journal.db")))
      .digest("hex");
});

describe("a platform that runs", () => {
  let up: Platform;
  let alice: Account;
  let bob: Account;
  let app: App;
  let metricsPort: number;
  let collector: Collector;
  before(async () => {
    metricsPort = await freePort();
    collector = await Collector.open();
    up = await Platform.start({ env: { WAYBILL_METRICS: `127.0.0.1:${metricsPort}`, WAYBILL_OTLP: collector.url } });
    alice = await up.account("alice");
    bob = await up.account("bob");
    app = await up.deploy(alice, "app");
  });
  after(async () => {
    await up[Symbol.asyncDispose]();
    await collector[Symbol.asyncDispose]();
  });

  test("a collector of traces has a work under the trace that is its id, with its hops, and the call linked to its request", async () => {
    const { call, work } = await visit(`${app.url}/gpu/hold?seconds=0.1`, alice);
    const [request, called] = [traceIdOf(work), traceIdOf(call)];
    const root = await until("the call is told", () => collector.root(called));
    await until("its request is told", () => collector.root(request));
    assert.equal(root.name, "call");
    const hops = collector.spans.filter((span) => span.traceId === called && span.parentSpanId === root.spanId);
    assert.ok(
      hops.some(({ name }) => name === "app.run done"),
      JSON.stringify(hops),
    );
    assert.ok(hops.some(({ links = [] }) => links.some(({ traceId }) => traceId === request)));
    assert.ok(collector.spans.some(({ traceId }) => traceId === traceIdOf(app.deployed.build?.id ?? "")));
  });

  test("another account may not see or change what is alice's", async () => {
    const { call, work } = await visit(`${app.url}/gpu/hold?seconds=0.1`, alice);
    await endedCall(alice.client, call);
    const build = app.deployed.build?.id ?? "";
    const { chain = [] } = await alice.client.explain(call);
    assert.deepEqual(
      chain.map(({ kind, by }) => (by === undefined ? kind : `${kind} by ${by}`)),
      ["request", "call", "replica", "build", "commit", "request by alice"],
    );
    assert.deepEqual([chain[0]?.id, chain[1]?.id, chain[3]?.id], [work, call, build]);
    const refused: readonly [what: string, ask: () => Promise<unknown>][] = [
      ["commit", () => bob.client.commit(app.space, Buffer.from("{}\n"))],
      ["requests", () => bob.client.requests(app.space)],
      ["logs", () => bob.client.logs(app.space)[Symbol.asyncIterator]().next()],
      ["build", () => bob.client.build(build)],
      ["build log", () => bob.client.buildLog(build)[Symbol.asyncIterator]().next()],
      ["calls", () => bob.client.calls({ account: "alice" })],
      ["call", () => bob.client.call(call)],
      ["receipt", () => bob.client.receipt(call)],
      ["receipts", () => bob.client.receipts.list({ account: "alice" })],
      ["statement", () => bob.client.receipts.statement("2026-11", { account: "alice" })],
      ["quota", () => bob.client.quota({ account: "alice" })],
      ["explain a call", () => bob.client.explain(call)],
      ["explain a request", () => bob.client.explain(work)],
      ["explain a build", () => bob.client.explain(build)],
      ["change a pool", () => bob.client.changePool("main", { queueLimitMs: 1_000 })],
      ["make a token", () => bob.client.createToken({ account: "alice" })],
    ];
    for (const [what, ask] of refused) await assert.rejects(ask, problem(403, "forbidden"), what);
  });

  test("a span of time has the call that was refused in it, for its Space's owner and for who made it, and for nobody else", async () => {
    const from = new Date(Date.now() - 60_000).toISOString();
    const { call } = await visit(`${app.url}/gpu/hold?seconds=1&declare=7200`, alice);
    const span = await until("its story has come in", async () => {
      const told = await alice.client.explainSpan({ from, space: app.space });
      return told.groups.some(({ failures }) => failures.some(({ examples }) => examples.includes(call))) && told;
    });
    const failure = span.groups.flatMap(({ failures }) => failures).find(({ examples }) => examples.includes(call));
    assert.deepEqual([failure?.code, failure?.certainty], ["gpu/duration-not-allowed", { proved: failure?.count }]);
    assert.ok(
      span.changes.some(
        ({ subject, items }) => subject === app.space && items.some(({ id }) => id?.startsWith("rel_")),
      ),
    );
    assert.equal((await bob.client.explainSpan({ from })).count, 0);
    await assert.rejects(bob.client.explainSpan({ from, space: app.space }), problem(403, "forbidden"));
    const all = await up.admin.explainSpan({ from });
    assert.ok(
      all.emitters.some(({ emitter }) => emitter.startsWith("agent-")),
      JSON.stringify(all.emitters),
    );
    assert.ok(all.changes.some(({ subject }) => subject === "the server"));
  });

  test("without a token the API asks for one", async () => {
    for (const path of ["/api/calls", "/api/quota", `/api/spaces/${app.space}/requests`, "/api/whoami-v2"]) {
      const response = await fetch(up.url + path);
      const body = (await response.json()) as Problem;
      assert.deepEqual([response.status, body.boundary, body.code], [401, "identity", "missing"], path);
      assert.match(response.headers.get("www-authenticate") ?? "", /^Bearer/);
    }
  });

  test("ids that nothing has are not found", async () => {
    const asks: readonly (() => Promise<unknown>)[] = [
      () => alice.client.build("b_nothing"),
      () => alice.client.call("c_nothing"),
      () => alice.client.receipt("r_nothing"),
      () => alice.client.explain("q_nothing"),
      () => alice.client.explain("nonsense"),
      () => alice.client.explain("nobody/nothing"),
      () => alice.client.space("nobody/nothing"),
      () => alice.client.pool("nothing"),
      () => up.admin.requests("nobody/nothing"),
      () => up.admin.quota({ account: "nobody" }),
    ];
    for (const ask of asks) await assert.rejects(ask, problem(404, "not-found"), String(ask));
  });

  test("a wrong body is told all its problems at once", async () => {
    const response = await fetch(`${up.url}/api/tokens`, {
      method: "POST",
      headers: { authorization: `Bearer ${await adminToken()}`, "content-type": "application/json" },
      body: JSON.stringify({ account: "", tier: "gold", scopes: ["everything"], colour: "red" }),
    });
    const body = (await response.json()) as Problem & { errors: { where: string }[] };
    assert.equal(response.status, 400);
    assert.deepEqual(body.errors.map(({ where }) => where).sort(), ["account", "body", "scopes.0", "tier"]);
  });

  test("a commit that cannot be is told all its problems at once", async () => {
    const lines = [
      { key: "header", value: {} },
      { key: "file", value: { path: "../out" } },
      { key: "what", value: 1 },
    ].map((line) => JSON.stringify(line));
    await assert.rejects(
      alice.client.commit(app.space, Buffer.from(`${lines.join("\n")}\nnot json\n`)),
      (error: unknown) => {
        const { status, errors } = (error as ApiError).problem as Problem & { errors: { where: string }[] };
        assert.equal(status, 400);
        assert.ok(errors.length >= 3, JSON.stringify(errors));
        return true;
      },
    );
  });

  test("wrong front matter ends the build with each problem and its line in the log", async () => {
    const wrong = await up.deploy(alice, "wrong", {
      "README.md": "---\nsdk: nodee\napp_port: seven\npinned: perhaps\n---\n",
    });
    assert.equal(wrong.deployed.build?.code, "build/config-invalid");
    const texts: string[] = [];
    for await (const { text } of alice.client.buildLog(wrong.deployed.build?.id ?? "")) texts.push(text);
    for (const key of ["sdk", "app_port", "pinned"])
      assert.ok(
        texts.some((text) => text.includes(`${key} is`)),
        `${key} in ${texts.join("\n")}`,
      );
  });

  test("the same content makes no build", async () => {
    const before = await up.replica(app.space);
    const again = await up.deploy(alice, "app");
    assert.equal(again.deployed.build, null);
    assert.equal(again.deployed.ok, true);
    assert.equal((await up.replica(app.space)).id, before.id);
  });

  test("a second release takes over and no request is refused", async () => {
    const old = await up.replica(app.space);
    const statuses = new Map<number, number>();
    const seen = new Set<string>();
    let over = false;
    const visitor = async (path: string): Promise<void> => {
      while (!over) {
        const answer = await visit(`${app.url}${path}`, bob);
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
        if (path === "/pid") seen.add((JSON.parse(answer.text) as { replica: string }).replica);
      }
    };
    const visitors = [visitor("/pid"), visitor("/pid"), visitor("/slow?ms=400"), visitor("/slow?ms=400")];
    const { deployed } = await up.deploy(alice, "app", { "version.txt": "2" });
    assert.equal(deployed.ok, true, deployed.says);
    await until("the old replica has ended", () => !lives(old.app) && !lives(old.shim));
    over = true;
    await Promise.all(visitors);
    assert.deepEqual([...statuses.keys()], [200], JSON.stringify([...statuses]));
    assert.ok(seen.has(old.id) && seen.has((await up.replica(app.space)).id), [...seen].join());
  });

  test("an app that does not start leaves the release before it running", async () => {
    const before = await up.replica(app.space);
    const { deployed } = await up.deploy(alice, "app", { "server.js": "process.exit(3);\n" });
    assert.equal(deployed.ok, false);
    assert.equal(deployed.build?.code, "app/exit");
    assert.equal((await visit(`${app.url}/`, alice)).status, 200);
    assert.equal((await up.replica(app.space)).id, before.id);
    assert.equal((await up.admin.space(app.space)).state, "running");
  });

  test("metrics are told to operators, and to whoever reaches the address that was named for them", async () => {
    const ask = (token: string | null) =>
      fetch(`${up.url}/metrics`, { headers: token === null ? {} : { authorization: `Bearer ${token}` } });
    assert.deepEqual([(await ask(null)).status, (await ask(bob.token)).status], [401, 403]);
    const told = await (await ask(await adminToken())).text();
    assert.match(told, /^waybill_works_total\{kind="call",code="ok",boundary="",owner=""\} [1-9]\d*$/m);
    assert.match(told, /^waybill_pool_slots\{pool="main"\} [1-9]\d*$/m);
    assert.match(told, /^waybill_journal_groups_total [1-9]\d*$/m);
    const open = await fetch(`http://127.0.0.1:${metricsPort}/metrics`);
    assert.equal(open.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    const types = (text: string) => text.split("\n").filter((line) => line.startsWith("# TYPE"));
    assert.deepEqual(types(await open.text()), types(told));
    assert.equal((await fetch(`http://127.0.0.1:${metricsPort}/api/status`)).status, 404);
  });

  test("what an operator takes out of use is a planned incident, told to all, explained, and closed when it is given back", async () => {
    await up.admin.drain({ pool: "main" }, { reason: "a new driver" });
    const incident = await until("it is told", async () => (await up.admin.incidents.list()).items[0]);
    assert.deepEqual([incident.planned, incident.subject], [true, "drain/pool/main"]);
    const told = await up.admin.incidents.note(incident.id, { says: "back by noon" });
    assert.deepEqual(
      told.notes.map(({ by, says }) => [by, says]),
      [["admin", "back by noon"]],
    );
    await assert.rejects(bob.client.incidents.note(incident.id, { says: "mine" }), problem(403, "forbidden"));
    const { kind, sentence } = await up.admin.explain(incident.id);
    assert.equal(kind, "incident");
    assert.match(sentence, /pool main draining, planned, by admin: a new driver\. It goes on\. .*back by noon/);
    await assert.rejects(bob.client.explain(incident.id), problem(403, "forbidden"));
    const stranger = (await (await fetch(`${up.url}/api/incidents/${incident.id}`)).text()) || "";
    assert.match(stranger, /something was taken out of use.*back by noon/);
    assert.doesNotMatch(stranger, /main|admin|driver/);
    const audit = await up.admin.audit({ action: "incident" });
    assert.deepEqual(
      audit.items.map(({ action, target }) => [action, target]),
      [["incident.note", `incident/${incident.id}`]],
    );
    await up.admin.undrain({ pool: "main" });
    const over = await until("it is over", async () => {
      const one = await up.admin.incidents.show(incident.id);
      return one.until !== null && one;
    });
    assert.equal(over.closedBy, "detection");
    await assert.rejects(up.admin.incidents.close(incident.id, { says: "again" }), problem(409, "conflict"));
  });

  test("an owner's budget pays for a visitor, and credits for what the window cannot: the receipts say so", async () => {
    await alice.client.changeBudget(app.space, { limitMs: 60_000, whenOut: "visitor" });
    const { id } = await borrowed(bob, app);
    const { receipt } = await alice.client.receipt(id);
    assert.deepEqual([receipt.account, receipt.paidBy, receipt.creditsMs], ["bob", "alice", undefined]);
    assert.equal((await alice.client.budget(app.space)).usedMs, receipt.chargedMs);
    assert.equal((await bob.client.quota()).usedMs, 0);
    await alice.client.changeBudget(app.space, { limitMs: null });
    const free = (await up.admin.tiers()).tiers.find(({ name }) => name === "free");
    await up.admin.changeTier("free", { windowLimitMs: 0 });
    await up.admin.allow({ account: "bob", kind: "credits", ms: 60_000, reason: "won the contest" });
    const other = await borrowed(bob, app);
    await up.admin.changeTier("free", { windowLimitMs: free?.windowLimitMs ?? null });
    const { receipt: own } = await bob.client.receipt(other.id);
    assert.ok(own.chargedMs > 0);
    assert.deepEqual([own.paidBy, own.creditsMs], [undefined, own.chargedMs]);
    assert.equal((await bob.client.quota()).creditsMs, 60_000 - own.chargedMs);
  });

  test("the status counts each work once at its boundary, with whose it was when it failed, and tells strangers no names", async () => {
    const token = { authorization: `Bearer ${bob.token}` };
    const ofBoundary = async (name: string) => {
      const { boundaries = [], evidence = [] } = await up.admin.status();
      const found = boundaries.find(({ boundary }) => boundary === name);
      assert.ok(found);
      return { ...found, sources: evidence.map((source) => source.name) };
    };
    const counted = async () => {
      const headers = { authorization: `Bearer ${await adminToken()}` };
      const told = await (await fetch(`${up.url}/metrics`, { headers })).text();
      return [...told.matchAll(/^waybill_works_total\{kind="call",.*\} (\d+)$/gm)].reduce(
        (sum, [, works]) => sum + Number(works),
        0,
      );
    };
    // The status says the same for two seconds, metrics count anew.
    const before = await until("the status tells what is counted", async () => {
      const { day } = await ofBoundary("gpu");
      return day.works === (await counted()) && day;
    });
    await borrowed(bob, app);
    assert.equal((await fetch(`${app.url}/gpu/no-such`, { headers: token })).status, 404);
    const after = await until("the call is counted", async () => {
      const gpu = await ofBoundary("gpu");
      return gpu.day.works > before.works && gpu;
    });
    assert.equal(after.day.works, before.works + 1);
    assert.ok((after.day.waits?.count ?? 0) > 0, "how long it waited is counted too");
    // The build whose app ended before it listened: the app's, and a replica's end as well.
    const ended = await until("the app's end is counted", async () => {
      const one = await ofBoundary("app");
      return (one.day.codes["app/exit"] ?? 0) > 0 && one;
    });
    assert.equal(ended.day.failedBy["platform"], 0);
    assert.equal(ended.state, "ok");
    assert.deepEqual(ended.sources, ["edge", "server", "journal", "n1"]);
    const stranger = (await (await fetch(`${up.url}/api/status`)).json()) as StatusView;
    assert.equal(stranger.boundaries?.length, 9);
    assert.deepEqual([stranger.isolation, stranger.evidence, stranger.edge], [null, undefined, null]);
    assert.doesNotMatch(JSON.stringify(stranger.boundaries), /"n1"|alice|bob/);
  });

  test("L37: a receipt's place in the log is proved to whoever has the file, tools for logs read it, and a new key goes on with it", async () => {
    const { id } = await borrowed(bob, app);
    const early = await bob.client.receipt(id);
    const seen = {
      ...(await verifyReceipt(early, { keys: (await bob.client.receipts.keys()).keys })).learned,
      at: "before",
    };
    const { origin, keys: before } = await bob.client.receipts.keys();
    assert.equal(seen.origin, origin);
    await assert.rejects(bob.client.receipts.rotateKey(), problem(403, "forbidden"));
    const { keys } = await up.admin.receipts.rotateKey();
    assert.deepEqual([keys.length, keys[0]?.x, keys[1]?.until], [2, before[0]?.x, null]);
    const { id: next } = await borrowed(bob, app);
    const late = await bob.client.receipt(next, { since: seen.size ?? 0 });
    const trusted = { keys, remembered: () => seen as RememberedLog };
    const { ok, checks } = await verifyReceipt(late, trusted);
    assert.ok(ok, JSON.stringify(checks));
    assert.ok((await verifyReceipt(early, { keys })).ok, "what the key before has signed");
    const extension = async (_origin: string, from: number, to: number) =>
      (await bob.client.receipts.consistency(from, to)).proof;
    assert.ok((await verifyReceipt(late, { ...trusted, extension })).ok);

    const checkpoint = await fetch(`${up.url}/checkpoint`);
    assert.equal(checkpoint.headers.get("content-type"), "text/plain; charset=utf-8");
    const [name, size] = (await checkpoint.text()).split("\n");
    assert.equal(name, origin);
    const tile = await fetch(`${up.url}/tile/0/000.p/${size}`);
    assert.equal((await tile.bytes()).length, 32 * Number(size));
    assert.match(tile.headers.get("cache-control") ?? "", /immutable/);
    for (const path of ["/tile/0/000", "/tile/0/x000/000", "/tile/0/000.p/0", "/tile/entries/000"])
      assert.equal((await fetch(up.url + path)).status, 404, path);
    await assert.rejects(bob.client.receipts.consistency(3, 2), problem(400, "invalid"));

    const month = late.receipt.endedAt.slice(0, 7);
    const statement = await bob.client.receipts.statement(month);
    const all = await Array.fromAsync(bob.client.receipts.all({ month, below: statement.below, limit: 1 }));
    assert.equal(all.length, statement.calls);
    assert.equal(
      statement.chargedMs,
      all.reduce((sum, { chargedMs }) => sum + chargedMs, 0),
    );
    assert.ok(all.some(({ id: one }) => one === late.receipt.id));
    await assert.rejects(bob.client.receipts.statement("2026-13"), problem(400, "invalid"));
    await assert.rejects(up.admin.receipts.list({ account: "nobody" }), problem(404, "not-found"));
  });

  const adminToken = async (): Promise<string> => (await up.admin.createToken({ account: "admin" })).token;
});

function problem(status: number, code: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ApiError, String(error));
    assert.deepEqual([error.problem.status, error.problem.code], [status, code]);
    return true;
  };
}
