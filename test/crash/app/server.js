// One GPU call a request, by hand. Each answer of the Device API is appended to the file that `ledger.txt` names before anything else is
// done: the app outlives the platform, so what stands there was acknowledged.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { setTimeout as delay } from "node:timers/promises";

const ledger = readFileSync("ledger.txt", "utf8").trim();
const base = process.env.SPACES_ZERO_DEVICE_API_URL;
/** A worker that was told to end has ended by then; only one that was not is waited for so long, and that is a fault. */
const endsWithinMs = 30_000;
/** A worker for each slot, which only lives. */
const workers = new Map();

createServer((request, response) => {
  request.resume();
  const query = new URL(request.url, "http://app").searchParams;
  borrow(request.headers["x-ip-token"] ?? "", query)
    .then((told) => response.end(JSON.stringify(told)))
    .catch((error) => {
      write({ what: "broke", says: String(error.stack) });
      response.writeHead(500).end(String(error));
    });
}).listen(process.env.PORT, "127.0.0.1");

async function borrow(token, query) {
  const scheduled = await schedule(token, query.get("seconds") ?? "5");
  const { call } = scheduled;
  if (scheduled.grant === undefined) return { call, refused: scheduled.refused };
  const { allowToken, idle, slot } = scheduled.grant;
  write({ what: "granted", call, slot });
  if (query.has("unused")) return { call, ...(await release(call, allowToken, { fail: false, outcome: "unused" })) };
  // A warm worker's meter begins with the grant, another's when it is allowed.
  const isWarm = idle && workers.has(slot);
  const metered = isWarm ? scheduled.asked : performance.now();
  if (!isWarm) {
    const allowed = await allow(allowToken, slot);
    write({ what: "allowed", call, status: allowed.status });
    if (allowed.status !== 200) return { call, status: allowed.status };
  }
  const used = performance.now();
  await delay(Number(query.get("ms") ?? 5));
  const least = performance.now() - used;
  const told = await release(call, allowToken, { fail: query.has("raises") });
  write({ what: "used", call, leastMs: least, mostMs: performance.now() - metered });
  return { call, ...told };
}

/** The platform ends idle workers: in the place of one that was about to go another is taken. */
async function allow(allowToken, slot) {
  const worker = workerOf(slot);
  const allowed = await device("/allow", { allowToken, pid: worker.pid });
  if (allowed.status !== 403 || !(await hasEnded(worker))) return allowed;
  return device("/allow", { allowToken, pid: workerOf(slot).pid });
}

/** Of one that was told to end the word may still be on its way. */
async function hasEnded(worker) {
  if (worker.exitCode !== null || worker.signalCode !== null) return true;
  return Promise.race([once(worker, "exit").then(() => true), delay(endsWithinMs, false)]);
}

/** The grant, or the code that refuses it. */
async function schedule(token, durationSeconds) {
  const asked = performance.now();
  const args = { taskId: "1", durationSeconds, gpuSize: "large", waybill: "1", token };
  const answer = await device("/schedule", args);
  const call = answer.headers.get("x-waybill-id");
  const text = await answer.text();
  const isStream = answer.headers.get("content-type")?.startsWith("text/event-stream");
  const last = isStream ? text.trim().split("\n\n").at(-1) : text;
  const body = JSON.parse(last.slice(last.indexOf("{")));
  const isGranted = isStream ? last.startsWith("event: succeeded") : answer.status === 200;
  if (isGranted) return { call, grant: body, asked };
  write({ what: "refused", call, code: `${body.boundary}/${body.code}` });
  return { call, refused: body.code };
}

async function release(call, allowToken, ending) {
  const answer = await device("/release", { allowToken, ...ending });
  await answer.text();
  write({ what: "released", call, status: answer.status, ...ending });
  return { status: answer.status };
}

function workerOf(slot) {
  const known = workers.get(slot);
  if (known) return known;
  const worker = spawn("sleep", ["infinity"], { stdio: "ignore" });
  workers.set(slot, worker);
  worker.on("exit", () => workers.get(slot) === worker && workers.delete(slot));
  return worker;
}

function device(path, args) {
  return fetch(`${base}${path}?${new URLSearchParams(args)}`, { method: "POST" });
}

function write(line) {
  appendFileSync(ledger, `${JSON.stringify(line)}\n`);
}
