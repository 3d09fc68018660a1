/** Real shims with real apps: what an app does, what is done to it, and what is left when somebody is killed. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Duplex, duplexPair } from "node:stream";
import { after, describe, test } from "node:test";
import { adopt, readReplicaLog, type ReplicaLink } from "../src/runtime/launch.ts";
import { markerOf, readApp, readShim, writeStored } from "../src/runtime/folder.ts";
import { isAlive, linuxProcesses } from "../src/runtime/processes.ts";
import { inboundServer } from "../src/runtime/shim/inbound.ts";
import { ask, bench, dial, started, textOf, until, watch, type Started } from "./support/replicas.ts";

const replicas = bench();
after(() => replicas[Symbol.asyncDispose]());
const processes = linuxProcesses();
const alive = (pid: number): boolean => processes.stat(pid) !== undefined && processes.stat(pid)?.state !== "Z";

const server = (body: string): Record<string, string> => ({
  "app.js": `const http = require("node:http");\nhttp.createServer((request, response) => { ${body} }).listen(process.env.PORT, "127.0.0.1");`,
});
const hello = server(
  `let n = 0; request.on("data", (part) => n += part.length).on("end", () => response.end("took " + n));`,
);

async function stop(one: Started): Promise<void> {
  one.link.send({ type: "stop", graceMs: 2_000, why: "the test is over" });
  await one.untilPhase("stopped");
  one.link.close();
}

function isLink(found: Awaited<ReturnType<typeof adopt>>): found is ReplicaLink {
  return !("dead" in found);
}

async function adoptDead(folder: string) {
  const found = await adopt(folder);
  assert.ok(!isLink(found), "its shim is dead");
  return found.dead;
}

describe("a replica", () => {
  test("becomes ready, carries a request, counts its bytes, and answers for the connection with a synced entry", async () => {
    const one = await replicas.start(hello, { env: { GREETING: "hi" } });
    const { socket } = await one.untilPhase("ready");
    assert.ok(socket);
    const request =
      "POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 200000\r\nconnection: close\r\n\r\n" + "x".repeat(200_000);
    const connection = dial(socket, { connection: 1 });
    connection.write(request);
    const answer = await textOf(connection);
    assert.match(answer, /^HTTP\/1\.1 200 OK[^]*took 200000$/);
    const said = await ask(socket, 1, "q_0123456789abcdef");
    assert.ok(said && said.state === "closed");
    assert.deepEqual([said.connected, said.acceptedBytes, said.returnedBytes], [true, request.length, answer.length]);
    const batch = await until("the entry reaches the agent", () =>
      one.messages.find((message) => message.type === "evidence"),
    );
    const body = batch.type === "evidence" ? (batch.batch.records[0]?.body as Record<string, unknown>) : {};
    assert.deepEqual(
      [body["id"], body["work"], body["hop"], body["mark"]],
      [said.entry, "q_0123456789abcdef", "app.take", "took"],
    );
    assert.deepEqual(
      await ask(socket, 1),
      { ...said, entry: null },
      "the same answer again; without a work there is no entry",
    );
    await stop(one);
  });

  test("refuses a connection that it had already answered for as unknown, and a name that was used", async () => {
    const one = await replicas.start(hello);
    const { socket } = await one.untilPhase("ready");
    assert.ok(socket);
    assert.deepEqual(await ask(socket, 9), { state: "unknown" });
    const get = "GET / HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n";
    const answers: boolean[] = [];
    for (const number of [9, 10, 10]) {
      const connection = dial(socket, { connection: number });
      connection.write(get);
      answers.push((await textOf(connection)).startsWith("HTTP/1.1 200"));
    }
    assert.deepEqual(answers, [false, true, false]);
    await stop(one);
  });

  test("passes an event stream on as it comes, and a half-closed upload", async () => {
    const one = await replicas.start(
      server(`response.writeHead(200, { "content-type": "text/event-stream" }); response.write("data: 1\\n\\n");
        request.on("data", () => response.write("data: 2\\n\\n")); request.on("end", () => response.end("data: 3\\n\\n"));`),
    );
    const { socket } = await one.untilPhase("ready");
    assert.ok(socket);
    const connection = dial(socket, { connection: 1 });
    let text = "";
    connection.on("data", (bytes) => (text += bytes.toString()));
    connection.write("POST / HTTP/1.1\r\nhost: app\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n");
    await until("the first event is here before the request has ended", () => text.includes("data: 1"));
    connection.write("2\r\nab\r\n");
    await until("the second event answers the first part of the body", () => text.includes("data: 2"));
    connection.end("0\r\n\r\n");
    await until("the last event comes after our half is closed", () => text.includes("data: 3"));
    await stop(one);
  });

  test("whose app dies in the middle of an upload answers with what its socket had accepted, and not more than was sent", async () => {
    const one = await replicas.start(server(`request.pause();`));
    const { socket } = await one.untilPhase("ready");
    const app = readApp(one.plan.folder);
    assert.ok(socket && app);
    const connection = dial(socket, { connection: 1 });
    connection.write("POST / HTTP/1.1\r\nhost: app\r\ncontent-length: 90000000\r\n\r\n");
    let sent = 0;
    const part = Buffer.alloc(1 << 16);
    // Until back-pressure has come all the way from the app that does not read.
    let waiting = 0;
    let looks = 0;
    await until("the way is full", () => {
      // A busy machine may look stuck for a moment: only many looks without a byte of progress mean that it is.
      looks = waiting > 0 && connection.writableLength === waiting ? looks + 1 : 0;
      for (; connection.writableLength < 1 << 20; sent += part.length) connection.write(part);
      waiting = connection.writableLength;
      return looks >= 30;
    });
    const open = await ask(socket, 1, "q_0123456789abcdef");
    assert.deepEqual([open?.state, open && "entry" in open && open.entry], ["open", null], "nothing is final yet");
    processes.signal(app, "SIGKILL");
    await until("the edge sees the end", () => connection.destroyed || connection.readableEnded);
    connection.destroy();
    const said = await ask(socket, 1, "q_0123456789abcdef");
    assert.ok(said && said.state === "closed" && said.entry !== null);
    assert.ok(said.connected && said.acceptedBytes > 0 && said.acceptedBytes + (said.uncertainBytes ?? 0) < sent);
    one.link.close();
  });

  test("whose app never listens is ended at its deadline, and the port that it has instead is named", async () => {
    const app = `require("node:http").createServer(() => {}).listen(0, "127.0.0.1", function () { console.log("port", this.address().port); });`;
    const one = await replicas.start({ "app.js": app }, { readyWithinMs: 700 });
    const { end } = await one.untilPhase("exited");
    const port = /port (\d+)/.exec((await one.logTexts()).join("\n"))?.[1];
    assert.equal(end?.code, "app/not-listening");
    assert.match(end?.says ?? "", new RegExp(`listens on ${port}, not on PORT=\\d+`));
    one.link.close();
  });

  test("whose app exits says with which code and what it printed last", async () => {
    const one = await replicas.start({
      "app.js": `console.log("one"); console.error("no model found"); process.exitCode = 3;`,
    });
    const { end, phase } = await one.untilPhase("exited");
    assert.deepEqual([phase, end?.code, end?.exitCode, end?.signal], ["exited", "app/exit", 3, null]);
    assert.match(end?.says ?? "", /exit code 3.*no model found/s);
    const read = await until("the log is complete", async () => {
      const part = await one.link.readLog(1, 100);
      return (await one.link.readLog(part.next, 100)).complete ? part : undefined;
    });
    assert.deepEqual(
      read.lines
        .slice(0, 2)
        .map(({ text }) => text)
        .toSorted(),
      ["no model found", "one"],
    );
    one.link.close();
  });

  test("whose command cannot be started says so", async () => {
    const one = await replicas.start(hello, { argv: ["no-such-program"] });
    const { end } = await one.untilPhase("exited");
    assert.equal(end?.code, "app/exit");
    assert.match(end?.says ?? "", /could not be started.*ENOENT/);
    one.link.close();
  });

  test("whose app is killed says by which signal, and refuses connections from then on", async () => {
    const one = await replicas.start(hello);
    const { socket } = await one.untilPhase("ready");
    assert.ok(socket);
    const app = readApp(one.plan.folder);
    assert.ok(app);
    processes.signal(app, "SIGKILL");
    const { end } = await one.untilPhase("exited");
    assert.deepEqual([end?.code, end?.signal], ["app/exit", "SIGKILL"]);
    const connection = dial(socket, { connection: 4 });
    assert.equal(await textOf(connection), "");
    const said = await ask(socket, 4, "q_0123456789abcdef");
    assert.ok(said && said.state === "closed");
    assert.deepEqual([said.connected, said.acceptedBytes], [false, 0]);
    one.link.close();
  });

  test("is stopped with its daemonised grandchild, which had a session of its own", async () => {
    const daemon = `const { spawn } = require("node:child_process");
      const child = spawn(process.execPath, ["-e", "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)"], { detached: true, stdio: "ignore" });
      require("node:fs").writeFileSync("daemon", String(child.pid)); child.unref();`;
    const one = await replicas.start({
      "daemon.js": daemon,
      "app.js": `require("node:child_process").spawnSync(process.execPath, ["daemon.js"]);\n${hello["app.js"]}`,
    });
    await one.untilPhase("ready");
    const pid = Number(readFileSync(join(one.plan.releaseFolder, "app/daemon"), "utf8"));
    assert.ok(alive(pid));
    await stop(one);
    assert.equal(alive(pid), false);
  });

  test("that ignores TERM is killed after its grace, and SIGTERM to the shim is a stop", async () => {
    const one = await replicas.start({
      "app.js": `process.on("SIGTERM", () => console.log("no"));\n${hello["app.js"]}`,
    });
    await one.untilPhase("ready");
    const closed = new Promise<void>((done) => one.link.onClose(done));
    one.link.send({ type: "stop", graceMs: 200, why: "the operator asked" });
    const { end } = await one.untilPhase("stopped");
    assert.deepEqual([end?.signal, end?.says], ["SIGKILL", "The platform stopped it: the operator asked."]);
    one.link.close();
    await closed;

    const two = await replicas.start(hello);
    await two.untilPhase("ready");
    const shim = readShim(two.plan.folder);
    assert.ok(shim);
    processes.signal(shim, "SIGTERM");
    assert.match((await two.untilPhase("stopped")).end?.says ?? "", /SIGTERM/);
    two.link.close();
    await until("the shim is gone", () => !isAlive(processes, shim));
  });

  test("outlives its agent: the next one finds it and misses no line of its log", async () => {
    const one = await replicas.start({
      "app.js": `let n = 0; setInterval(() => console.log("tick " + ++n), 5);\n${hello["app.js"]}`,
    });
    await one.untilPhase("ready");
    const first = await until("some lines", async () => {
      const part = await one.link.readLog(1, 100);
      return part.lines.length > 5 ? part : undefined;
    });
    one.link.close();
    const folderRead = readReplicaLog(one.plan.folder, 1, 5);
    assert.deepEqual(folderRead.lines, first.lines.slice(0, 5), "whoever has no link reads the files");
    const found = await adopt(one.plan.folder);
    assert.ok(isLink(found));
    assert.equal(found.status().phase, "ready");
    const next = watch(found, one.plan);
    const more = await until("more lines", async () => {
      const part = await found.readLog(first.next, 100);
      return part.lines.length > 5 ? part : undefined;
    });
    const texts = [...first.lines, ...more.lines].map(({ text }) => text);
    assert.deepEqual(
      texts,
      texts.map((_, at) => `tick ${at + 1}`),
    );
    await stop(next);
  });

  test("whose shim is killed is lost: its app and what that started are ended, and it stays lost", async () => {
    const one = await replicas.start({
      "app.js": `const { spawn } = require("node:child_process");
        const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { detached: true, stdio: "ignore" }); child.unref();
        require("node:fs").writeFileSync("child", String(child.pid));\n${hello["app.js"]}`,
    });
    await one.untilPhase("ready");
    const child = Number(readFileSync(join(one.plan.releaseFolder, "app/child"), "utf8"));
    const [shim, app] = [readShim(one.plan.folder), readApp(one.plan.folder)];
    assert.ok(shim && app);
    const closed = new Promise<void>((done) => one.link.onClose(done));
    processes.signal(shim, "SIGKILL");
    await closed;
    const dead = await adoptDead(one.plan.folder);
    assert.deepEqual([dead.phase, dead.end?.code], ["lost", "runtime/shim-lost"]);
    assert.deepEqual([alive(app.pid), alive(child)], [false, false]);
    assert.deepEqual(await adoptDead(one.plan.folder), dead);
  });

  test("that ended while no agent was there tells its end from its folder", async () => {
    const one = await replicas.start({ "app.js": `setTimeout(() => process.exit(4), 150);\n${hello["app.js"]}` });
    one.link.close();
    await until("its end is written", () => existsSync(join(one.plan.folder, "exit.json")));
    const shim = readShim(one.plan.folder);
    assert.ok(shim);
    processes.signal(shim, "SIGKILL");
    await until("the shim is dead", () => !isAlive(processes, shim));
    const dead = await adoptDead(one.plan.folder);
    assert.deepEqual([dead.phase, dead.end?.code, dead.end?.exitCode], ["exited", "app/exit", 4]);
  });

  test("in a folder too deep for a socket's address has its sockets elsewhere, and takes them away at its end", async () => {
    const plan = replicas.plan(hello);
    const deep = { ...plan, folder: join(plan.folder, "d".repeat(100)) };
    const one = await started(deep);
    const { socket } = await one.untilPhase("ready");
    assert.ok(socket && socket.length < 100);
    const shim = readShim(deep.folder);
    assert.ok(shim);
    await stop(one);
    await until("the shim is gone", () => !isAlive(processes, shim));
    assert.equal(existsSync(socket), false);
  });

  test("writes a prompt without a newline, and of a long line its beginning", async () => {
    const one = await replicas.start({
      "app.js": `process.stdout.write("Name? "); console.error("y".repeat(20000));\n${hello["app.js"]}`,
    });
    await one.untilPhase("ready");
    const texts = await until("the prompt is in the log", async () => {
      const all = await one.logTexts();
      return all.includes("Name? ") ? all : undefined;
    });
    assert.deepEqual(
      texts.filter((text) => text.startsWith("y")),
      [`${"y".repeat(16_384)} … 3,616 more characters of this line are left out`],
    );
    await stop(one);
  });
});

describe("a static replica", () => {
  async function fetchFrom(socket: string, connection: number, path: string, head = "", method = "GET") {
    const stream = dial(socket, { connection });
    stream.write(`${method} ${path} HTTP/1.1\r\nhost: app\r\n${head}connection: close\r\n\r\n`);
    const [top = "", ...body] = (await textOf(stream)).split("\r\n\r\n");
    return { status: Number(top.split(" ")[1]), head: top.toLowerCase(), body: body.join("\r\n\r\n") };
  }

  test("is ready at once and serves its folder, and nothing beside it", async () => {
    const plan = replicas.plan(
      {
        "public/index.html": "<h1>home</h1>",
        "public/a b.txt": "0123456789",
        "public/sub/index.html": "sub",
        "secret.txt": "secret",
      },
      { argv: null, staticFolder: "public" },
    );
    symlinkSync(join(plan.releaseFolder, "app/secret.txt"), join(plan.releaseFolder, "app/public/link.txt"));
    writeFileSync(join(plan.releaseFolder, "outside"), "outside");
    const one = await started(plan);
    const { socket } = one.link.status();
    assert.equal(one.link.status().phase, "ready");
    assert.ok(socket);
    let n = 0;
    const get = (path: string, head = "", method = "GET") => fetchFrom(socket, ++n, path, head, method);
    const home = await get("/?x=1");
    assert.deepEqual([home.status, home.body], [200, "<h1>home</h1>"]);
    assert.match(home.head, /content-type: text\/html; charset=utf-8/);
    const etag = /etag: (\S+)/.exec(home.head)?.[1];
    assert.equal((await get("/", `if-none-match: ${etag}\r\n`)).status, 304);
    const part = await get("/a%20b.txt", "range: bytes=2-4\r\n");
    assert.deepEqual([part.status, part.body], [206, "234"]);
    assert.match(part.head, /content-range: bytes 2-4\/10/);
    assert.equal((await get("/a%20b.txt", "range: bytes=99-\r\n")).status, 416);
    assert.deepEqual([(await get("/", "", "HEAD")).body, (await get("/", "", "POST")).status], ["", 405]);
    const moved = await get("/sub?q=1");
    assert.match(moved.head, /^http\/1\.1 301[^]*location: \/sub\/\?q=1/);
    assert.equal((await get("/sub/")).body, "sub");
    for (const path of [
      "/nothing",
      "/../secret.txt",
      "/%2e%2e/secret.txt",
      "/..%2fsecret.txt",
      "/link.txt",
      "/%00",
      "/%ff",
      "/index.html/",
    ]) {
      assert.equal((await get(path)).status, 404, path);
    }
    const said = await ask(socket, 1, "q_0123456789abcdef");
    assert.ok(said && said.state === "closed" && said.acceptedBytes > 0);
    await stop(one);
  });

  test("whose folder is missing has ended, and says which", async () => {
    const one = await replicas.start({ "other/index.html": "" }, { argv: null, staticFolder: "public" });
    assert.match((await one.untilPhase("exited")).end?.says ?? "", /no folder "public"/);
    one.link.close();
  });
});

test("a shim that cannot start is a failure that says what it printed", async () => {
  const plan = replicas.plan(hello);
  const { launch } = await import("../src/runtime/launch.ts");
  await assert.rejects(
    launch(plan, { nodePath: process.execPath, shimEntry: "/nowhere/shim.ts" }),
    /did not start.*Cannot find module/s,
  );
});

test("a shim whose replica was given up before it had started starts no app", async () => {
  const plan = replicas.plan(hello);
  mkdirSync(plan.folder, { recursive: true });
  writeStored(plan.folder, "exit.json", { phase: "lost" });
  await assert.rejects(started(plan), /given up before its shim had started/);
  assert.equal(readApp(plan.folder), undefined);
});

test("a replica that is stopped while its app is being started leaves no process", async () => {
  const one = await replicas.start(hello);
  one.link.send({ type: "stop", graceMs: 2_000, why: "at once" });
  await one.untilPhase("stopped");
  const shim = readShim(one.plan.folder);
  await until("the shim is gone", () => !shim || !isAlive(processes, shim));
  const marker = markerOf(one.plan.spec.replica);
  assert.deepEqual(
    processes.all().filter(({ pid, state }) => state !== "Z" && processes.hasMarker(pid, marker)),
    [],
  );
});

describe("in.sock", () => {
  const evidence = { write: () => assert.fail("no work is named"), sync: () => Promise.resolve() };
  async function inbound(host: { readonly connect: () => Duplex; readonly stopping?: boolean }, withinMs?: number) {
    const path = join(replicas.folder, `in${++made}.sock`);
    const server = inboundServer(
      {
        connect: host.connect,
        incoming: () => undefined,
        answered: () => undefined,
        stopping: () => host.stopping ?? false,
        evidence,
        onFailure: assert.fail,
      },
      undefined,
      withinMs,
    );
    server.listen(path);
    await once(server, "listening");
    after(() => server.close());
    return { path };
  }
  let made = 0;

  test("gives up an app that does not accept a connection, and says so", async () => {
    const unopened = new Duplex({ read() {}, write() {} });
    const { path } = await inbound({ connect: () => Object.assign(unopened, { connecting: true }) }, 50);
    assert.equal(await textOf(dial(path, { connection: 1 })), "");
    const said = await ask(path, 1);
    assert.ok(said && said.state === "closed");
    assert.deepEqual([said.connected, said.errno, said.acceptedBytes], [false, "ETIMEDOUT", 0]);
  });

  test("counts what an app takes late when it has it, and not before", async () => {
    const taken: (() => void)[] = [];
    const app = new Duplex({ read() {}, write: (_bytes, _encoding, done) => void taken.push(done) });
    const { path } = await inbound({ connect: () => app });
    const edge = dial(path, { connection: 1 });
    after(() => edge.destroy());
    edge.write("all of it");
    await until("it is on its way", () => taken.length === 1);
    const counts = async (): Promise<unknown> => {
      const said = await ask(path, 1);
      return said && said.state === "open" && [said.acceptedBytes, said.uncertainBytes];
    };
    assert.deepEqual(await counts(), [0, 9]);
    for (let done = taken.shift(); done !== undefined; done = taken.shift()) done();
    assert.deepEqual(await counts(), [9, undefined]);
  });

  test("closes the app's side when an edge that had ended its own goes away", async () => {
    const [app, theirs] = duplexPair();
    theirs.resume();
    const { path } = await inbound({ connect: () => app, stopping: true });
    const edge = dial(path, { connection: 1 });
    edge.end("all of it");
    await until("the app has read it all", () => theirs.readableEnded);
    edge.destroy();
    // Nothing is seen of a peer that had ended its side before, until there is something to write to it.
    await until("the app's side is closed", () => app.destroyed || (theirs.write("late"), false));
    const said = await ask(path, 1);
    assert.ok(said && said.state === "closed");
    assert.deepEqual([said.acceptedBytes, said.stopping], [9, true]);
  });
});
