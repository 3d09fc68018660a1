/** The command line against a scripted console: what goes to stdout and stderr, and with which exit code. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { runCli } from "../src/cli/program.ts";
import type { AgentOptions, UpOptions } from "../src/cli/world.ts";
import { WaybillClient } from "../src/client/api.ts";
import { noIsolation } from "../src/contract/isolation.ts";
import { ApiError, ServerUnreachable } from "../src/client/errors.ts";
import { ScriptedConsole, build, problem, space } from "./support/console-api.ts";

let folder: string;
let api: ScriptedConsole;
let url: string;
let ups: UpOptions[];
let joins: AgentOptions[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "waybill-cli-"));
  api = new ScriptedConsole();
  url = await api.listen();
  ups = [];
  joins = [];
});
afterEach(async () => {
  await api[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function waybill(
  args: readonly string[],
  env: Record<string, string> = {},
  signal = new AbortController().signal,
  stdin = "",
): Promise<Ran> {
  let [out, err] = ["", ""];
  const code = await runCli(args, {
    version: "1.2.3",
    env: { WAYBILL_URL: url, WAYBILL_TOKEN: "hf_wbtest", ...env },
    stdout: { write: (text) => (out += text), columns: 100 },
    stderr: { write: (text) => (err += text), columns: 100 },
    stdin: { text: async () => stdin },
    clock: { wall: () => 0 as never, monotonic: () => 0 },
    signal,
    signInFile: join(folder, "sign-in.json"),
    zone: "UTC",
    up: async (options) => (ups.push(options), 0),
    agent: async (options) => (joins.push(options), 0),
    edge: async () => 0,
    dataFolder: (named) => named ?? folder,
    restore: () => assert.fail("what is restored is tried with real folders"),
    compact: () => assert.fail("what is compacted is tried with real folders"),
    move: () => assert.fail("what is moved is tried with a real database"),
    authority: () => assert.fail("test/cli-tls.test.ts has it"),
    uninstall: async ({ data, apply }) => ({
      stopped: [],
      removed: [data ?? folder],
      left: apply ? [{ path: "/srv/mine", why: "it is not Waybill's" }] : [],
    }),
    doctor: async () => [],
    doctorBundle: async ({ file }) => ({ file, bytes: 1, files: [] }),
    stopAll: async (data) => ({ stopped: [`p_${data}`], running: data === "stuck" ? ["p_2"] : [] }),
  });
  return { code, out, err };
}

const quota = {
  account: "alice",
  tier: "free",
  usedMs: 412,
  heldMs: 10_000,
  limitMs: 300_000,
  leftMs: 289_588,
  creditsMs: 0,
  allowances: [],
  resetsAt: "2026-11-22T18:04:00.000Z",
  index: 9,
};

describe("waybill", () => {
  test("status says what probes found, in words that cannot be overlooked where it should not be", async () => {
    const probes = {
      total: 344,
      open: 3,
      expected: 2,
      unexpected: ["shadow"],
      notRun: [],
      at: "2026-11-22T12:00:00.000Z",
    };
    const isolation = { ...noIsolation("sandbox bubblewrap: namespaces"), level: "own-uid", probes };
    const builds = { queued: 0, building: 1, day: { ok: 41, failed: 2, failedBy: { app: 2 }, dropped: 0 } };
    const tls = {
      certificates: [
        { names: ["b.example"], from: "acme", notAfter: "2027-03-01T00:00:00.000Z" },
        { names: ["a.example", "*.a.example"], from: "file", notAfter: "2027-02-01T00:00:00.000Z" },
      ],
      problems: ["no certificate for c.example"],
    };
    const status = {
      version: "1.2.3",
      url,
      spaces: 0,
      builds,
      pools: [],
      journalIndex: 1,
      bootMs: 100,
      isolation,
      tls,
    };
    api.routes.set("GET /api/status", status);
    const { code, out } = await waybill(["status"]);
    assert.equal(code, 0);
    assert.match(
      out.replaceAll(/\s+/g, " "),
      /probes WARNING: apps can do what they should not: shadow \(3 of 344 open/,
    );
    assert.match(out, /builds +0 queued, 1 under way; 24 h: 41 ok, 2 failed \(app 2\)\n/);
    assert.match(out, /TLS +2 certificates; the first to end, a\.example \(file\), on 2027-02-01T00:00:00\.000Z\n/);
    assert.match(out, /\n +no certificate for c\.example\n/);
  });

  test("builds lists a Space's, and acts on one: a number below 0 is a number", async () => {
    const build = { id: "b_1", space: "alice/demo", stage: "queued", code: null, says: "1st of 1" };
    api.routes.set("PATCH /api/builds/b_1", build);
    api.routes.set("POST /api/builds/b_1/cancel", { ...build, stage: "cancelled", code: "build/cancelled" });
    api.routes.set("GET /api/spaces/alice/demo/builds", { items: [], next: null });
    assert.match((await waybill(["builds", "alice/demo"])).out, /^No builds of alice\/demo yet\./);
    assert.equal(
      (await waybill(["builds", "cancel", "b_1"])).out,
      "b_1  alice/demo  cancelled, build/cancelled: 1st of 1\n",
    );
    assert.equal((await waybill(["builds", "priority", "b_1", "-5"])).out, "b_1  alice/demo  queued: 1st of 1\n");
    assert.deepEqual(JSON.parse(api.received.at(-1)?.body ?? ""), { priority: -5 });
    assert.equal((await waybill(["builds", "priority", "b_1", "high"])).code, 2);
  });

  test("--json prints one document and nothing else", async () => {
    api.routes.set("GET /api/quota?account=alice", quota);
    const { code, out, err } = await waybill(["quota", "--account", "alice", "--json"]);
    assert.deepEqual([code, JSON.parse(out), out.endsWith("}\n"), err], [0, quota, true, ""]);
    assert.equal(api.received[0]!.authorization, "Bearer hf_wbtest");
  });

  test("a refusal is a problem on stdout with --json, and the error form on stderr without", async () => {
    api.routes.set("GET /api/explain/c_9", (response: never) =>
      problem(response, {
        status: 404,
        detail: "There is no record of c_9.",
        boundary: "control",
        code: "not-found",
        next: "Check the id.",
      }),
    );
    const json = await waybill(["explain", "c_9", "--json"]);
    assert.equal(json.code, 3);
    assert.equal((JSON.parse(json.out) as { code: string }).code, "not-found");
    assert.equal(json.err, "");
    const text = await waybill(["explain", "c_9"]);
    assert.deepEqual(text, {
      code: 3,
      out: "",
      err: "error[control/not-found]: There is no record of c_9.\n  where     owner ▲ visitor\n  try       Check the id\n",
    });
  });

  const refusals: readonly (readonly [status: number, boundary: string, code: number, named?: string])[] = [
    [401, "identity", 4],
    [403, "identity", 4],
    [429, "gpu", 5],
    [503, "gpu", 5],
    [422, "control", 2],
    [500, "control", 1],
    [503, "route", 6, "control-down"],
    [503, "route", 1, "no-answer"],
  ];
  for (const [status, boundary, expected, code = "x"] of refusals) {
    test(`a ${status} of ${boundary}/${code} ends with ${expected}`, async () => {
      api.routes.set("GET /api/status", (response: never) =>
        problem(response, { status, detail: "no", boundary, code }),
      );
      assert.equal((await waybill(["status"])).code, expected);
    });
  }

  test("an absent server ends with 6 and says how to start one", async () => {
    const { code, err } = await waybill(["status", "--url", "http://127.0.0.1:9"]);
    assert.equal(code, 6);
    assert.match(err, /^error\[cli\/server-unreachable\]: Waybill at http:\/\/127\.0\.0\.1:9 does not answer/);
    assert.match(err, /waybill up/);
  });

  test("a secret's value comes on standard input alone, without the newline that a shell adds", async () => {
    api.routes.set("POST /api/spaces/alice/demo/secrets", { name: "KEY", updatedAt: "2026-11-22T12:00:00.000Z" });
    const set = (stdin: string): Promise<Ran> =>
      waybill(["secret", "set", "alice/demo", "KEY", "--json"], {}, undefined, stdin);
    const { code, out } = await set(" two\nlines \n");
    assert.deepEqual([code, JSON.parse(out)], [0, { name: "KEY", updatedAt: "2026-11-22T12:00:00.000Z" }]);
    assert.deepEqual(
      api.received.map(({ body }) => JSON.parse(body) as unknown),
      [{ key: "KEY", value: " two\nlines " }],
    );
    assert.equal((await set("\n")).code, 2);
    assert.equal((await waybill(["secret", "set", "alice/demo", "KEY", "value"])).code, 2);
  });

  test("wrong usage ends with 2 and names what is wrong, also as JSON", async () => {
    for (const args of [
      ["nonsense"],
      ["quota", "--nonsense"],
      ["deploy", ".", "--space", "x"],
      [],
      ["pool", "set", "main"],
      ["tier", "set", "free"],
      ["quota", "grant", "alice", "--reason", "why"],
      ["quota", "grant", "alice", "--window", "1m"],
      ["quota", "lift", "alice", "all", "--for", "1h", "--reason", "why"],
      ["quota", "revoke", "alice", "al_1"],
      ["node", "give", "n1"],
      ["node", "give", "n1", "fast", "--back"],
      ["space", "pools", "alice/demo", "--move-after", "20s"],
      ["space", "pools", "alice/demo", "fast", "--back"],
      ["pool", "rule", "alice", "--back", "--move-after", "20s"],
      ["tier", "set", "free", "--window-limit", "lots"],
      ["pool", "set", "main", "--queue-limit", "soon"],
    ]) {
      const { code, out, err } = await waybill(args);
      assert.deepEqual([code, out], [2, ""], args.join(" "));
      assert.match(err, /^error\[cli\/[a-z-]+\]: .+\n/, args.join(" "));
    }
    const json = await waybill(["quota", "--nonsense", "--json"]);
    assert.equal((JSON.parse(json.out) as { code: string }).code, "usage");
  });

  test("help lists every command, and help of one says what it does", async () => {
    const { code, out } = await waybill(["--help"]);
    assert.equal(code, 0);
    for (const name of [
      "up",
      "deploy",
      "space",
      "pause",
      "resume",
      "rollback",
      "releases",
      "secret",
      "variable",
      "builds",
      "logs",
      "requests",
      "calls",
      "quota",
      "quote",
      "explain",
      "receipt",
      "account",
      "member",
      "audit",
      "token",
      "tier",
      "pool",
      "ca",
      "backup",
      "restore",
      "journal",
      "gpu",
      "status",
      "incident",
      "login",
      "logout",
      "whoami",
      "version",
    ]) {
      assert.match(out, new RegExp(`^  ${name} `, "m"));
    }
    assert.match((await waybill(["pool", "set", "--help"])).out, /--queue-limit <length>/);
    assert.match((await waybill(["help", "pool", "set"])).out, /--queue-limit <length>/);
    assert.match((await waybill(["pool"])).err, /^error\[cli\/usage\]: .+\n[^]*\n {2}set \[options\] <name>/);
    const document = JSON.parse((await waybill(["help", "--json"])).out) as { says: string };
    assert.match(document.says, /^Usage: waybill/);
    assert.equal((await waybill(["version"])).out, "1.2.3\n");
  });

  test("up hands its options over", async () => {
    const { code } = await waybill([
      "up",
      "--data",
      "d",
      "--port",
      "0",
      "--simulate-gpus",
      "2x2",
      "--sandbox",
      "none",
      "--json",
    ]);
    assert.equal(code, 0);
    assert.deepEqual(ups, [
      {
        role: "all",
        data: "d",
        port: 0,
        network: {},
        simulateGpus: { devices: 2, slots: 2 },
        sandbox: "none",
        journal: undefined,
        standBy: false,
        service: false,
        edgeApart: false,
        otlp: undefined,
        json: true,
      },
    ]);
  });

  test("agent joins servers over https, or over http on this machine alone", async () => {
    const ran = await waybill(["agent", "--join", "https://waybill.example/,http://127.0.0.1:7070", "--data", "d"]);
    assert.equal(ran.code, 0, ran.err);
    assert.deepEqual(joins, [
      {
        join: ["https://waybill.example", "http://127.0.0.1:7070"],
        data: "d",
        simulateGpus: undefined,
        sandbox: undefined,
        json: false,
      },
    ]);
    const open = await waybill(["agent", "--join", "http://waybill.example"]);
    assert.equal(open.code, 2);
    assert.match(open.err, /Write https/);
  });

  test("the address comes from the flag, then the environment, then the saved sign-in, whose token stays with its address", async () => {
    api.routes.set("GET /api/quota", quota);
    await writeFile(join(folder, "sign-in.json"), JSON.stringify({ url, token: "hf_wbsaved" }));
    await waybill(["quota"], { WAYBILL_URL: "", WAYBILL_TOKEN: "" }).then(({ code }) => assert.equal(code, 2));
    const none = { WAYBILL_URL: undefined as never, WAYBILL_TOKEN: undefined as never };
    assert.equal((await waybill(["quota"], none)).code, 0);
    assert.equal(api.received.at(-1)!.authorization, "Bearer hf_wbsaved");
    await writeFile(join(folder, "sign-in.json"), JSON.stringify({ url: "http://127.0.0.1:9", token: "hf_wbsaved" }));
    assert.equal((await waybill(["quota", "--url", url], none)).code, 0);
    assert.equal(api.received.at(-1)!.authorization, undefined);
    await writeFile(join(folder, "sign-in.json"), "{");
    assert.equal((await waybill(["quota"], none)).code, 2);
  });

  test("deploy sends the folder, tells the build, and prints the address", async () => {
    await app();
    api.routes.set("POST /api/spaces/alice/demo/commit/main", {
      success: true,
      commitOid: "c".repeat(40),
      commitUrl: "",
      hookOutput: "",
      pullRequestUrl: null,
      build: "b_1",
    });
    api.routes.set("GET /api/builds/b_1", build);
    api.routes.set("GET /api/builds/b_1/log?follow=1", log(["queued", "added 3 packages"]));
    let asked = 0;
    api.routes.set("GET /api/spaces/alice/demo", (response: never) => {
      asked++;
      if (asked === 1)
        return problem(response, { status: 404, detail: "none", boundary: "route", code: "no-such-space" });
      const view = asked === 2 ? { ...space, state: "starting", says: "Waits for port 7860." } : space;
      return (response as { end(text: string): void }).end(JSON.stringify(view));
    });
    const { code, out, err } = await waybill(["deploy", join(folder, "app"), "--space", "alice/demo"]);
    assert.equal(code, 0, err);
    assert.equal(out, "http://alice-demo.localhost:7070\n");
    for (const part of [
      "sending 1 file, 15 B",
      `${url}/w/b_1`,
      "ok  queue         0.1 s",
      "ok  install       6.1 s",
      "build | added 3 packages",
      ">>  start",
      "running in 0 s",
    ]) {
      assert(err.includes(part), `${part} in\n${err}`);
    }
    const commit = api.received
      .find(({ method }) => method === "POST")!
      .body.trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { key: string });
    assert.deepEqual(
      commit.map(({ key }) => key),
      ["header", "file"],
    );
    asked = 0;
    const json = await waybill(["deploy", join(folder, "app"), "--space", "alice/demo", "--json"]);
    assert.equal(json.err, "");
    assert.deepEqual(JSON.parse(json.out), {
      space: "alice/demo",
      addresses: space.addresses,
      build: { id: "b_1", outcome: "ok" },
      state: "running",
    });
  });

  test("deploy without a Space's name takes yours of the folder's name", async () => {
    await app();
    api.routes.set("GET /api/whoami-v2", { name: "alice" });
    api.routes.set("GET /api/spaces/alice/app", { ...space, id: "alice/app" });
    api.routes.set("POST /api/spaces/alice/app/commit/main", { success: true, commitOid: "c".repeat(40), build: null });
    const { code, out } = await waybill(["deploy", join(folder, "app")]);
    assert.deepEqual([code, out], [0, "http://alice-demo.localhost:7070\n"]);
  });

  test("a deploy that fails ends with 1, the problem in its document and, for people, the reason", async () => {
    await app();
    const failedBuild = {
      ...build,
      stage: "failed",
      outcome: "failed",
      code: "build/step-failed",
      says: "install ended with exit code 1",
      because: ["package.json: no such package"],
      steps: [{ name: "install", state: "failed", tookMs: 900 }],
    };
    api.routes.set("POST /api/spaces/alice/demo/commit/main", {
      success: true,
      commitOid: "c".repeat(40),
      commitUrl: "",
      hookOutput: "",
      pullRequestUrl: null,
      build: "b_1",
    });
    api.routes.set("GET /api/builds/b_1", failedBuild);
    api.routes.set("GET /api/builds/b_1/log?follow=1", log(["queued"]));
    api.routes.set("GET /api/spaces/alice/demo", { ...space, state: "failed", build: failedBuild, addresses: [] });
    const json = await waybill(["deploy", join(folder, "app"), "--space", "alice/demo", "--json"]);
    assert.equal(json.code, 1);
    const { code, status, owner, detail, next, ...deployed } = JSON.parse(json.out) as Record<string, unknown>;
    assert.deepEqual(
      [code, status, owner, detail],
      ["build/step-failed", 422, "app", "install ended with exit code 1"],
    );
    assert.match(String(next), /correct the app and deploy again/);
    for (const [name, value] of Object.entries({ space: "alice/demo", build: { id: "b_1", outcome: "failed" } }))
      assert.deepEqual(deployed[name], value);
    const text = await waybill(["deploy", join(folder, "app"), "--space", "alice/demo"]);
    assert.deepEqual([text.code, text.out], [1, ""]);
    const form = text.err.slice(text.err.indexOf("error["));
    assert.equal(
      form,
      [
        "error[build/step-failed]: install ended with exit code 1",
        "  where     build.step install; owner ● app",
        "  because   package.json: no such package",
        "  evidence  b_1, 2 log lines",
        "  charged   nothing",
        "  try       Read the last lines of the build log, correct the app and deploy again; all of it:",
        "            waybill explain b_1",
        "",
      ].join("\n"),
    );
  });

  test("a deploy whose app exits at its start ends with 1 and the app's own end, though the release before it still runs", async () => {
    await app();
    api.routes.set("POST /api/spaces/alice/demo/commit/main", {
      success: true,
      commitOid: "c".repeat(40),
      commitUrl: "",
      hookOutput: "",
      pullRequestUrl: null,
      build: "b_1",
    });
    api.routes.set("GET /api/builds/b_1", build);
    api.routes.set("GET /api/builds/b_1/log?follow=1", log(["queued"]));
    let asked = 0;
    const fresh = {
      id: "rep_2",
      phase: "exited",
      since: space.since,
      says: "The app's process ended with exit code 3.",
    };
    api.routes.set("GET /api/spaces/alice/demo", (response: { end(text: string): void }) =>
      response.end(JSON.stringify(asked++ < 2 ? space : { ...space, replicas: [...space.replicas, fresh] })),
    );
    const { code, out, err } = await waybill(["deploy", join(folder, "app"), "--space", "alice/demo"]);
    assert.deepEqual([code, out], [1, ""]);
    assert.match(
      err,
      /error\[runtime\/start-failed\]: The app's process ended with exit code 3\. The release before it still runs\.\n/,
    );
    assert.match(err, /Read its log with `waybill logs alice\/demo`/);
  });

  test("deploy to a paused Space says by whom it is paused, and that the files are stored", async () => {
    const says = "alice/demo is paused by its owner alice: over the weekend.";
    const noBuild = { id: "b_no", why: "paused", code: null, says };
    await mkdir(join(folder, "app"), { recursive: true });
    await writeFile(join(folder, "app", "README.md"), "---\nsdk: static\n---\n");
    api.routes.set("POST /api/spaces/alice/demo/commit/main", { success: true, commitOid: "c", build: null, noBuild });
    api.routes.set("GET /api/spaces/alice/demo", { ...space, state: "paused" });
    const { code, out, err } = await waybill(["deploy", join(folder, "app"), "--space", "alice/demo"]);
    assert.deepEqual([code, out], [1, ""]);
    assert.match(err, /error\[control\/conflict\]: alice\/demo is paused by its owner alice: over the weekend\.\n/);
    assert.match(err, /The files are stored; `waybill space show\s+alice\/demo` says who/);
  });

  test("logs are JSON Lines with a type, and a hole in the numbers is said", async () => {
    api.routes.set("GET /api/spaces/alice/demo/logs", (response: { end(text: string): void }) =>
      response.end(
        [1, 2, 5, 0, 1]
          .map(
            (n) =>
              `${JSON.stringify({ n, at: "2026-11-22T12:00:07.311Z", source: "app", stream: "out", text: `line ${n}` })}\n`,
          )
          .join(""),
      ),
    );
    api.routes.set("GET /api/spaces/alice/demo/requests?since=2026-11-22T11%3A59%3A07.311Z&failed=1", {
      items: [],
      next: null,
      older: { counted: 0, forgotten: 0 },
    });
    const text = await waybill(["logs", "alice/demo"]);
    assert.equal(
      text.out,
      "12:00:07.311 app     line 1\n12:00:07.311 app     line 2\n-- app lines 3-4 missing --\n12:00:07.311 app     line 5\n12:00:07.311 app     line 0\n12:00:07.311 app     line 1\n",
    );
    const lines = (await waybill(["logs", "alice/demo", "--json"])).out.trimEnd().split("\n");
    assert.deepEqual(
      lines.map((line) => (JSON.parse(line) as { type: string; n: number }).type),
      Array(5).fill("line"),
    );
  });

  test("Ctrl-C while following ends with 130", async () => {
    const stop = new AbortController();
    api.routes.set(
      "GET /api/spaces/alice/demo/logs?follow=1",
      (response: { writeHead(status: number): void; write(text: string): void }) => {
        response.writeHead(200);
        response.write(
          `${JSON.stringify({ n: 1, at: "2026-11-22T12:00:07.311Z", source: "app", stream: "out", text: "x" })}\n`,
        );
        setImmediate(() => stop.abort("SIGINT"));
      },
    );
    assert.equal((await waybill(["logs", "alice/demo", "-f"], {}, stop.signal)).code, 130);
  });

  test("space set sends settings by name and prints them all; what is not KEY=VALUE is told at once and sends nothing", async () => {
    api.routes.set("PATCH /api/spaces/alice/demo/settings", { "on-leave": "stop" });
    const { code, out } = await waybill(["space", "set", "alice/demo", "on-leave=stop", "--json"]);
    assert.deepEqual([code, JSON.parse(out)], [0, { "on-leave": "stop" }]);
    assert.deepEqual(JSON.parse(api.received[0]!.body), { "on-leave": "stop" });
    assert.equal((await waybill(["space", "set", "alice/demo", "on-leave=stop"])).out, "  on-leave  stop\n");
    const sent = api.received.length;
    const wrong = await waybill(["space", "set", "alice/demo", "stop", "on-leave=stop", "on-leave=finish"]);
    assert.equal(wrong.code, 2);
    assert.match(wrong.err, /"stop" is not KEY=VALUE; on-leave is given twice/);
    assert.equal(api.received.length, sent);
  });

  test("pause, resume and rollback ask for it with what was given, print the stage, and say what comes next", async () => {
    const runtime = { stage: "PAUSED", hardware: { current: null, requested: null } };
    for (const name of ["pause", "resume", "rollback"]) api.routes.set(`POST /api/spaces/alice/demo/${name}`, runtime);
    const { code, out, err } = await waybill(["pause", "alice/demo", "--by", "budget", "--reason", "too hot"]);
    assert.deepEqual([code, out, err], [0, "alice/demo: PAUSED\n", "bring it back: waybill resume alice/demo\n"]);
    assert.equal((await waybill(["resume", "alice/demo", "-q"])).out, "alice/demo\n");
    assert.deepEqual(JSON.parse((await waybill(["rollback", "alice/demo", "rel_1", "--json"])).out), runtime);
    assert.deepEqual(
      api.received.map(({ body }) => JSON.parse(body) as unknown),
      [{ reason: "too hot", by: "budget" }, {}, { release: "rel_1" }],
    );
  });

  test("restart asks for it, with --factory for a build from nothing, and prints the Space's stage", async () => {
    const runtime = { stage: "APP_STARTING", hardware: { current: null, requested: null } };
    api.routes.set("POST /api/spaces/alice/demo/restart", runtime);
    api.routes.set("POST /api/spaces/alice/demo/restart?factory=true", { ...runtime, stage: "BUILDING" });
    assert.deepEqual(await waybill(["restart", "alice/demo"]), {
      code: 0,
      out: "alice/demo: APP_STARTING\n",
      err: "follow it: waybill logs alice/demo -f\n",
    });
    const { code, out } = await waybill(["restart", "alice/demo", "--factory", "--json"]);
    assert.deepEqual([code, (JSON.parse(out) as { stage: string }).stage], [0, "BUILDING"]);
  });

  test("pool set sends whole milliseconds, and token create prints the token alone", async () => {
    api.routes.set("PATCH /api/pools/main", {
      name: "main",
      simulated: true,
      devices: 2,
      slots: 4,
      leased: 0,
      waiting: 0,
      queueLimitMs: 3_000,
      queueMax: 100,
      durationMaxMs: 120_000,
      attachWithinMs: 30_000,
      admission: "clip",
      spaceCallsMax: null,
      tokenMaxCalls: 64,
      tokenMaxGpuMs: null,
    });
    assert.equal((await waybill(["pool", "set", "main", "--queue-limit", "3s"])).code, 0);
    assert.deepEqual(JSON.parse(api.received[0]!.body), { queueLimitMs: 3_000 });
    assert.equal((await waybill(["pool", "set", "main", "--space-calls", "none"])).code, 0);
    assert.deepEqual(JSON.parse(api.received[1]!.body), { spaceCallsMax: null });
    assert.equal((await waybill(["pool", "set", "main", "--token-calls", "8", "--token-gpu", "2m"])).code, 0);
    assert.deepEqual(JSON.parse(api.received[2]!.body), { tokenMaxCalls: 8, tokenMaxGpuMs: 120_000 });
    const free = {
      name: "free",
      windowLimitMs: null,
      windowMs: 3_600_000,
      durationMaxMs: 60_000,
      runsMax: 9,
      callsMax: null,
      weight: 2,
    };
    api.routes.set("PATCH /api/tiers/free", free);
    const set = ["tier", "set", "free", "--window-limit", "none", "--window", "1h", "--longest", "60s"];
    assert.match((await waybill(set)).out, /^free +none +60 min +60 s +9 +any +2$/m);
    assert.deepEqual(JSON.parse(api.received[3]!.body), {
      windowLimitMs: null,
      windowMs: 3_600_000,
      durationMaxMs: 60_000,
    });
    api.routes.set("POST /api/tokens", { account: "bob", token: "hf_wbnew" });
    const { out } = await waybill(["token", "create", "--account", "bob", "--create", "--tier", "free"]);
    assert.equal(out, "hf_wbnew\n");
    assert.deepEqual(JSON.parse(api.received[4]!.body), { account: "bob", create: true, tier: "free" });
  });
});

describe("WaybillClient", () => {
  test("fills up a refusal that is not a problem, and names who does not answer", async () => {
    api.routes.set("GET /api/status", (response: { writeHead(status: number): { end(text: string): void } }) =>
      response.writeHead(502).end("<html>"),
    );
    const client = new WaybillClient({ url, token: null });
    await assert.rejects(client.status(), (error: ApiError) => {
      assert.deepEqual(
        [error.problem.code, error.problem.owner, error.problem.retry],
        ["http-502", "platform", "later"],
      );
      return error instanceof ApiError;
    });
    await assert.rejects(new WaybillClient({ url: "http://127.0.0.1:9", token: null }).status(), ServerUnreachable);
  });

  test("gives up with the caller's reason", async () => {
    api.routes.set("GET /api/status", () => {});
    const caller = new AbortController();
    const asked = new WaybillClient({ url, token: null }).status({ signal: caller.signal });
    caller.abort(new Error("enough"));
    await assert.rejects(asked, { message: "enough" });
  });

  test("a stream that breaks in the middle is an error, not an end", async () => {
    api.routes.set("GET /api/builds/b_1/log", (response: { write(text: string): void; destroy(): void }) => {
      response.write('{"n":1}\n');
      setImmediate(() => response.destroy());
    });
    const seen: unknown[] = [];
    await assert.rejects(async () => {
      for await (const line of new WaybillClient({ url, token: null }).buildLog("b_1")) seen.push(line);
    }, ServerUnreachable);
    assert.deepEqual(seen, [{ n: 1 }]);
  });
});

async function app(): Promise<void> {
  const { mkdir } = await import("node:fs/promises");
  await mkdir(join(folder, "app"));
  await writeFile(join(folder, "app", "README.md"), "---\nsdk: x\n---\n");
}

function log(texts: readonly string[]): (response: { end(text: string): void }) => void {
  const lines = texts.map((text, i) =>
    JSON.stringify({ n: i + 1, at: "2026-11-22T12:00:00.000Z", source: "build", stream: "out", text }),
  );
  return (response) => response.end(`${lines.join("\n")}\n`);
}
