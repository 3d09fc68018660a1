/** `waybill call` against a scripted console and an app that speaks Gradio's protocol; with a real Gradio app: test/gradio.test.ts. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { runCli } from "../src/cli/program.ts";
import { cliWorld } from "./support/cli-world.ts";
import { problem, ScriptedConsole, space } from "./support/console-api.ts";
import { GradioStandIn } from "./support/gradio-stand-in.ts";
import { until } from "./support/platform.ts";

let folder: string;
let api: ScriptedConsole;
let app: GradioStandIn;
let url: string;
const done = (...data: readonly unknown[]) => ({ msg: "process_completed", success: true, output: { data } });
const call = {
  ...{ id: "c_1", at: "2026-11-30T12:00:00.000Z", account: "alice", space: "alice/demo", request: "q_1" },
  ...{ stage: "ended", outcome: "ok", code: null, size: "large", declaredMs: 10_000, heldMs: 10_000, queuedMs: 19_800 },
  ...{ usedMs: 400, chargedMs: 400, receipt: "r_1", waiting: null },
};
const quote = {
  admitted: true,
  pool: "main",
  heldMs: 10_000,
  clipped: false,
  usual: { runs: 50, medianMs: 400 },
  refused: null,
};

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "wb-call-"));
  [api, app] = [new ScriptedConsole(), new GradioStandIn()];
  url = await api.listen();
  api.routes.set("GET /api/spaces/alice/demo", { ...space, id: "alice/demo", addresses: [await app.listen()] });
  api.routes.set("POST /api/gpu/quote", quote);
  api.routes.set("GET /api/quota", { leftMs: 239_600 });
  tell(call);
});
afterEach(async () => {
  await app[Symbol.asyncDispose]();
  await api[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

function tell(view: object): void {
  api.routes.set("GET /api/calls", { items: [view], next: null });
  api.routes.set("GET /api/calls/c_1", view);
}

async function waybill(args: readonly string[], signal = new AbortController().signal) {
  const { world, said } = cliWorld({ env: { WAYBILL_URL: url, WAYBILL_TOKEN: "hf_wbtest" }, signal });
  const code = await runCli(["call", "alice/demo", ...args], world);
  return { code, ...said };
}

describe("waybill call", () => {
  test("tells price, place, grant and receipt on stderr, and prints the answer alone", async () => {
    const waiting = { says: "3rd of 5, about 22 s: all 4 slots leased" };
    tell({ ...call, stage: "queued", outcome: null, receipt: null, waiting });
    app.events = [{ msg: "process_starts" }, { msg: "log", log: "half of it" }, done("drawn")];
    const { world, said } = cliWorld({ env: { WAYBILL_URL: url, WAYBILL_TOKEN: "hf_wbtest" } });
    app.beforeLast = until("the place was told", () => said.err.includes("queue")).then(async () => {
      tell({ ...call, stage: "running", outcome: null, receipt: null });
      await until("the grant was told", () => said.err.includes("granted"));
      tell(call);
    });
    assert.equal(await runCli(["call", "alice/demo", "render", "zoom=2", "title=12"], world), 0);
    assert.equal(said.out, '"drawn"\n');
    const [about, own] = [said.err.split("\n"), "app      half of it"];
    assert.ok(about.includes(own));
    assert.deepEqual(
      about.filter((line) => line !== own),
      [
        "price    holds 10 s; usually 0.4 s (50 calls)",
        "queue    3rd of 5, about 22 s: all 4 slots leased",
        "granted  after 20 s",
        "receipt  r_1: charged 0.4 s, 9.6 s given back, 239.6 s left",
        "",
      ],
    );
    // A text stays a text, also where it is written in digits; what was not given is the default.
    assert.deepEqual(app.joins, [{ data: [2, "12", null], authorization: "Bearer hf_wbtest" }]);
  });

  test("is one document with --json, and the call's id with -q", async () => {
    app.events = [done("a", 2)];
    const { out, err, code } = await waybill(["/render", "title=x", "--json"]);
    assert.deepEqual(
      [code, err, JSON.parse(out)],
      [
        0,
        "",
        {
          space: "alice/demo",
          function: "/render",
          request: "q_1",
          call: "c_1",
          receipt: "r_1",
          outputs: ["a", 2],
          files: [],
        },
      ],
    );
    assert.equal((await waybill(["/render", "title=x", "-q"])).out, "c_1\n");
  });

  test("sends files, and writes those of the answer without overwriting any", async () => {
    const picture = join(folder, "in.png");
    writeFileSync(picture, "a picture");
    writeFileSync(join(folder, "out.png"), "mine");
    app.files = { "/tmp/gradio/made.png": "drawn" };
    app.events = [
      done({ path: "/tmp/gradio/made.png", orig_name: "../../out.png", meta: { _type: "gradio.FileData" } }),
    ];
    const { code, out } = await waybill(["/render", "title=x", `picture=@${picture}`, "--save", folder]);
    assert.deepEqual([code, out], [0, `${JSON.stringify(join(folder, "out-1.png"))}\n`]);
    assert.match(app.uploads[0] ?? "", /a picture/);
    assert.deepEqual(app.joins[0]?.data[2], {
      path: "/tmp/gradio/stored.png",
      orig_name: "in.png",
      meta: { _type: "gradio.FileData" },
    });
    assert.deepEqual(
      ["out.png", "out-1.png"].map((name) => readFileSync(join(folder, name), "utf8")),
      ["mine", "drawn"],
    );
    assert.equal(readdirSync(folder).length, 3);
  });

  test("is not made where it would hold more than --max", async () => {
    const { code, err } = await waybill(["/render", "title=x", "--max", "5s"]);
    assert.deepEqual([code, app.joins], [5, []]);
    assert.match(err, /holds 10 s, and --max is 5 s\. Nothing was called/);
  });

  test("is cancelled where its price was not known before and is more than --max", async () => {
    api.routes.set("POST /api/gpu/quote", (response: never) =>
      problem(response, { status: 404, detail: "not known", boundary: "control", code: "not-found" }),
    );
    tell({ ...call, stage: "queued", outcome: null, receipt: null, waiting: { says: "1st of 1" } });
    api.routes.set("POST /api/calls/c_1/cancel", { ...call, outcome: "refused" });
    app.events = [{ msg: "process_starts" }, done("late")];
    const own = app;
    own.beforeLast = until("the call is cancelled", () => own.cancels > 0);
    const { code, err } = await waybill(["/render", "title=x", "--max", "5s"]);
    assert.equal(code, 5, err);
    assert.match(err, /^price {4}not known before the function's first call\n[^]*--max is 5 s: it was cancelled/);
    assert.ok(api.received.some(({ path }) => path === "/api/calls/c_1/cancel"));
  });

  test("is followed, and --max kept, also where a look at it fails", async () => {
    api.routes.set("POST /api/gpu/quote", (response: never) =>
      problem(response, { status: 404, detail: "not known", boundary: "control", code: "not-found" }),
    );
    const queued = { ...call, stage: "queued", outcome: null, receipt: null, waiting: { says: "1st of 1" } };
    api.routes.set("POST /api/calls/c_1/cancel", { ...call, outcome: "refused" });
    api.routes.set("GET /api/calls", (response: never) => {
      tell(queued);
      problem(response, { status: 503, detail: "it starts", boundary: "control", code: "starting" });
    });
    app.events = [{ msg: "process_starts" }, done("late")];
    const own = app;
    own.beforeLast = until("the call is cancelled", () => own.cancels > 0);
    const { code, err } = await waybill(["/render", "title=x", "--max", "5s"]);
    assert.equal(code, 5, err);
    assert.match(err, /--max is 5 s: it was cancelled/);
  });

  test("says of an answer that cannot be read that it cannot, and not that the app is away", async () => {
    app.events = ['{"msg":'];
    const { code, err } = await waybill(["/render", "title=x"]);
    assert.equal(code, 1, err);
    assert.match(err.replaceAll(/\s+/g, " "), /The app's answer cannot be read: /);
  });

  test("is cancelled by Ctrl-C", async () => {
    app.events = [{ msg: "process_starts" }];
    const stop = new AbortController();
    const ran = waybill(["/render", "title=x"], stop.signal);
    await until("it was called", () => app.joins.length > 0);
    stop.abort("SIGINT");
    const { code, err } = await ran;
    assert.deepEqual([code, app.cancels], [130, 1]);
    assert.match(err, /cancelled; what became of it: waybill calls/);
  });

  test("says all that is wrong with its arguments, and what the function takes", async () => {
    const { code, err } = await waybill(["/render", "zoom", "colour=red"]);
    assert.deepEqual([code, app.joins], [2, []]);
    assert.match(err, /"zoom" is not NAME=VALUE; there is no colour; title is missing\./);
    assert.match(err.replaceAll(/\s+/g, " "), /\/render takes zoom=1, title, picture=null/);
    const other = await waybill(["/draw"]);
    assert.equal(other.code, 3);
    assert.match(other.err.replaceAll(/\s+/g, " "), /no function \/draw\. try It has \/render/);
  });

  test("says of an app that is not Gradio's how it is asked", async () => {
    app.speaksGradio = false;
    const { code, out, err } = await waybill(["/render", "title=x", "--json"]);
    assert.deepEqual([code, err], [2, ""]);
    assert.match(out, /does not speak Gradio's API/);
  });

  test("fails by who failed: a refusal of the platform's is 5, the app's own error 1", async () => {
    tell({ ...call, outcome: "refused", code: "gpu/queue-timeout", receipt: null, chargedMs: 0 });
    app.events = [{ msg: "process_completed", success: false, output: { error: "No GPU became free within 60 s." } }];
    const refused = await waybill(["/render", "title=x", "--json"]);
    const { code, boundary, owner, waybill: work } = JSON.parse(refused.out) as Record<string, unknown>;
    assert.deepEqual([refused.code, boundary, code, owner, work], [5, "gpu", "queue-timeout", "platform", "c_1"]);
    tell({ ...call, outcome: "failed", code: null });
    app.events = [{ msg: "process_completed", success: false, output: { error: "no such colour" } }];
    const broken = await waybill(["/render", "title=x"]);
    assert.equal(broken.code, 1);
    assert.match(broken.err, /error\[app\/reported\]: no such colour/);
  });
});
