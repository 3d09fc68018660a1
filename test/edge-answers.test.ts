/** What apps answer wrongly: the visitor gets nothing of it that has two readings, and the next visitor nothing at all. */
import assert from "node:assert/strict";
import { request as httpRequest } from "node:http";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { appHost, edgeWorld } from "./support/edge-world.ts";
import type { EdgeWorld } from "./support/edge-world.ts";
import { eventually } from "./support/eventually.ts";
import { wrongAnswers } from "./support/requests/answers.ts";
import type { AnswerCase } from "./support/requests/answers.ts";

interface Got {
  readonly status: number;
  readonly body: string;
  /** Whether the connection broke before the answer was whole. */
  readonly cut: boolean;
}

describe("an app's wrong answer", () => {
  let world: EdgeWorld;
  let now: AnswerCase | undefined;
  let wrongOn: Socket | undefined;
  const targets = new Map<Socket, string[]>();
  before(async () => {
    world = await edgeWorld((_, response) => response.end(), { upstream: { onOpen, counts: true } });
  });
  after(() => world.close());

  function onOpen(socket: Socket): void {
    targets.set(socket, []);
    let head = "";
    let left = 0;
    socket.on("data", (part: Buffer) => {
      let text = part.toString("latin1");
      const body = Math.min(left, text.length);
      left -= body;
      text = text.slice(body);
      head += text;
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return;
      const length = Number(/^content-length: (\d+)/im.exec(head.slice(0, end))?.[1] ?? 0);
      left = Math.max(0, length - (head.length - end - 4));
      const [, target = ""] = head.split(" ");
      head = "";
      targets.get(socket)?.push(target);
      if (target === "/wrong") answerWrongly(socket);
      else answerRightly(socket, target);
    });
  }

  function answerWrongly(socket: Socket): void {
    const { bytes = "", ends } = now ?? {};
    wrongOn = socket;
    socket.write(bytes, "latin1");
    if (ends === true) socket.end();
  }

  function answerRightly(socket: Socket, target: string): void {
    const answer = (): unknown => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${target}`);
    const { late } = now ?? {};
    if (late === undefined || wrongOn?.writable !== true) return void answer();
    wrongOn.write(late, "latin1", () => answer());
  }

  let n = 0;
  for (const one of wrongAnswers())
    test(`is nobody else's: ${one.name}`, async () => {
      now = one;
      const got = await ask(world, "/wrong", one.method, "Bearer hf_wbalice");
      const { gets } = one;
      if (gets.is === "passed") assert.deepEqual(got, { status: gets.status, body: gets.body, cut: false });
      else if (gets.is === "refused")
        assert.deepEqual([got.status, got.cut, /evil/.test(got.body)], [502, false, false]);
      else assert.equal(got.cut, true);
      const path = `/other-${++n}`;
      // Another visitor, and the same one again: neither gets what was behind the answer.
      assert.equal((await ask(world, path, "GET", "")).body, path);
      assert.equal((await ask(world, `${path}-same`, "GET", "Bearer hf_wbalice")).body, `${path}-same`);
      const followed = behindWrong(targets.get(wrongOn as Socket) ?? []);
      assert.deepEqual(
        followed.filter((target) => !target.endsWith("-same")),
        [],
      );
      if (one.reusable !== true && one.late === undefined) assert.deepEqual(followed, []);
      if (one.reusable === true) assert.deepEqual(followed, [`${path}-same`]);
      assert.deepEqual(world.errors, []);
    });
});

function behindWrong(targets: readonly string[]): readonly string[] {
  return targets.slice(targets.lastIndexOf("/wrong") + 1);
}

function ask(world: EdgeWorld, path: string, method: string, authorization: string): Promise<Got> {
  const headers = { host: appHost, ...(authorization !== "" && { authorization }) };
  const request = httpRequest(`${world.url}${path}`, { method, headers, agent: false });
  request.end(method === "POST" ? "a body" : undefined);
  return new Promise((resolve, reject) => {
    // Cut before its head had left.
    request.on("error", (error: NodeJS.ErrnoException) =>
      error.code === "ECONNRESET" ? resolve({ status: 0, body: "", cut: true }) : reject(error),
    );
    request.on("response", (response: IncomingMessage) => {
      let body = "";
      response.setEncoding("latin1").on("data", (part: string) => (body += part));
      response.on("error", () => {});
      response.on("close", () => resolve({ status: response.statusCode ?? 0, body, cut: !response.complete }));
    });
  });
}

test("connections carry one visitor's requests: the next of another gets one of its own", async () => {
  const world = await edgeWorld((request, response) => response.end(request.url));
  try {
    for (const authorization of ["Bearer hf_wbalice", "", "Bearer hf_wbalice", ""])
      assert.equal((await ask(world, "/", "GET", authorization)).body, "/");
    assert.equal(world.upstream.connections.size, 2);
  } finally {
    await world.close();
  }
});

test("a request with a body is the last on its connection, and its app is told so", async () => {
  const seen: (string | undefined)[] = [];
  const world = await edgeWorld((request, response) => {
    seen.push(request.headers.connection);
    response.end();
  });
  try {
    for (const method of ["GET", "POST", "GET", "HEAD", "GET"]) await ask(world, "/", method, "");
    assert.deepEqual(seen, [undefined, "close", undefined, "close", undefined]);
    assert.equal(world.upstream.connections.size, 3);
    await eventually(
      "the app has closed two",
      () => [...world.upstream.connections.values()].filter(({ closed }) => closed).length >= 2,
    );
  } finally {
    await world.close();
  }
});
