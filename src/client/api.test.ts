import assert from "node:assert/strict";
import { createServer as createHttpServer } from "node:http";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { WaybillClient } from "./api.ts";
import { ApiError, ServerUnreachable } from "./errors.ts";

/** Answers the first `GET` of each connection, and closes it at what comes next without a word, as a server does whose patience was over. */
function impatient(): {
  readonly server: Server;
  readonly asked: string[];
  readonly keys: (string | null)[];
  readonly sockets: Socket[];
} {
  const asked: string[] = [];
  const keys: (string | null)[] = [];
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    let isFirst = true;
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      const [method = ""] = bytes.toString().split(" ", 1);
      keys.push(/idempotency-key: (.*)\r/i.exec(bytes.toString())?.[1] ?? null);
      asked.push(method);
      if (!isFirst || method !== "GET") return void socket.resetAndDestroy();
      isFirst = false;
      const body = '{"keys":[]}';
      socket.write(
        `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
    });
  });
  return { server, asked, keys, sockets };
}

/** Answers requests in turn with what `answers` say; null breaks the connection. */
async function answering(answers: readonly (Readonly<{ status: number; body: unknown }> | null)[]) {
  const keys: (string | undefined)[] = [];
  const server = createHttpServer((request, response) => {
    const answer = answers[keys.length] ?? null;
    keys.push(request.headers["idempotency-key"] as string | undefined);
    if (answer === null) return void request.socket.resetAndDestroy();
    response.writeHead(answer.status, { "content-type": "application/json" }).end(JSON.stringify(answer.body));
  });
  await new Promise<void>((done) => void server.listen(0, "127.0.0.1", done));
  const client = new WaybillClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: "t" });
  const close = (): void => server.close().closeAllConnections();
  return { client, keys, [Symbol.dispose]: close };
}

const inUse = { status: 409, body: { code: "key-in-use", detail: "under way" } };
const conflict = { status: 409, body: { code: "conflict", detail: "no" } };
const done = { status: 200, body: { stage: "RUNNING" } };

describe("a connection that the server closes just as it is asked again", () => {
  test("is not noticed by what only reads", async () => {
    const { server, asked, keys, sockets } = impatient();
    await new Promise<void>((listens) => void server.listen(0, "127.0.0.1", listens));
    const client = new WaybillClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: "t" });
    const times = 5;
    for (let n = 0; n < times; n++) {
      assert.deepEqual(await client.receipts.keys(), { keys: [] });
      await setImmediate(); // The connection is free again.
    }
    assert.ok(asked.length > times, "none of them met a closed connection");
    assert.deepEqual(new Set(keys), new Set([null]));
    for (const socket of sockets) socket.destroy();
    server.close();
  });
});

describe("what changes something", () => {
  test("is sent again with the same key where its connection broke, and where its first try is under way", async () => {
    using server = await answering([null, inUse, done]);
    assert.deepEqual(await server.client.restart("a/b"), done.body);
    assert.equal(server.keys.length, 3);
    assert.match(server.keys[0] ?? "", /^"[0-9a-f-]{36}"$/);
    assert.equal(new Set(server.keys).size, 1);
  });

  test("has another key each time", async () => {
    using server = await answering([done, done]);
    await server.client.restart("a/b");
    await server.client.restart("a/b");
    assert.equal(new Set(server.keys).size, 2);
  });

  test("is not sent again where it was refused", async () => {
    using server = await answering([conflict, done]);
    await assert.rejects(server.client.restart("a/b"), ApiError);
    assert.equal(server.keys.length, 1);
  });

  test("ends at once where its caller gives up", async () => {
    using server = await answering([null]);
    const given = AbortSignal.timeout(50);
    await assert.rejects(server.client.restart("a/b", { signal: given }), { name: "TimeoutError" });
    assert.equal(server.keys.length, 1);
  });

  test("does not wait for a platform that is not there", async () => {
    const server = await answering([]);
    server[Symbol.dispose]();
    const startedAt = performance.now();
    await assert.rejects(server.client.restart("a/b"), ServerUnreachable);
    assert.ok(performance.now() - startedAt < 20_000, "asked again and again");
  });
});

/** Answers each request for a log with the next of `parts`: what it says, and whether the connection breaks then. */
async function telling(parts: readonly (Readonly<{ lines: readonly object[]; breaks: boolean }> | number)[]) {
  const asked: { readonly url: string; readonly after: string | undefined }[] = [];
  const server = createHttpServer((request, response) => {
    const part = parts[asked.length] ?? 500;
    asked.push({ url: request.url ?? "", after: request.headers["last-event-id"] as string | undefined });
    if (typeof part === "number")
      return void response.writeHead(part, { "content-type": "application/json" }).end('{"detail":"not now"}');
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    for (const line of part.lines) response.write(`${JSON.stringify(line)}\n`);
    if (!part.breaks) response.end();
    else response.write('{"n":', () => response.destroy());
  });
  await new Promise<void>((done) => void server.listen(0, "127.0.0.1", done));
  const client = new WaybillClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: "t" });
  return { client, asked, [Symbol.dispose]: (): void => server.close().closeAllConnections() };
}

describe("a log that is followed", () => {
  const line = (n: number): object => ({ n, replica: "p_1", text: `line ${n}` });

  test("goes on after the last line that came where its connection breaks, or the platform has nothing to give for now; that is told once", async () => {
    using server = await telling([
      { lines: [line(1), line(2), { n: 0, text: "a note" }], breaks: true },
      503,
      { lines: [line(3)], breaks: false },
    ]);
    const said: string[] = [];
    const watching = { onLost: () => said.push("lost"), onBack: () => said.push("back") };
    const lines = await Array.fromAsync(server.client.logs("a/b", { follow: true, tail: 2, ...watching }));
    assert.deepEqual(
      lines.map(({ n }) => n),
      [1, 2, 0, 3],
    );
    assert.deepEqual(
      server.asked.map(({ after }) => after),
      [undefined, "p_1:2", "p_1:2"],
    );
    assert.deepEqual(said, ["lost", "back"]);
  });

  test("ends where the platform refuses to go on, and where it never began", async () => {
    using refusing = await telling([{ lines: [line(1)], breaks: true }, 404]);
    await assert.rejects(Array.fromAsync(refusing.client.logs("a/b", { follow: true })), { name: "ApiError" });
    using away = await telling([503]);
    await assert.rejects(Array.fromAsync(away.client.buildLog("b_1", { follow: true })), { name: "ApiError" });
    assert.equal(away.asked.length, 1);
  });

  test("that is only read ends where its connection breaks", async () => {
    using server = await telling([{ lines: [line(1)], breaks: true }]);
    await assert.rejects(Array.fromAsync(server.client.logs("a/b")), ServerUnreachable);
  });
});
