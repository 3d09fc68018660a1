import assert from "node:assert/strict";
import { once } from "node:events";
import { request as ask, type IncomingMessage } from "node:http";
import { test } from "node:test";
import { receiveAll } from "./receive.ts";
import { served } from "./served.suite.ts";
import { bytesOf } from "./xet/writer.suite.ts";

const sent = bytesOf("what is sent", 3_000_001);

test("what a client sends comes as it is, also where whoever takes it is slow, and so does nothing", async () => {
  const came: Buffer[] = [];
  await using there = await served(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of receiveAll(request)) {
      pieces.push(Buffer.from(piece));
      if (pieces.length % 8 === 0) await new Promise((done) => setImmediate(done));
    }
    came.push(Buffer.concat(pieces));
    response.end();
  });
  for (const body of [sent, sent.subarray(0, 1), Buffer.alloc(0)]) {
    await fetch(there.url, { method: "PUT", body });
    assert.ok(came.pop()?.equals(body));
  }
});

test("a piece's memory is given back when the next is asked for, and not before", async () => {
  const lengths: (readonly [used: number, then: number])[] = [];
  await using there = await served(async (request, response) => {
    let before: { readonly piece: Uint8Array; readonly used: number } | undefined;
    for await (const piece of receiveAll(request)) {
      if (before !== undefined) lengths.push([before.used, before.piece.length]);
      await new Promise((done) => setImmediate(done));
      before = { piece, used: piece.length };
    }
    response.end();
  });
  await fetch(there.url, { method: "PUT", body: sent });
  assert.ok(lengths.length > 10);
  for (const [used, then] of lengths) assert.ok(used > 0 && then === 0, `${used}, then ${then}`);
});

test("whoever has had enough can still answer, and a client that is silent is not waited for", async () => {
  await using there = await served(async (request, response) => {
    for await (const _ of receiveAll(request)) break;
    response.writeHead(422, { connection: "close" }).end("enough");
  });
  const open = ask(there.url, { method: "PUT", headers: { "content-length": "3000001" } });
  open.on("error", () => undefined); // What it would still send is for nobody.
  open.write(sent.subarray(0, 100_000));
  const [answer] = (await once(open, "response")) as [IncomingMessage];
  assert.equal(answer.statusCode, 422);
  assert.equal(Buffer.concat(await answer.toArray()).toString(), "enough");
  open.destroy();
});

test(
  "a client that leaves before it has sent all is an error, also where it had left before",
  { timeout: 60_000 },
  async () => {
    const failures: unknown[] = [];
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    await using there = await served(async (request) => {
      const take = async (): Promise<void> => {
        for await (const _ of receiveAll(request));
      };
      await take().catch((error: unknown) => failures.push(error));
      await take().catch((error: unknown) => failures.push(error));
      end();
    });
    const open = ask(there.url, { method: "PUT", headers: { "content-length": "3000001" } });
    open.on("error", () => undefined); // It is us who leave.
    open.write(sent.subarray(0, 100_000), () => setImmediate(() => open.destroy()));
    await over;
    assert.equal(failures.length, 2);
    for (const failure of failures) assert.ok(failure instanceof Error);
  },
);
