import assert from "node:assert/strict";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { WaybillClient } from "./api.ts";
import { ServerUnreachable } from "./errors.ts";

/** Answers the first `GET` of each connection, and closes it at what comes next without a word, as a server does whose patience was over. */
function impatient(): { readonly server: Server; readonly asked: string[]; readonly sockets: Socket[] } {
  const asked: string[] = [];
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    let isFirst = true;
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      const [method = ""] = bytes.toString().split(" ", 1);
      asked.push(method);
      if (!isFirst || method !== "GET") return void socket.resetAndDestroy();
      isFirst = false;
      const body = '{"keys":[]}';
      socket.write(
        `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
    });
  });
  return { server, asked, sockets };
}

describe("a connection that the server closes just as it is asked again", () => {
  test("is not noticed by what only reads, and is told to what changes something, which may have been done", async () => {
    const { server, asked, sockets } = impatient();
    await new Promise<void>((done) => void server.listen(0, "127.0.0.1", done));
    const client = new WaybillClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: "t" });
    const times = 5;
    for (let n = 0; n < times; n++) {
      assert.deepEqual(await client.keys(), { keys: [] });
      await setImmediate(); // The connection is free again.
    }
    assert.ok(asked.length > times, "none of them met a closed connection");
    await assert.rejects(client.restart("a/b"), ServerUnreachable);
    assert.equal(asked.filter((method) => method !== "GET").length, 1);
    for (const socket of sockets) socket.destroy();
    server.close();
  });
});
