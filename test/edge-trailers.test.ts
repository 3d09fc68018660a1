/** Trailers, both ways and over both versions of HTTP: what may stand there crosses the edge, nothing else does. */
import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { connect } from "node:http2";
import { after, before, test } from "node:test";
import { appHost, edgeWorld, rawExchange } from "./support/edge-world.ts";
import type { EdgeWorld } from "./support/edge-world.ts";
import { readH2 } from "./support/h2-client.ts";
import { flags, frame, frameTypes, headers, RawHttp2 } from "./support/h2-frames.ts";

/** Tells which trailers it got, and adds its own: one that may cross, and some that may not. */
function app(request: IncomingMessage, response: ServerResponse): void {
  request.resume().on("end", () => {
    response.writeHead(200, { "content-type": "application/json" });
    response.write(JSON.stringify(request.trailers));
    response.addTrailers([
      ["x-checksum", "abc"],
      ["set-cookie", "a=1"],
      ["x-waybill-id", "q_forged"],
      ["proxy-status", "forged"],
    ]);
    response.end();
  });
}

let world: EdgeWorld;
before(async () => {
  world = await edgeWorld(app);
});
after(() => world.close());

const smuggled = ["host: localhost", "cookie: a=1", "authorization: Basic x", "x-forwarded-for: 6.6.6.6"];

for (const [name, request] of Object.entries({
  "an upload with trailers": `POST / HTTP/1.1\r\nHost: ${appHost}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-sum: 7\r\n${smuggled.join("\r\n")}\r\n\r\n`,
  "a plain request": `GET / HTTP/1.1\r\nHost: ${appHost}\r\nConnection: close\r\n\r\n`,
}))
  test(`over HTTP/1.1, ${name}`, async () => {
    const text = await rawExchange(world.edge.port, request);
    assert.ok(text.includes(name.startsWith("an upload") ? '{"x-sum":"7"}' : "{}"), text);
    assert.ok(text.endsWith("\r\n0\r\nx-checksum: abc\r\n\r\n"), text);
  });

test("over HTTP/2", async () => {
  const session = connect(world.url);
  const stream = session.request(
    { ":authority": appHost, ":path": "/", ":method": "POST" },
    { endStream: false, waitForTrailers: true },
  );
  stream.on("wantTrailers", () =>
    stream.sendTrailers({ "x-sum": "7", "x-forwarded-for": "6.6.6.6", authorization: "x" }),
  );
  stream.end("hi");
  const answer = await readH2(stream);
  session.destroy();
  assert.deepEqual(JSON.parse(answer.text), { "x-sum": "7" });
  assert.deepEqual(Object.entries(answer.trailers), [["x-checksum", "abc"]]);
});

test("over HTTP/2, a whole request in one packet", async () => {
  const raw = new RawHttp2(world.edge.port);
  const head = [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", "/"],
    [":authority", appHost],
  ] as const;
  raw.send(
    Buffer.concat([
      headers(1, head, flags.endHeaders),
      frame(frameTypes.data, flags.none, 1, "hi"),
      headers(1, [["x-sum", "7"]], flags.endHeaders | flags.endStream),
    ]),
  );
  assert.deepEqual(await raw.end(1), { body: '{"x-sum":"7"}' });
  raw.destroy();
});
