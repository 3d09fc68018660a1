/** The Device API of a real shim, with the test as its agent: what a `spaces` client sees, and what the meter reports. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import type { MeterReport, ScheduleRequest, ToAgent } from "../src/contract/agent.ts";
import { unacknowledgedReports } from "../src/gpu/meter-file.ts";
import { adopt } from "../src/runtime/launch.ts";
import { readApp, readShim } from "../src/runtime/folder.ts";
import { isAlive, linuxProcesses } from "../src/runtime/processes.ts";
import { bench, dial, textOf, until, watch, type Started } from "./support/replicas.ts";

const replicas = bench();
after(() => replicas[Symbol.asyncDispose]());
const processes = linuxProcesses();
/** At once; a grant that nobody attaches to is taken back after 30 s. */
const givenBackWithinMs = 20_000;
const alive = (pid: number): boolean => processes.stat(pid) !== undefined && processes.stat(pid)?.state !== "Z";

/** Starts processes on demand: `GET /<shell command>` → pid. */
const app = {
  "app.js": `const { spawn } = require("node:child_process");
    require("node:fs").writeFileSync("url", process.env.SPACES_ZERO_DEVICE_API_URL);
    require("node:http").createServer((request, response) => {
      const child = spawn("sh", ["-c", decodeURIComponent(request.url.slice(1))], { stdio: "ignore" });
      response.end(String(child.pid));
    }).listen(process.env.PORT, "127.0.0.1");`,
};

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

class Replica {
  readonly one: Started;
  readonly url: string;
  #connections = 0;
  #fence = 0;

  constructor(one: Started) {
    this.one = one;
    this.url = readFileSync(join(one.plan.releaseFolder, "app/url"), "utf8");
  }

  post(path: string, method = "POST"): Promise<Answer> {
    return call(this.url + path, method);
  }

  /** A process of the app. */
  async worker(command = "exec sleep 1000"): Promise<number> {
    const socket = dial(this.one.link.status().socket as string, { connection: ++this.#connections });
    socket.write(`GET /${encodeURIComponent(command)} HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n`);
    return Number((await textOf(socket)).split("\r\n\r\n")[1]?.match(/\d{2,}/)?.[0]);
  }

  /** The next schedule message that was not taken yet. */
  async scheduled(): Promise<ScheduleRequest> {
    const message = await until("a call is scheduled", () => this.one.messages.find(({ type }) => type === "schedule"));
    this.one.messages.splice(this.one.messages.indexOf(message), 1);
    return message.type === "schedule" ? message.request : assert.fail();
  }

  grant(call: string, fields: Partial<Extract<ToAgent, { type: "grant" }>> = {}): number {
    const fence = ++this.#fence;
    const rest = {
      slots: ["n1/0/1"],
      warm: false,
      device: { index: 0, uuid: "GPU-sim-0" },
      leaseMs: 60_000,
      attachWithinMs: 30_000,
    };
    this.one.link.send({ type: "grant", number: fence, call, replica: "p", fence, ...rest, ...fields });
    return fence;
  }

  reports(): readonly MeterReport[] {
    return this.one.messages.flatMap((message) => (message.type === "meter" ? message.report : []));
  }

  ended(call: string, withinMs = 180_000): Promise<Extract<MeterReport, { kind: "ended" }>> {
    return until(
      `${call} has ended`,
      () => this.reports().find((report) => report.kind === "ended" && report.call === call),
      withinMs,
    ) as Promise<Extract<MeterReport, { kind: "ended" }>>;
  }

  /** A call granted to a fresh process and attached. */
  async running(command?: string, fields: Partial<Extract<ToAgent, { type: "grant" }>> = {}) {
    const [pid, answer, request] = await Promise.all([
      this.worker(command),
      this.post("/schedule?taskId=1"),
      this.#grantNext(fields),
    ]);
    const { allowToken } = JSON.parse(answer.text) as { allowToken: string };
    assert.equal((await this.post(`/allow?allowToken=${allowToken}&pid=${pid}`)).status, 200);
    return { call: request.call, allowToken, pid };
  }

  async #grantNext(fields: Partial<Extract<ToAgent, { type: "grant" }>>): Promise<ScheduleRequest> {
    const request = await this.scheduled();
    this.grant(request.call, fields);
    return request;
  }
}

async function replica(): Promise<Replica> {
  const one = await replicas.start(app);
  await one.untilPhase("ready");
  return new Replica(one);
}

function call(url: string, method = "POST"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method }, (response) => {
      let text = "";
      response.on("data", (part: Buffer) => (text += part.toString()));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
      response.on("error", reject);
    });
    request.on("error", reject).end();
  });
}

