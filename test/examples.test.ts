/** The Node example as a person runs it: the SDK as a package in its node_modules, a scripted Device API, real processes. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { inflateSync } from "node:zlib";
import { writeSdkPackage } from "../src/client/sdk-package.ts";
import { ScriptedDeviceApi, grant, plain, stream } from "./support/device-api.ts";
import { freePort } from "./support/free-port.ts";

const device = new ScriptedDeviceApi();
let folder: string;
let app: ChildProcess;
let url: string;
let log = "";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "waybill-example-"));
  await cp(new URL("../examples/node-mandelbrot/", import.meta.url), folder, { recursive: true });
  await writeSdkPackage(join(folder, "node_modules", "waybill"), "0.0.0");
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  const env = { ...process.env, PORT: String(port), SPACES_ZERO_DEVICE_API_URL: await device.listen() };
  app = spawn(process.execPath, ["server.js"], { cwd: folder, env, stdio: ["ignore", "pipe", "inherit"] });
  app.stdout!.on("data", (chunk: Buffer) => (log += chunk.toString()));
  await until(() => log.includes("listening"));
});
after(async () => {
  const exited = once(app, "exit");
  app.kill("SIGTERM");
  assert.deepEqual(await exited, [0, null]);
  await device[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

describe("examples/node-mandelbrot", () => {
  test("answers /api/render with a whole PNG, the call's id, and a line in its log", async () => {
    const response = await fetch(`${url}/api/render?zoom=4`, { headers: { "x-ip-token": "v.i.s" } });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "image/png");
    assert.equal(response.headers.get("x-gpu-call"), "c_1");
    const { width, height, pixels } = decodePng(Buffer.from(await response.arrayBuffer()));
    assert.deepEqual([width, height], [720, 480]);
    assert(new Set(pixels).size > 100, "a picture has many colours");
    assert.equal(device.of("/schedule")[0]!.query["token"], "v.i.s");
    await until(() => /render zoom=4: ok, \d+ ms, call c_1/.test(log));
  });

  test("tells on its stream where the call waits, how far it is, and the picture", async () => {
    device.schedule = (response) => {
      const send = stream(response);
      send("waiting", { position: 2, of: 3, estimateMs: 8_000, says: "Waiting for a GPU: 2nd of 3, about 8 s." });
      setImmediate(() => send("succeeded", grant));
    };
    const text = await (await fetch(`${url}/api/render/stream?zoom=2`)).text();
    const events = text
      .trim()
      .split("\n\n")
      .map((block) => /^event: (\w+)\ndata: (.*)$/s.exec(block)!.slice(1));
    assert.deepEqual(JSON.parse(events[0]![1]!), {
      position: 2,
      of: 3,
      estimateMs: 8_000,
      says: "Waiting for a GPU: 2nd of 3, about 8 s.",
    });
    assert.deepEqual([...new Set(events.map(([name]) => name))], ["waiting", "progress", "done"]);
    const done = JSON.parse(events.at(-1)![1]!) as { call: string; picture: string };
    assert.equal(done.call, "c_2");
    assert.match(done.picture, /^data:image\/png;base64,iVBOR/);
  });

  test("passes a refusal on: its status, its problem, its Retry-After", async () => {
    const problem = {
      status: 503,
      title: "x",
      detail: "No GPU became free within 3 s.",
      boundary: "gpu",
      code: "queue-timeout",
      retry: "later",
      waybill: "c_5",
    };
    device.schedule = (response) => {
      response.setHeader("retry-after", "9");
      plain(response, 503, problem);
    };
    const response = await fetch(`${url}/api/hold?seconds=1`);
    assert.equal(response.status, 503);
    assert.equal(response.headers.get("content-type"), "application/problem+json");
    assert.equal(response.headers.get("retry-after"), "9");
    assert.equal(response.headers.get("x-gpu-call"), "c_5");
    assert.deepEqual(await response.json(), { type: "about:blank", ...problem });
    const events = await (await fetch(`${url}/api/render/stream`)).text();
    assert.match(events, /^event: failed\ndata: \{"sentence":"No GPU became free within 3 s\."/);
  });

  test("holds a GPU for as long as it is asked, and declares a little more", async () => {
    device.schedule = (response) => plain(response, 200, grant);
    const before = performance.now();
    const response = await fetch(`${url}/api/hold?seconds=0.5`);
    assert.equal(response.status, 200, await response.clone().text());
    assert(performance.now() - before >= 500);
    assert.equal(device.of("/schedule").at(-1)!.query["durationSeconds"], "3");
  });

  test("says what is wrong with its input", async () => {
    const response = await fetch(`${url}/api/render?zoom=fast`);
    assert.equal(response.status, 400);
    assert.equal(
      ((await response.json()) as { detail: string }).detail,
      'zoom is a number from 1 to 1000000000000, not "fast".',
    );
    assert.equal((await fetch(`${url}/nothing`)).status, 404);
    assert.match(await (await fetch(url)).text(), /<title>Mandelbrot/);
  });
});

function decodePng(bytes: Buffer): { width: number; height: number; pixels: Uint32Array } {
  assert.deepEqual(bytes.subarray(0, 8), Buffer.from("89504e470d0a1a0a", "hex"));
  const parts: Buffer[] = [];
  for (let at = 8; at < bytes.length; at += bytes.readUInt32BE(at) + 12) {
    if (bytes.toString("latin1", at + 4, at + 8) === "IDAT")
      parts.push(bytes.subarray(at + 8, at + 8 + bytes.readUInt32BE(at)));
  }
  const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
  const rows = inflateSync(Buffer.concat(parts));
  assert.equal(rows.length, (width * 3 + 1) * height);
  const pixels = new Uint32Array(width * height);
  for (let i = 0; i < pixels.length; i++)
    pixels[i] = rows.readUIntBE(Math.floor(i / width) * (width * 3 + 1) + 1 + (i % width) * 3, 3);
  return { width, height, pixels };
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail(`not within 10 s; the app's log:\n${log}`);
}
