/** The log of a Space's requests: what the store keeps of them, for how long, and how it is read and followed; then on a real platform. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import type { Readable } from "node:stream";
import { after, afterEach, before, describe, test } from "node:test";

import { runCli } from "../src/cli/program.ts";
import { ApiError } from "../src/client/errors.ts";
import type { RequestFilter, RequestLine, RequestView } from "../src/contract/requests.ts";
import { openEvidenceStore } from "../src/record/store.ts";
import type { EvidenceStore, EvidenceStoreOptions } from "../src/record/store.ts";
import { prng } from "../src/stdx/prng.ts";
import { instant } from "../src/stdx/time.ts";
import { cliWorld } from "./support/cli-world.ts";
import { Platform, until, visit } from "./support/platform.ts";
import type { Account, App } from "./support/platform.ts";

const busy = "alice/busy";
const quiet = "bob/quiet";
const start = Date.parse("2026-11-22T12:00:00.000Z");
const day = 24 * 3600 * 1000;

interface Sent {
  readonly space?: string;
  readonly at?: number;
  readonly status?: number;
  readonly path?: string;
  /** It failed at the platform, with this code. */
  readonly code?: string;
}

class Log implements AsyncDisposable {
  now = start;
  readonly path: string;
  readonly #folder = mkdtempSync(join(tmpdir(), "waybill-requests-"));
  #store: EvidenceStore | undefined;
  #seq = 0;

  constructor() {
    this.path = join(this.#folder, "evidence.db");
  }

  get store(): EvidenceStore {
    assert.ok(this.#store);
    return this.#store;
  }

  async open(retention: EvidenceStoreOptions["retention"] = {}): Promise<this> {
    await this.#store?.close();
    const seeded = prng(7);
    const clock = { wall: () => instant(this.now), monotonic: () => this.now };
    this.#store = await openEvidenceStore({
      path: this.path,
      clock,
      random: (count) => seeded.bytes(count),
      retention,
    });
    return this;
  }

