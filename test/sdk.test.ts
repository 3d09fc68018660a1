/** The SDK with real worker processes against a scripted Device API. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { GpuFunctionError, GpuRefused, GpuWorkerLost } from "../src/client/sdk/index.ts";
import type { Waiting } from "../src/client/sdk/index.ts";
import { ScriptedDeviceApi, grant, grantNow, plain, stream } from "./support/device-api.ts";
import { eventually } from "./support/eventually.ts";
import * as app from "./support/sdk-app.ts";

let folder: string;
let device: ScriptedDeviceApi;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "waybill-sdk-"));
  await writeFile(join(folder, "cgroup"), "0::/replica-7\n");
  process.env["ZEROGPU_PROC_SELF_CGROUP_PATH"] = join(folder, "cgroup");
});
beforeEach(async () => {
  device = new ScriptedDeviceApi();
  process.env["SPACES_ZERO_DEVICE_API_URL"] = await device.listen();
});
afterEach(async () => await device[Symbol.asyncDispose]());
after(async () => {
  delete process.env["SPACES_ZERO_DEVICE_API_URL"];
  await rm(folder, { recursive: true });
});

describe("quote", () => {
  test("asks the platform on the visitor's account, holds nothing, and passes a refusal on", async () => {
    const asked: unknown[] = [];
    const usual = { runs: 3, medianMs: 900, p90Ms: 1500 };
    const said = { admitted: true, heldMs: 4000, leaseMs: 2000, clipped: false, usual, waiting: null, refused: null };
    const quote = { ...said, pool: "small", passed: [{ pool: "main", code: "queue-full" }] };
    const problem = { status: 401, code: "expired", boundary: "identity", detail: "too old", retry: "never" };
    const api = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        asked.push([request.method, request.url, request.headers["x-ip-token"], JSON.parse(body)]);
        const isFirst = asked.length === 1;
        response.writeHead(isFirst ? 200 : 401).end(JSON.stringify(isFirst ? quote : problem));
      });
    }).listen(0, "127.0.0.1");
    await once(api, "listening");
    process.env["WAYBILL_URL"] = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
    process.env["SPACE_ID"] = "demo/app";
    try {
      const request = new Headers({ "x-ip-token": "a.b.c" });
      assert.deepEqual(await app.whoRuns.quote({ values: [] }, { request }), quote);
      const what = { space: "demo/app", declaredMs: 2000, size: "xlarge" };
      assert.deepEqual(asked, [["POST", "/api/gpu/quote", "a.b.c", what]]);
      await assert.rejects(app.whoRuns.quote({ values: [] }, { request }), { code: "identity/expired", status: 401 });
      assert.deepEqual(device.asked, []);
    } finally {
      delete process.env["WAYBILL_URL"];
      delete process.env["SPACE_ID"];
      api.close().closeAllConnections();
    }
  });

  test("says so where the platform gives none, and costs nothing where there is no platform", async () => {
    await assert.rejects(app.whoRuns.quote({ values: [] }), /gives no quotes/);
    delete process.env["SPACES_ZERO_DEVICE_API_URL"];
    const { admitted, heldMs, leaseMs, passed } = await app.whoRuns.quote({ values: [] });
    assert.deepEqual([admitted, heldMs, leaseMs, passed], [true, 0, 2000, []]);
  });
});

describe("gpu", () => {
  test("a call that is granted at once runs in a process of its own, which the platform allowed first", async () => {
    const seen: unknown[] = [];
    const { result, call } = await app.whoRuns.run(
      { values: [1, 2, 3] },
      { request: new Headers({ "x-ip-token": "a.b.c" }), onProgress: (value) => seen.push(value) },
    );
    assert.equal(result.sum, 6);
    assert.equal(result.when.getTime(), 0);
    assert.notEqual(result.pid, process.pid);
    assert.equal(result.cuda, "GPU-0");
    assert.equal(call, "c_1");
    assert.deepEqual(seen, [{ seen: 1 }, { seen: 2 }, { seen: 3 }]);
    assert.deepEqual(
      device.asked.map(({ path }) => path),
      ["/schedule", "/allow", "/release"],
    );
    const { taskId, ...query } = device.asked[0]!.query;
    assert.match(taskId!, /^\d+$/);
    assert.deepEqual(query, {
      cgroupPath: "/replica-7",
      enableQueue: "true",
      tokenVersion: "2",
      durationSeconds: "2",
      waybill: "1",
      gpuSize: "xlarge",
      token: "a.b.c",
    });
    assert.deepEqual(device.asked[1]!.query, { allowToken: "t1", pid: String(result.pid) });
    assert.deepEqual(device.asked[2]!.query, { allowToken: "t1", fail: "false", outcome: "returned" });
  });

  test("a worker is used again without /allow where the grant says idle, and replaced where it does not", async () => {
    const first = await app.whoRuns.run({ values: [] });
    device.schedule = (response) => grantNow(response, { idle: true, allowToken: "t2" });
    const second = await app.whoRuns.run({ values: [] });
    assert.equal(second.result.pid, first.result.pid);
    device.schedule = (response) => grantNow(response, { allowToken: "t3" });
    const third = await app.whoRuns.run({ values: [] });
    assert.notEqual(third.result.pid, first.result.pid);
    assert.deepEqual(
      device.of("/allow").map(({ query }) => query["allowToken"]),
      ["t1", "t3"],
    );
    await gone(first.result.pid);
  });

  test("two slots of one card have a worker each", async () => {
    let granted = 0;
    device.schedule = (response) => {
      const slot = granted++ === 0 ? "n1/0/0" : "n1/0/1";
      grantNow(response, { slot, allowToken: slot });
    };
    const [one, two] = await Promise.all([app.whoRuns.run({ values: [] }), app.whoRuns.run({ values: [] })]);
    assert.notEqual(one.result.pid, two.result.pid);
    device.schedule = (response) => grantNow(response, { idle: true, slot: "n1/0/1" });
    const third = await app.whoRuns.run({ values: [] });
    const ofSlot1 = device.of("/allow").find(({ query }) => query["allowToken"] === "n1/0/1");
    assert.equal(String(third.result.pid), ofSlot1!.query["pid"]);
  });

  test("a waiting call hears its place, also where an event arrives in two chunks, then runs", async () => {
    device.schedule = (response) => {
      const send = stream(response);
      send("ping");
      send("waiting", { position: 2, of: 3, estimateMs: 8_000, says: "Waiting for a GPU: 2nd of 3, about 8 s." });
      response.write("event: succee");
      setImmediate(() => response.end(`ded\r\ndata: ${JSON.stringify(grant)}\r\n\r\n`));
    };
    const waits: Waiting[] = [];
    const { result, call } = await app.whoRuns.run({ values: [4] }, { onWaiting: (waiting) => waits.push(waiting) });
    assert.equal(result.sum, 4);
    assert.equal(call, "c_2");
    assert.deepEqual(waits, [
      { position: 2, of: 3, estimateMs: 8_000, says: "Waiting for a GPU: 2nd of 3, about 8 s." },
    ]);
  });

  test("a client that was granted does not hang up before the platform has ended the stream", async () => {
    const ended = Promise.withResolvers<boolean>();
    device.schedule = (response) => {
      response.on("close", () => ended.resolve(response.writableFinished));
      stream(response)("succeeded", grant);
      setTimeout(() => response.end(), 100);
    };
    await app.whoRuns.run({ values: [] });
    assert.equal(await ended.promise, true);
  });

  test("a refusal in the queue carries the platform's problem", async () => {
    const problem = {
      status: 503,
      title: "GPU queue",
      detail: "No GPU became free within 3 s.",
      boundary: "gpu",
      code: "queue-timeout",
      retry: "later",
      waybill: "c_77",
    };
    device.schedule = (response) => {
      stream(response)("failed", problem);
      response.end();
    };
    const error = await refusal(app.whoRuns.run({ values: [] }));
    assert.equal(error.message, "No GPU became free within 3 s.");
    assert.equal(error.code, "gpu/queue-timeout");
    assert.equal(error.status, 503);
    assert.equal(error.call, "c_77");
    assert.deepEqual(error.problem, problem);
    assert.deepEqual(device.of("/release"), []);
  });

  test("a refusal at once says when to come back, with or without a problem in its body", async () => {
    device.schedule = (response) => {
      plain(response, 429, {
        status: 429,
        detail: "You have 0 s left.",
        boundary: "gpu",
        code: "quota-exceeded",
        left: 0,
        wait: 22,
      });
    };
    const told = await refusal(app.whoRuns.run({ values: [] }));
    assert.equal(told.message, "You have 0 s left.");
    assert.equal(told.retryAfter, 22);
    device.schedule = (response) => plain(response, 429, { left: 12, wait: 60 });
    const plainOne = await refusal(app.whoRuns.run({ values: [] }));
    assert.equal(plainOne.code, "gpu/quota-exceeded");
    assert.match(plainOne.message, /12 s of GPU time left/);
  });

  test("an exception crosses with its name, message, code and stack, and the worker lives on", async () => {
    const error = await failure(app.breaks.run("input"));
    assert(error instanceof GpuFunctionError);
    assert.equal(error.name, "RangeError");
    assert.equal(error.message, "no: input");
    assert.equal(error.code, "E_NO");
    assert.match(error.stack!, /sdk-app\.ts/);
    assert.deepEqual(
      device.of("/release").map(({ query }) => query),
      [{ allowToken: "t1", fail: "true", outcome: "raised" }],
    );
  });

  test("a result that cannot be copied is the function's error, not a hang", async () => {
    const error = await failure(app.uncloneable.run(undefined));
    assert(error instanceof GpuFunctionError);
    assert.match(error.message, /could not be cloned/);
  });

  test("a worker that exits is reported with its code, and a fresh one takes the next call", async () => {
    const error = await failure(app.exits.run(3));
    assert(error instanceof GpuWorkerLost);
    assert.equal(error.exitCode, 3);
    assert.equal(error.code, "gpu/worker-lost");
    assert.match(error.message, /"exits" \(sdk-app\.ts\) exited with code 3/);
    assert.deepEqual(device.of("/release")[0]!.query, { allowToken: "t1", fail: "true", outcome: "lost", exit: "3" });
    device.schedule = (response) => grantNow(response, { idle: true });
    assert.equal(((await failure(app.exits.run(4))) as GpuWorkerLost).exitCode, 4);
    assert.equal(device.of("/allow").length, 2);
  });

  test("what the platform says about the end of a worker that it ended is the error", async () => {
    device.release = (response) =>
      plain(response, 200, { code: "gpu/lease-expired", says: "Stopped at the 1 s that the app declares." });
    const running = app.never.run(null, {
      onProgress: () => process.kill(Number(device.of("/allow")[0]!.query["pid"]), "SIGKILL"),
    });
    const error = await failure(running);
    assert(error instanceof GpuWorkerLost);
    assert.equal(error.code, "gpu/lease-expired");
    assert.equal(error.message, "Stopped at the 1 s that the app declares.");
    assert.equal(error.exitSignal, "SIGKILL");
  });

  test("a process that is not allowed never enters the function", async () => {
    device.allow = (response) => plain(response, 409, { detail: "late" });
    const seen: unknown[] = [];
    const error = await failure(app.never.run(null, { onProgress: (value) => seen.push(value) }));
    assert.match(error.message, /did not let this worker use the GPU \(409/);
    assert.deepEqual(seen, []);
    assert.equal(device.of("/release")[0]!.query["outcome"], "unused");
  });

  test("an abort while queued closes the stream and runs nothing", async () => {
    const caller = new AbortController();
    const closed = Promise.withResolvers<void>();
    device.schedule = (response) => {
      const send = stream(response);
      response.on("close", () => closed.resolve());
      send("waiting", { position: 1, of: 1, estimateMs: null, says: "Waiting." });
    };
    const running = app.whoRuns.run(
      { values: [] },
      { signal: caller.signal, onWaiting: () => caller.abort(new Error("left")) },
    );
    assert.equal((await failure(running)).message, "left");
    await closed.promise;
    assert.deepEqual(
      device.asked.map(({ path }) => path),
      ["/schedule"],
    );
  });

  test("an abort while running is told to the function, which goes on", async () => {
    const caller = new AbortController();
    const { result } = await app.listens.run(null, {
      signal: caller.signal,
      onProgress: () => caller.abort(new Error("left")),
    });
    assert.equal(result, "stopped: left");
    assert.equal(device.of("/release")[0]!.query["outcome"], "returned");
  });

  test("a function that fails for its caller's leave is released as aborted, not as an error of the app", async () => {
    const caller = new AbortController();
    const running = app.givesUp.run(null, {
      signal: caller.signal,
      onProgress: () => caller.abort(new Error("left")),
    });
    assert.equal((await failure(running)).message, "left");
    assert.equal(device.of("/release")[0]!.query["outcome"], "aborted");
  });

  test("with stopOnAbort an abort ends the process", async () => {
    const caller = new AbortController();
    const running = app.never.run(null, {
      signal: caller.signal,
      stopOnAbort: true,
      onProgress: () => caller.abort(new Error("left")),
    });
    assert.equal((await failure(running)).message, "left");
    assert.deepEqual(device.of("/release")[0]!.query, {
      allowToken: "t1",
      fail: "true",
      outcome: "aborted",
      signal: "SIGTERM",
    });
  });

  test("an error of the app's own onWaiting is the app's to see, and schedules nothing again", async () => {
    device.schedule = (response) => {
      stream(response)("waiting", { position: 1, of: 1, estimateMs: null, says: "1st of 1" });
    };
    const running = app.whoRuns.run(
      { values: [] },
      {
        onWaiting: () => {
          throw new RangeError("mine");
        },
      },
    );
    assert.equal((await failure(running)).message, "mine");
    assert.equal(device.of("/schedule").length, 1);
  });

  test("a dropped stream is scheduled once more, and then given up", async () => {
    device.schedule = (response) => {
      stream(response)("ping");
      response.end();
    };
    assert.match((await failure(app.whoRuns.run({ values: [] }))).message, /ended the stream without an answer/);
    assert.deepEqual(
      device.of("/schedule").map(({ query }) => query["gpuSize"]),
      ["xlarge", "xlarge"],
    );
  });

  test("a release that fails is repeated until the platform has taken it, once", async () => {
    let tries = 0;
    device.release = (response) => (++tries < 3 ? response.destroy() : plain(response, 200));
    const { result } = await app.whoRuns.run({ values: [1] });
    assert.equal(result.sum, 1);
    assert.equal(tries, 3);
  });

  test("a call inside a call uses the GPU that its process has", async () => {
    const { result } = await app.outer.run([1]);
    assert.deepEqual(result, { same: true, call: null });
    assert.equal(device.of("/schedule").length, 1);
  });

  test("without a platform the function runs in a worker, and it is said once", async () => {
    delete process.env["SPACES_ZERO_DEVICE_API_URL"];
    const script = join(folder, "local.mjs");
    const at = new URL("./support/sdk-app.ts", import.meta.url).href;
    await writeFile(
      script,
      `const { whoRuns } = await import(${JSON.stringify(at)});
       const a = await whoRuns.run({ values: [1] });
       const b = await whoRuns.run({ values: [2] });
       console.log(JSON.stringify([a.result.sum, b.result.sum, a.result.pid === b.result.pid, a.result.pid !== process.pid, a.call]));`,
    );
    const child = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "pipe"] });
    const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
    assert.equal(code, 0, err);
    assert.deepEqual(JSON.parse(out), [1, 2, true, true, null]);
    assert.equal(err.match(/no platform here/g)?.length, 1);
  });
});

async function failure(promise: Promise<unknown>): Promise<Error> {
  return await promise.then(
    () => assert.fail("the call went well"),
    (error: unknown) => error as Error,
  );
}

async function refusal(promise: Promise<unknown>): Promise<GpuRefused> {
  const error = await failure(promise);
  assert(error instanceof GpuRefused, String(error));
  return error;
}

/** Resolves when the process is no more. */
async function gone(pid: number): Promise<void> {
  await eventually(`process ${pid} is no more`, () => {
    try {
      return !process.kill(pid, 0);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
      return true;
    }
  });
}

async function text(stream: NodeJS.ReadableStream): Promise<string> {
  let all = "";
  for await (const chunk of stream) all += String(chunk);
  return all;
}