/** A client that reads its first ping and nothing more, and closes when it is told to, as `spaces` does when its visitor is gone. */
function leaver(url: string): { readonly read: Promise<void>; unread(): boolean; now(): void } {
  const { hostname, port, pathname, search } = new URL(url);
  const read = Promise.withResolvers<void>();
  let text = "";
  const buffer = Buffer.alloc(4_096);
  const callback = (bytes: number): boolean => {
    text += buffer.toString("latin1", 0, bytes);
    if (!text.includes("event: ping")) return true;
    read.resolve();
    return false;
  };
  const socket = connect({ port: Number(port), host: hostname, onread: { buffer, callback } });
  socket.write(`POST ${pathname}${search} HTTP/1.1\r\nhost: device\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
  return {
    read: read.promise,
    unread: () => unreadBytes(socket.localPort ?? 0, Number(port)) > 0,
    now: () => socket.destroy(),
  };
}

/** What the kernel holds for the socket of this port: `rx_queue` of proc_net_tcp. A port may have other connections, to other places. */
function unreadBytes(port: number, remotePort: number): number {
  const [own, other] = [port, remotePort].map((one) => one.toString(16).toUpperCase().padStart(4, "0"));
  const connection = new RegExp(`^ *\\d+: [0-9A-F]{8}:${own} [0-9A-F]{8}:${other} .*$`, "m");
  const row = readFileSync("/proc/net/tcp", "latin1").match(connection)?.[0] ?? "";
  return Number.parseInt(row.trim().split(/\s+/)[4]?.split(":")[1] ?? "0", 16);
}

/** A raw client: what arrives in each read, as a client of the event stream sees it. */
function rawPost(url: string): { reads: string[]; hangUp(): void; closed: () => boolean } {
  const { hostname, port, pathname, search } = new URL(url);
  const reads: string[] = [];
  const socket = connect(Number(port), hostname);
  let closed = false;
  socket.on("data", (bytes) => reads.push(bytes.toString())).on("close", () => (closed = true));
  socket.write(`POST ${pathname}${search} HTTP/1.1\r\nhost: device\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
  return { reads, hangUp: () => socket.destroy(), closed: () => closed };
}

describe("a call", () => {
  test("is scheduled, granted at once, allowed, released, and metered by the shim's clock", async () => {
    const r = await replica();
    assert.equal((await r.post("/startup-report")).status, 200);
    const asked = r.post(
      "/schedule?cgroupPath=/p&taskId=77&enableQueue=true&tokenVersion=2&durationSeconds=30&token=a.b.c",
    );
    const request = await r.scheduled();
    assert.deepEqual([request.task, request.declaredMs, request.size, request.token], ["77", 30_000, "large", "a.b.c"]);
    const fence = r.grant(request.call);
    const answer = await asked;
    assert.deepEqual(
      [answer.status, answer.headers["content-type"], answer.headers["x-approve-result"]],
      [200, "application/json", "approved"],
    );
    const { allowToken, ...grant } = JSON.parse(answer.text) as Record<string, unknown>;
    assert.deepEqual(grant, { idle: false, nvidiaIndex: 1, nvidiaUUID: "GPU-sim-0" });
    const pid = await r.worker();
    assert.equal((await r.post(`/allow?allowToken=${allowToken}&pid=${pid}`)).status, 200);
    assert.equal(
      unacknowledgedReports(r.one.plan.folder)[0]?.kind,
      "attached",
      "the report was on disk before the answer",
    );
    assert.equal((await r.post(`/release?allowToken=${allowToken}&fail=false`)).status, 200);
    const end = await r.ended(request.call);
    assert.deepEqual([end.cause, end.workerAlive, end.unused, end.fence], ["returned", true, false, fence]);
    assert.ok(end.usedMs >= 0 && end.usedMs < 5_000 && Number.isInteger(end.usedMs));
    assert.equal(
      (await r.post(`/release?allowToken=${allowToken}&fail=false`)).status,
      200,
      "a repeat gives the same answer",
    );
    assert.equal(r.reports().filter((report) => report.kind === "ended").length, 1);
    assert.ok(alive(pid), "the worker stays warm");

    const again = r.post("/schedule?taskId=77");
    const second = await r.scheduled();
    r.grant(second.call, { warm: true });
    const warm = JSON.parse((await again).text) as { idle: boolean; allowToken: string };
    assert.equal(warm.idle, true);
    assert.equal((await r.post(`/release?allowToken=${warm.allowToken}&fail=false`)).status, 200);
    assert.deepEqual([(await r.ended(second.call)).unused, (await r.ended(second.call)).workerAlive], [false, true]);

    r.one.link.send({ type: "clear", replica: "p", slot: "n1/0/1", fence: 2 });
    await until("the slot is cleared", () =>
      r.one.messages.find((message) => message.type === "cleared" && message.slot === "n1/0/1"),
    );
    assert.equal(alive(pid), false);
  });

  test("that waits gets one event in each read: pings, then its grant", async () => {
    const r = await replica();
    const client = rawPost(`${r.url}/schedule?taskId=1`);
    const request = await r.scheduled();
    assert.equal((await r.post("/queue-size", "GET")).text, "1");
    await until("two pings", () => client.reads.filter((read) => read.includes("event: ping")).length >= 2);
    r.grant(request.call);
    await until("the stream has ended", client.closed);
    const text = client.reads.join("");
    assert.match(text, /^HTTP\/1\.1 200 OK[^]*content-type: text\/event-stream/i);
    assert.match(text, /x-queuing-reason: node/i);
    const events = client.reads.map((read) => read.split("event: ").length - 1);
    assert.ok(
      events.every((count) => count <= 1),
      `no read holds two events: ${JSON.stringify(client.reads)}`,
    );
    const chunks = client.reads.filter((read) => read.includes("event: "));
    assert.ok(
      chunks.every((read) => read.endsWith("\n\n\r\n")),
      "each event is whole",
    );
    assert.match(chunks.at(-1) ?? "", /event: succeeded\ndata: \{"idle":false/);
  });

  test("whose client closes its stream the moment it has its grant keeps it", async () => {
    const r = await replica();
    for (const waybill of ["", "&waybill=1"]) {
      const client = rawPost(`${r.url}/schedule?taskId=1${waybill}`);
      const request = await r.scheduled();
      await until("it waits", () => client.reads.some((read) => read.includes("event: ping")));
      r.grant(request.call, { slots: [waybill === "" ? "n1/0/1" : "n1/0/2"] });
      const told = await until("its grant", () => client.reads.find((read) => read.includes("succeeded")));
      client.hangUp();
      const { allowToken } = JSON.parse(/data: (.*)/.exec(told)?.[1] ?? "{}") as { allowToken: string };
      assert.equal((await r.post(`/allow?allowToken=${allowToken}&pid=${await r.worker()}`)).status, 200);
      assert.equal((await r.post(`/release?allowToken=${allowToken}&fail=false`)).status, 200);
      assert.deepEqual(
        [(await r.ended(request.call)).cause, (await r.ended(request.call)).unused],
        ["returned", false],
      );
    }
    assert.equal(
      r.one.messages.some(({ type }) => type === "left"),
      false,
    );
  });

  test("whose client has left as its grant comes gives it back at once, also one for a worker that idles, which idles on", async () => {
    const r = await replica();
    const { allowToken, pid, call: first } = await r.running();
    assert.equal((await r.post(`/release?allowToken=${allowToken}&fail=false`)).status, 200);
    await r.ended(first);
    for (const fields of [{ slots: ["n1/0/2"] }, { warm: true }]) {
      const leave = leaver(`${r.url}/schedule?taskId=1`);
      const { call: id } = await r.scheduled();
      await leave.read;
      r.grant(id, fields);
      await until("its grant has come", leave.unread);
      leave.now();
      const { unused, usedMs, workerAlive } = await r.ended(id, givenBackWithinMs);
      assert.deepEqual([unused, usedMs, workerAlive], [true, 0, fields.warm === true]);
    }
    assert.ok(alive(pid));
  });

  test("of our SDK that waits is told its place, and the reason when it is given up", async () => {
    const r = await replica();
    const asked = r.post("/schedule?taskId=1&waybill=1");
    const request = await r.scheduled();
    const { call: id } = request;
    r.one.link.send({
      type: "queued",
      call: id,
      replica: "p",
      position: 2,
      of: 3,
      estimateMs: 900,
      says: "Two are ahead.",
    });
    setTimeout(() => {
      const refusal = {
        code: "gpu/queue-timeout",
        says: "Waited 60 s.",
        kind: "queue",
        leftMs: 0,
        askedMs: 60_000,
        waitMs: 0,
      } as const;
      r.one.link.send({ type: "refuse", call: id, replica: "p", ...refusal });
    }, 2_600);
    const { text, status } = await asked;
    assert.equal(status, 200);
    assert.match(
      text,
      /event: waiting\ndata: \{"call":"c_\w+","position":2,"of":3,"estimateMs":900,"says":"Two are ahead."\}\n\n/,
    );
    const problem = JSON.parse(/event: failed\ndata: (.*)\n\n$/.exec(text)?.[1] ?? "{}") as Record<string, unknown>;
    assert.deepEqual(
      [problem["boundary"], problem["code"], problem["detail"], problem["waybill"]],
      ["gpu", "queue-timeout", "Waited 60 s.", id],
    );
  });

  test("that is refused at once is told with the status that spaces understands", async () => {
    const r = await replica();
    const asked = r.post("/schedule?taskId=1&durationSeconds=60&token=t");
    const { call: id } = await r.scheduled();
    const refusal = {
      code: "gpu/quota-exceeded",
      says: "No.",
      kind: "quota",
      leftMs: 5_000,
      askedMs: 60_000,
      waitMs: 7_000,
    } as const;
    r.one.link.send({ type: "refuse", call: id, replica: "p", ...refusal });
    const answer = await asked;
    assert.deepEqual(
      [answer.status, answer.headers["x-approve-result"], JSON.parse(answer.text)],
      [429, "quota-exceeded", { left: 5, wait: 7 }],
    );
  });

  test("whose lease ends is gone within a second with all that it started, though it ignores TERM", async () => {
    const r = await replica();
    const {
      call: id,
      allowToken,
      pid,
    } = await r.running("trap '' TERM; sleep 1000 & setsid sleep 1001 & while true; do sleep 1; done", {
      leaseMs: 700,
    });
    const children = await until("its children run", () => {
      const found = processes.children(pid);
      return found.length >= 2 ? found : undefined;
    });
    const end = await r.ended(id);
    assert.deepEqual([end.cause, end.usedMs, end.workerAlive], ["lease-end", 700, false]);
    assert.deepEqual([pid, ...children].filter(alive), []);
    const late = await r.post(`/release?allowToken=${allowToken}&fail=true`);
    assert.deepEqual([late.status, (JSON.parse(late.text) as { code: string }).code], [200, "gpu/lease-expired"]);
  });

  test("whose worker is killed is settled with what is known: nothing, or what the app saw", async () => {
    const r = await replica();
    const first = await r.running();
    process.kill(first.pid, "SIGKILL");
    assert.deepEqual(
      [(await r.ended(first.call)).cause, (await r.ended(first.call)).workerAlive],
      ["worker-killed", false],
    );
    const second = await r.running("exec sleep 1000", { slots: ["n1/0/2"] });
    process.kill(second.pid, "SIGTERM");
    await until("the worker is gone", () => !alive(second.pid));
    await r.post(`/release?allowToken=${second.allowToken}&fail=true&outcome=lost&exit=3`);
    const end = await r.ended(second.call);
    assert.deepEqual(
      [end.cause, /exit code 3|SIGTERM/.test(end.says)],
      [end.says.includes("SIGTERM") ? "worker-killed" : "worker-exit", true],
    );
  });

  test("whose worker goes with an app that the platform stops is ended by the platform, whatever the app says of it", async () => {
    for (const says of [false, true]) {
      // An app that takes its time: its worker gets the same TERM and is gone at once.
      const one = await replicas.start({ "app.js": `process.on("SIGTERM", () => {}); ${app["app.js"]}` });
      await one.untilPhase("ready");
      const r = new Replica(one);
      const { call: id, allowToken, pid } = await r.running();
      one.link.send({ type: "stop", graceMs: 5_000, why: "a newer release runs" });
      await until("the worker is gone", () => !alive(pid));
      if (says) await r.post(`/release?allowToken=${allowToken}&fail=true&outcome=lost&signal=SIGTERM`);
      const end = await r.ended(id);
      assert.deepEqual([end.cause, end.workerAlive], ["operator-stop", false]);
      for (const found of [readApp(one.plan.folder)]) if (found) processes.signal(found, "SIGKILL");
      await one.untilPhase("stopped");
    }
  });

  test("is only for a process of its app", async () => {
    const r = await replica();
    const asked = r.post("/schedule?taskId=1");
    r.grant((await r.scheduled()).call);
    const { allowToken } = JSON.parse((await asked).text) as { allowToken: string };
    for (const pid of [1, process.pid, readShim(r.one.plan.folder)?.pid, 999_999]) {
      assert.equal((await r.post(`/allow?allowToken=${allowToken}&pid=${pid}`)).status, 403, `pid ${pid}`);
    }
    assert.equal((await r.post(`/allow?allowToken=nope&pid=${await r.worker()}`)).status, 404);
    assert.equal(
      (await r.post(`/release?allowToken=${allowToken}&fail=false`)).status,
      204,
      "never attached: not used",
    );
    assert.equal((await r.post(`/release?allowToken=${allowToken}&fail=false`)).status, 204);
  });

  test("of another replica cannot be released here", async () => {
    const [mine, other] = await Promise.all([replica(), replica()]);
    const { allowToken, call: id } = await mine.running();
    assert.equal((await other.post(`/release?allowToken=${allowToken}&fail=false`)).status, 404);
    const stranger = new URL(other.url);
    assert.equal((await call(`${stranger.origin}/guess/release?allowToken=${allowToken}`)).status, 404);
    assert.equal(
      mine.reports().some((report) => report.kind === "ended" && report.call === id),
      false,
    );
  });

  test("is released while the agent is away, and the next agent is told all that was not acknowledged", async () => {
    const r = await replica();
    const { call: id, allowToken } = await r.running();
    r.one.link.close();
    assert.equal((await r.post(`/release?allowToken=${allowToken}&fail=false`)).status, 200);
    const found = await adopt(r.one.plan.folder);
    assert.ok(!("dead" in found));
    const next = watch(found, r.one.plan);
    const reports = (): readonly MeterReport[] =>
      next.messages.flatMap((message) => (message.type === "meter" ? message.report : []));
    await until("both reports are told again", () => reports().length >= 2);
    assert.deepEqual(
      reports().map(({ kind, seq }) => [kind, seq]),
      [
        ["attached", 1],
        ["ended", 2],
      ],
    );
    assert.ok(reports().every((report) => "call" in report && report.call === id));
    found.send({ type: "ack-meter", replica: "p", seq: 2 });
    await until("nothing is left to tell", () => unacknowledgedReports(r.one.plan.folder).length === 0);
    found.close();
  });

  test("that is scheduled while the agent is away is told to the next one", async () => {
    const r = await replica();
    r.one.link.close();
    const asked = r.post("/schedule?taskId=5");
    const found = await adopt(r.one.plan.folder);
    assert.ok(!("dead" in found));
    const next = watch(found, r.one.plan);
    const message = await until("the call arrives", () => next.messages.find(({ type }) => type === "schedule"));
    assert.ok(message.type === "schedule" && message.request.task === "5");
    new Replica(next).grant(message.request.call);
    assert.equal((await asked).status, 200);
    found.close();
  });

  test("whose client leaves while it waits is left, at once for our SDK; a late grant of it is unused", async () => {
    const r = await replica();
    const client = rawPost(`${r.url}/schedule?taskId=1&waybill=1`);
    const { call: id } = await r.scheduled();
    client.hangUp();
    await until("the call is left", () =>
      r.one.messages.find((message) => message.type === "left" && message.call === id),
    );
    r.grant(id);
    assert.deepEqual([(await r.ended(id)).unused, (await r.ended(id)).usedMs], [true, 0]);
  });

  test("that was left before a grant for a worker that idles leaves that worker on its slot", async () => {
    const r = await replica();
    const { allowToken, pid, call: first } = await r.running();
    assert.equal((await r.post(`/release?allowToken=${allowToken}&fail=false`)).status, 200);
    await r.ended(first);
    const client = rawPost(`${r.url}/schedule?taskId=1&waybill=1`);
    const { call: id } = await r.scheduled();
    client.hangUp();
    await until("the call is left", () =>
      r.one.messages.find((message) => message.type === "left" && message.call === id),
    );
    r.grant(id, { warm: true });
    assert.deepEqual([(await r.ended(id)).unused, (await r.ended(id)).workerAlive], [true, true]);
    assert.ok(alive(pid), "L22: whoever has the slot next waits for its end");
  });

  test("whose stream broke is taken up again once by the same task and token, and is left when nobody comes", async () => {
    const r = await replica();
    const first = rawPost(`${r.url}/schedule?taskId=1&token=a&gpuSize=xlarge`);
    const { call: id } = await r.scheduled();
    first.hangUp();
    await until("the shim has seen it", async () => {
      const other = rawPost(`${r.url}/schedule?taskId=1&token=other`);
      const { call: another } = await r.scheduled();
      other.hangUp();
      return another !== id;
    });
    const again = rawPost(`${r.url}/schedule?taskId=1&token=a`);
    await until(
      "no second call was made, and the first lives on",
      async () => (await r.post("/queue-size", "GET")).text !== "0",
    );
    r.grant(id);
    await until("the grant of the first call arrives", () => again.reads.join("").includes('"idle":false'));
    assert.equal(
      r.one.messages.some((message) => message.type === "schedule"),
      false,
    );
    const left = await until("the other call is left after the wait", () =>
      r.one.messages.find(({ type }) => type === "left"),
    );
    assert.notEqual(left.type === "left" && left.call, id);
  });

  test("of an app that is killed ends with it, and its idle workers are reported gone", async () => {
    const r = await replica();
    const warm = await r.running();
    await r.post(`/release?allowToken=${warm.allowToken}&fail=false`);
    const { call: id, pid } = await r.running("exec sleep 1000", { slots: ["n1/0/2"] });
    const main = readApp(r.one.plan.folder);
    assert.ok(main && isAlive(processes, main));
    processes.signal(main, "SIGKILL");
    const end = await r.ended(id);
    assert.equal(end.cause, "app-killed");
    await until("the warm worker's slot is told", () =>
      r.reports().find((report) => report.kind === "worker-gone" && report.slot === "n1/0/1"),
    );
    await until("no process is left", () => !alive(pid) && !alive(warm.pid));
  });

  test("whose idle worker dies frees its slot by a report", async () => {
    const r = await replica();
    const { allowToken, pid } = await r.running();
    await r.post(`/release?allowToken=${allowToken}&fail=false`);
    process.kill(pid, "SIGKILL");
    await until("the slot is told", () =>
      r.reports().find((report) => report.kind === "worker-gone" && report.slot === "n1/0/1"),
    );
  });
});

describe("the wire", () => {
  test("refuses what it does not know, with a status of its own", async () => {
    const r = await replica();
    const statuses: number[] = [];
    for (const [path, method] of [
      ["/nothing", "POST"],
      ["/schedule", "GET"],
      ["/queue-size", "POST"],
      ["/schedule?taskId=", "POST"],
      ["/allow?pid=x", "POST"],
      ["/release?fail=maybe", "POST"],
    ] as const) {
      statuses.push((await r.post(path, method)).status);
    }
    assert.deepEqual(statuses, [404, 405, 405, 400, 400, 400]);
    assert.equal((await r.post("/queue-size", "GET")).text, "0");
  });
});