  /** What an edge would have sent of these requests. */
  async take(sent: readonly Sent[]): Promise<void> {
    for (let at = 0; at < sent.length; at += 1_000)
      await this.store.ingest({
        emitter: "edge",
        epoch: 1,
        records: sent.slice(at, at + 1_000).flatMap((one) => this.#records(one)),
      });
  }

  async list(space: string, filter: RequestFilter = {}): Promise<RequestView[]> {
    const items: RequestView[] = [];
    let place: { at: string; id: string } | null = null;
    do {
      const before: { before?: string; beforeId?: string } =
        place === null ? {} : { before: place.at, beforeId: place.id };
      const found = await this.store.listRequests({ space, filter, limit: 100, ...before });
      items.push(...found.items);
      place = found.next;
    } while (place !== null);
    return items;
  }

  /** One by one, counted, forgotten. */
  async sums(space: string): Promise<[number, number, number]> {
    const { older } = await this.store.listRequests({ space, limit: 1 });
    return [(await this.list(space)).length, older.counted, older.forgotten];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store?.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #records({
    space = busy,
    at = this.now,
    status = 200,
    path = "/",
    code,
  }: Sent): { kind: "packed" | "entry"; body: object }[] {
    const work = `q_${String(this.#seq + 1).padStart(8, "0")}`;
    const one = (facts: object): object => ({
      ...{ emitter: "edge", epoch: 1, work, at: new Date(at).toISOString() },
      seq: (this.#seq += 1),
      facts,
    });
    const accept = { method: "GET", path, space };
    if (code !== undefined)
      return [
        { kind: "entry", body: { hop: "edge.accept", mark: "took", ...one(accept), id: `edge/1/${this.#seq}` } },
        {
          kind: "entry",
          body: {
            hop: "edge.deliver",
            mark: "failed",
            ...one({ code, status, answeredBy: "edge", ms: 0 }),
            id: `edge/1/${this.#seq}`,
          },
        },
      ];
    const facts = { ...accept, status, answeredBy: "app", account: "carol", received: 10, bytes: 100 };
    const stages = [
      ["edge.accept", 0],
      ["edge.deliver", 7],
    ];
    return [{ kind: "packed", body: { kind: "request", stages, ...one(facts) } }];
  }
}

const times = (count: number, one: (n: number) => Sent): Sent[] => Array.from({ length: count }, (_, n) => one(n));

describe("what is kept of requests", () => {
  let log: Log;
  before(() => (log = new Log()));
  afterEach(async () => {
    await log[Symbol.asyncDispose]();
    log = new Log();
  });

  test("a Space over the bound loses its own oldest successes, each into the count of its minute and route; a quiet one loses nothing", async () => {
    await log.open({ packedMaxRows: 3_000 });
    await log.take(times(20, (n) => ({ space: quiet, at: start + n })));
    await log.take(times(9_000, (n) => ({ at: start + 1_000 + n * 20, path: n % 2 === 0 ? `/items/${n}` : "/" })));
    await log.store.retain();
    assert.deepEqual(await log.sums(quiet), [20, 0, 0]);
    assert.deepEqual(await log.sums(busy), [2_980, 6_020, 0]);
    const counts = await log.store.listCounts({ space: busy, before: Number.MAX_SAFE_INTEGER, skip: 0, limit: 100 });
    assert.deepEqual([...new Set(counts.map(({ route }) => route))].sort(), ["/", "/items/*"]);
    const sum = (of: "count" | "bytesIn" | "bytesOut" | "ms"): number => counts.reduce((all, row) => all + row[of], 0);
    assert.deepEqual([sum("count"), sum("bytesIn"), sum("bytesOut"), sum("ms")], [6_020, 60_200, 602_000, 42_140]);
    assert.ok(
      (await log.list(busy)).every(({ at }) => Date.parse(at) >= start + 1_000 + 6_020 * 20),
      "the newest stay",
    );
  });

  test("failures outlive successes, the app's and the platform's, and are bounded apart; the sums stay equal", async () => {
    await log.open({ packedMaxRows: 100, failedMaxRows: 40 });
    await log.take([
      ...times(30, (n) => ({ at: start + n, status: 500 })),
      ...times(30, (n) => ({ at: start + 100 + n, status: 502, code: "route/reset-midway" })),
      ...times(500, (n) => ({ at: start + 1_000 + n })),
    ]);
    await log.store.retain();
    const kept = await log.list(busy);
    assert.equal(kept.filter(({ status }) => status === 200).length, 100);
    assert.equal(kept.filter(({ status }) => status >= 500).length, 40);
    assert.deepEqual(await log.sums(busy), [140, 420, 0]);
    log.now += 8 * day;
    await log.store.retain();
    assert.equal((await log.list(busy)).length, 40, "after a week the successes are counts");
    log.now += 23 * day;
    await log.store.retain();
    assert.deepEqual(await log.sums(busy), [0, 0, 560], "after a month the sum is left");
  });

  test("no path that is different each time makes more than a bounded number of counts a minute", async () => {
    await log.open({ packedMaxRows: 0 });
    await log.take(
      times(5_000, (n) => ({ path: `/page-${"abcdefghij"[n % 10]}${"abcdefghij"[Math.trunc(n / 10) % 10]}${n}x` })),
    );
    await log.store.retain();
    const counts = await log.store.listCounts({ space: busy, before: Number.MAX_SAFE_INTEGER, skip: 0, limit: 5_000 });
    assert.ok(counts.length <= 101, String(counts.length));
    assert.equal(
      counts.reduce((all, { count }) => all + count, 0),
      5_000,
    );
    assert.ok(counts.some(({ route }) => route === "…"));
  });

  test("counts over their bound go into the sum that stays", async () => {
    await log.open({ packedMaxRows: 0, countsMaxRows: 10 });
    await log.take(times(60, (n) => ({ at: start + n * 60_000 })));
    await log.store.retain();
    assert.deepEqual(await log.sums(busy), [0, 10, 50]);
  });

  test("a store that an older version wrote is taken over, with its requests", async () => {
    const db = new DatabaseSync(log.path);
    db.exec(schema1);
    const body = {
      kind: "request",
      work: "q_old",
      emitter: "edge",
      epoch: 1,
      seq: 1,
      at: new Date(start).toISOString(),
    };
    const put = db.prepare("INSERT INTO packed VALUES ('edge', 1, ?, ?, 'request', ?, ?, ?)");
    for (const [seq, status] of [
      [1, 200],
      [2, 500],
    ] as const)
      put.run(
        seq,
        `q_old${seq}`,
        busy,
        start + seq,
        JSON.stringify({ ...body, work: `q_old${seq}`, stages: [], facts: { status, space: busy } }),
      );
    db.exec(
      `INSERT INTO told_requests VALUES ('q_told', '${busy}', ${start + 3}, ${start + 4}, 'GET', '/', 502, 'edge', 'failed', 'route/reset-midway', 'carol')`,
    );
    db.exec("UPDATE meta SET value = 9 WHERE name = 'index'");
    db.close();
    await log.open({ packedMaxRows: 0 });
    assert.deepEqual(
      (await log.list(busy)).map(({ id }) => id),
      ["q_told", "q_old2", "q_old1"],
    );
    assert.equal(log.store.index(), 9);
    await log.store.retain();
    assert.deepEqual(await log.sums(busy), [2, 1, 0], "its successes are over the bound, its failures are not");
    await log.open({});
    assert.deepEqual(await log.sums(busy), [2, 1, 0], "and it is as it was after the next start");
  });
});

describe("how the log is read", () => {
  let log: Log;
  before(async () => {
    log = await new Log().open();
    await log.take([
      ...times(60_000, (n) => ({ at: start + n })),
      { at: start + 100, path: "/admin/users", status: 404 },
      { at: start + 200, path: "/admin", status: 500 },
      { at: start + 300, path: "/x", status: 503, code: "route/not-running" },
    ]);
  });
  after(() => log[Symbol.asyncDispose]());

  const cases: readonly [what: string, filter: RequestFilter, count: number][] = [
    ["all", {}, 60_003],
    ["a class of statuses", { status: 5 }, 2],
    ["failures", { failed: true }, 2],
    ["who answered", { who: "edge" }, 1],
    ["a prefix of the path", { path: "/admin" }, 2],
    ["a text", { grep: "NOT-RUNNING" }, 1],
    ["an account and a method", { account: "carol", method: "GET", path: "/admin" }, 2],
    ["another method", { method: "POST" }, 0],
    ["from a time on", { since: new Date(start + 59_990).toISOString() }, 10],
    ["before a time", { until: new Date(start + 10).toISOString() }, 10],
    ["between two", { since: new Date(start + 5).toISOString(), until: new Date(start + 7).toISOString() }, 2],
  ];
  for (const [what, filter, count] of cases)
    test(`${what}: page by page, all of it, none twice, newest first`, async () => {
      const items = await log.list(busy, filter);
      assert.equal(items.length, count);
      assert.equal(new Set(items.map(({ id }) => id)).size, count);
      assert.deepEqual(
        items.map(({ at }) => at),
        items
          .map(({ at }) => at)
          .sort()
          .reverse(),
      );
    });

  test("a filter that fits nothing near looks through a bounded number for each page, and says where to go on", async () => {
    const page = await log.store.listRequests({ space: busy, filter: { path: "/admin" }, limit: 10 });
    assert.deepEqual([page.items.length, page.next !== null], [0, true]);
  });

  test("whoever follows gets each once, in the order in which they came, and goes on after any number", async () => {
    const read = async (after: number): Promise<number[]> => {
      const seen: number[] = [];
      for (let place = after; ;) {
        const found = await log.store.followRequests({ space: busy, after: place, limit: 300 });
        seen.push(...found.items.map(({ n }) => n));
        place = found.upTo;
        if (!found.more) return seen;
      }
    };
    const all = await read(0);
    assert.equal(all.length, 60_003);
    assert.deepEqual(
      all,
      [...new Set(all)].sort((a, b) => a - b),
    );
    assert.deepEqual(await read(all[59_000] ?? 0), all.slice(59_001));
  });

  test("who comes back for what is only counted by now is told so", async () => {
    await using other = await new Log().open({ packedMaxRows: 5 });
    await other.take(times(10, (n) => ({ at: start + n })));
    await other.store.retain();
    const asked = { space: busy, limit: 100 };
    assert.equal((await other.store.followRequests({ ...asked, after: 2 })).gone, true);
    assert.equal((await other.store.followRequests({ ...asked, after: 5 })).gone, false);
  });
});

describe("the log on a platform", () => {
  let up: Platform;
  let alice: Account;
  let bob: Account;
  let app: App;
  before(async () => {
    up = await Platform.start();
    alice = await up.account("alice");
    bob = await up.account("bob");
    app = await up.deploy(alice, "app");
  });
  after(() => up[Symbol.asyncDispose]());

  const of = async (path: string): Promise<RequestView> =>
    await until(
      `the log has ${path}`,
      async () => (await alice.client.requests(app.space, { filter: { path } })).items[0],
    );

  test("a request is there with its times, its bytes, who asked and how that is known, and no secret of its query", async () => {
    const response = await fetch(`${app.url}/seen/one?page=2&token=S3cret&u=${alice.token}`, {
      method: "POST",
      body: "twelve bytes",
      headers: { authorization: `Bearer ${alice.token}`, cookie: "a=S3cret" },
    });
    const bytes = (await response.arrayBuffer()).byteLength;
    const view = await of("/seen/one");
    const { method, query, protocol, account, billedBy, bytesIn, bytesOut, answeredBy, status } = view;
    assert.deepEqual(
      { method, query, protocol, account, billedBy, bytesIn, bytesOut, answeredBy, status },
      {
        ...{
          method: "POST",
          query: "page=2&token=***&u=***",
          protocol: "HTTP/1.1",
          account: "alice",
          billedBy: "token",
        },
        ...{ bytesIn: 12, bytesOut: bytes, answeredBy: "app", status: response.status },
      },
    );
    assert.match(view.replica ?? "", /^p_/);
    const { resolved = -1, routed = -1, connected = -1, sent = -1, answered = -1 } = view.stages;
    const order = [0, resolved, routed, connected, sent, answered, view.ms];
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
    );
    assert.ok(!JSON.stringify(await alice.client.explain(view.id)).includes("S3cret"));
  });

  test("it is followed as it happens, by the command line too, and goes on after the last number over a restart of the server; so is the app's log", async () => {
    const env = { ...process.env, WAYBILL_URL: up.url, WAYBILL_TOKEN: alice.token };
    const follow = (...args: readonly string[]): ChildProcessByStdio<null, Readable, Readable> =>
      spawn(process.execPath, [resolve("bin/waybill.js"), ...args, "-f"], { env, stdio: ["ignore", "pipe", "pipe"] });
    const follower = follow("requests", app.space, "--json", "--grep", "live");
    const reader = follow("logs", app.space, "-n", "1");
    const read = { out: "", err: "" };
    for (const name of ["out", "err"] as const)
      reader[`std${name}`].setEncoding("utf8").on("data", (text: string) => (read[name] += text));
    const printed = (): readonly string[] => read.out.match(/printed-\d+/g) ?? [];
    let prints = 0;
    const print = (): Promise<unknown> => visit(`${app.url}/say?line=printed-${(prints += 1)}`, alice);
    await until("a line of the log is told", async () => {
      await print();
      return printed().length > 0;
    });
    const lines: RequestLine[] = [];
    createInterface({ input: follower.stdout }).on("line", (line) => lines.push(JSON.parse(line) as RequestLine));
    const paths = (): string[] => lines.flatMap((line) => (line.type === "request" ? [line.path] : []));
    let sent = 0;
    await until("the first is told", async () => {
      await visit(`${app.url}/live/${(sent += 1)}`, alice);
      return paths().length > 0;
    });
    await up.kill();
    await until("that it waits is said", () => read.err.includes("It is tried again, for 5 min at most."));
    await up.up();
    await until("the edge answers again", () => fetch(`${app.url}/live/after`).catch(() => undefined));
    await until("it goes on after the restart", () => paths().includes("/live/after"));
    const ids = lines.flatMap((line) => (line.type === "request" ? [line.id] : []));
    assert.equal(new Set(ids).size, ids.length, "none twice");
    await print();
    await until("the log goes on", () => printed().includes(`printed-${prints}`));
    const [first = ""] = printed();
    const from = Number(first.slice("printed-".length));
    const all = Array.from({ length: prints - from + 1 }, (_, at) => `printed-${from + at}`);
    assert.deepEqual(printed(), all, "no line is lost, and none is there twice");
    assert.match(read.err, /It answers again, and goes on after the last line/);
    for (const one of [follower, reader]) {
      one.kill("SIGINT");
      assert.equal(((await once(one, "exit")) as [number])[0], 130);
    }
  });

  test("what the edge could not bring to its end stands in the app's log, between what the app says before and after", async () => {
    const answer = `if (request.url !== "/broken") return response.end("well");
      response.writeHead(200, { "content-length": "100" });
      response.write("some", () => response.destroy());`;
    const server = `import { createServer } from "node:http";
      createServer((request, response) => {
        console.log("asked for " + request.url);
        ${answer}
      }).listen(Number(process.env.PORT));`;
    const broken = await up.deploy(alice, "broken", { "server.js": server });
    assert.ok(broken.deployed.ok);
    await visit(`${broken.url}/one`, alice);
    await assert.rejects(visit(`${broken.url}/broken`, alice));
    const { code, id } = await until(
      "the failure is in the record",
      async () => (await alice.client.requests(broken.space, { filter: { failed: true } })).items[0],
    );
    await visit(`${broken.url}/two`, alice);
    const texts = async (...options: readonly string[]): Promise<readonly string[]> => {
      const { world, said } = cliWorld({ env: { WAYBILL_URL: up.url, WAYBILL_TOKEN: alice.token } });
      assert.equal(await runCli(["logs", broken.space, "--json", ...options], world), 0, said.err);
      const lines = said.out.trimEnd().split("\n");
      return lines.map((line) => (JSON.parse(line) as { text: string }).text);
    };
    const all = await until("the app's last line is there", async () => {
      const now = await texts();
      return now.includes("asked for /two") ? now : undefined;
    });
    const [one, edge, two] = ["asked for /broken", id, "asked for /two"].map((part) =>
      all.findIndex((text) => text.includes(part)),
    );
    assert.ok(one !== -1 && Number(one) < Number(edge) && Number(edge) < Number(two), all.join("\n"));
    assert.match(all[Number(edge)] ?? "", new RegExp(`200 to GET /broken\\..*\\(${code}\\)`));
    assert.deepEqual(await texts("-n", "2"), all.slice(Number(one)), "its request had begun before the first of them");
    assert.deepEqual(await texts("--source", "edge"), [all[Number(edge)]]);
    assert.ok((await texts("--source", "app")).every((text) => !text.includes(id)));
  });

  test("as server-sent events it goes on after Last-Event-ID", async () => {
    await visit(`${app.url}/sse/1`, alice);
    const first = await of("/sse/1");
    await visit(`${app.url}/sse/2`, alice);
    await of("/sse/2");
    const response = await fetch(`${up.url}/api/spaces/${app.space}/requests?follow=1&path=/sse`, {
      headers: {
        authorization: `Bearer ${alice.token}`,
        accept: "text/event-stream",
        "last-event-id": String(first.n),
      },
    });
    let text = "";
    for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += Buffer.from(part).toString();
      if (text.includes("/sse/2")) break;
    }
    assert.ok(!text.includes('"/sse/1"'), text);
    assert.match(text, /^id: \d+\nevent: request\ndata: \{/);
  });

  test("another account is refused, also to follow; a wrong question is told what is right", async () => {
    for (const ask of [
      () => bob.client.requests(app.space),
      () => bob.client.requestCounts(app.space),
      () => bob.client.followRequests(app.space).next(),
    ])
      await assert.rejects(ask, (error) => error instanceof ApiError && error.problem.status === 403);
    for (const query of ["status=500", "who=me", "since=soon", "grep=", "path="]) {
      const url = `${up.url}/api/spaces/${app.space}/requests?${query}`;
      const response = await fetch(url, { headers: { authorization: `Bearer ${alice.token}` } });
      assert.equal(response.status, 400, query);
    }
  });
});

/** The tables of version 1, as far as they matter here. */
const schema1 = `
CREATE TABLE packed (emitter TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,
  work TEXT NOT NULL, kind TEXT NOT NULL, space TEXT, at INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (emitter, epoch, seq)) WITHOUT ROWID;
CREATE INDEX packed_by_work ON packed (work);
CREATE INDEX packed_requests ON packed (space, at) WHERE kind = 'request';
CREATE INDEX packed_by_time ON packed (at);
CREATE TABLE told_requests (
  work TEXT PRIMARY KEY, space TEXT, at INTEGER, ended INTEGER, method TEXT, path TEXT, status INTEGER, answered_by TEXT,
  outcome TEXT, code TEXT, account TEXT) WITHOUT ROWID;
CREATE INDEX told_requests_by_space ON told_requests (space, at);
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('index', 0), ('schema', 1);
`;
