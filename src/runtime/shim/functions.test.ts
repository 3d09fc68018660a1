import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { askFunctions, functionsIn } from "./functions.ts";

const config = (dependencies: unknown): string => JSON.stringify({ version: "6.31.0", dependencies });

test("functions are named by their numbers, and before Gradio 5 by their places", () => {
  const numbered = [
    { id: 4, api_name: "render" },
    { id: 7, api_name: false },
    { id: 9, api_name: "zoom_1" },
  ];
  assert.deepEqual(functionsIn(config(numbered)), { 4: "render", 9: "zoom_1" });
  assert.deepEqual(functionsIn(config([{ api_name: "predict" }, { api_name: null }, { api_name: "run" }])), {
    0: "predict",
    2: "run",
  });
});

test("what is no such answer names nothing, and of names only those that fit", () => {
  for (const text of ["", "null", "[]", "<html>", "{}", config({}), config([null, 1, "x"])])
    assert.deepEqual(functionsIn(text), {}, text);
  const odd = ["a b", "../x", "n".repeat(101), "", "ö"].map((name) => ({ api_name: name }));
  assert.deepEqual(functionsIn(config([...odd, { id: -0.5, api_name: "half" }, { api_name: "good" }])), { 6: "good" });
  const many = Array.from({ length: 2_000 }, () => ({ api_name: "same" }));
  assert.equal(Object.keys(functionsIn(config(many))).length, 1_000);
});

async function serving(answer: Parameters<typeof createServer>[1], asked: (port: number) => Promise<void>) {
  const server: Server = createServer(answer as never).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    await asked((server.address() as AddressInfo).port);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test("an app is asked, and one that does not tell is one without names", async () => {
  await serving(
    (request, response) => response.end(request.url === "/config" ? config([{ api_name: "run" }]) : ""),
    async (port) => assert.deepEqual(await askFunctions("127.0.0.1", port), { 0: "run" }),
  );
  await serving(
    (_, response) => response.writeHead(401).end(config([{ api_name: "run" }])),
    async (port) => assert.deepEqual(await askFunctions("127.0.0.1", port), {}),
  );
  await serving(
    (request) => request.socket.destroy(),
    async (port) => assert.deepEqual(await askFunctions("127.0.0.1", port), {}),
  );
  await serving(
    (_, response) => void response.write(Buffer.alloc(5 << 20, " ")),
    async (port) => assert.deepEqual(await askFunctions("127.0.0.1", port), {}),
  );
});
