/** A private Space and an address that is nobody's, asked in the same way: what comes back tells nobody which of the two it was. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Credentials, VisitorIdentity } from "../src/edge/ports.ts";
import { appHost, edgeWorld, rawExchange } from "./support/edge-world.ts";
import type { EdgeWorld } from "./support/edge-world.ts";
import { freePort } from "./support/free-port.ts";

const nowhere = "nobody-demo.localhost";

/** The app's Space is private. */
async function open(resolve: VisitorIdentity["resolve"]): Promise<EdgeWorld> {
  const world = await edgeWorld((request, response) => response.end(`served ${request.headers.cookie}`), {
    identity: { resolve, mint: () => "minted" },
  });
  const route = world.directory.get(appHost);
  assert.ok(route);
  world.directory.set(appHost, { ...route, private: true });
  return world;
}

/** What both answer to the same bytes, without what is of one answer alone. */
async function bothTold(world: EdgeWorld, text: (host: string) => string): Promise<readonly string[]> {
  const told: string[] = [];
  for (const host of [appHost, nowhere]) {
    const answer = await rawExchange(world.edge.port, text(host));
    told.push(
      answer
        .replaceAll(host, "HOST")
        .replaceAll(/\bn_[0-9a-z]+/g, "ID")
        .replaceAll(/^Date: .*$/gim, "Date"),
    );
  }
  return told;
}

describe("a private Space, while it is not known who asks,", () => {
  test("is not told by the answer to a body that is none", async () => {
    const world = await open(() => new Promise(() => {}));
    const head = (host: string): string => `POST / HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const [there, none] = await bothTold(world, (host) => `${head(host)}no length\r\n`);
    assert.match(none ?? "", /^HTTP\/1.1 400 /);
    assert.equal(there, none);
    await world.close();
  });

  test("is not told by a fault of ours", async () => {
    const world = await open(() => Promise.reject(new Error("the catalog is gone")));
    const [there, none] = await bothTold(
      world,
      (host) => `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    );
    assert.match(none ?? "", /^HTTP\/1.1 503 /);
    assert.equal(there, none);
    assert.equal(world.errors.length, 2);
    await world.close();
  });
});

test("a private Space stays awake for whom it lets in, and for nobody who is refused, as a public one does", async () => {
  const hidden = { refused: "identity/private", detail: "", hidden: true } as const;
  const alice = { account: "alice", tier: "free", billedBy: "token", user: "alice" } as const;
  const world = await open(({ authorization }) => {
    if (authorization === undefined) return hidden;
    return authorization === "Bearer alice" ? alice : { refused: "identity/bad-token" };
  });
  const ask = (field = ""): Promise<string> =>
    rawExchange(world.edge.port, `GET / HTTP/1.1\r\nHost: ${appHost}\r\nConnection: close\r\n${field}\r\n`);
  assert.match(await ask(), /^HTTP\/1.1 404 /);
  assert.match(await ask("Authorization: Bearer mallory\r\n"), /^HTTP\/1.1 401 /);
  assert.match(await ask(`Authorization: Bearer alice\r\nCDN-Loop: ${"waybill, ".repeat(8)}\r\n`), /^HTTP\/1.1 502 /);
  assert.deepEqual(world.used, []);
  assert.match(await ask("Authorization: Bearer alice\r\n"), /^HTTP\/1.1 200 /);
  assert.deepEqual(world.used, ["alice/demo"]);
  const route = world.directory.get(appHost);
  assert.ok(route);
  world.directory.set(appHost, { ...route, private: false });
  assert.match(await ask("Authorization: Bearer mallory\r\n"), /^HTTP\/1.1 401 /);
  assert.deepEqual(world.used, ["alice/demo"]);
  await world.close();
});

test("a session that was handed over to a Space's own port is known there, and its cookie reaches no app", async () => {
  const seen: Credentials[] = [];
  const world = await open((credentials) => {
    seen.push(credentials);
    return { account: "alice", tier: "free", billedBy: "session", user: "alice" };
  });
  const route = world.directory.get(appHost);
  const port = await freePort();
  assert.ok(route && (await world.edge.addPort(port, "mark_")).ok);
  world.directory.set(`:${port}`, route);
  const cookies = `__Host-waybill-visit-${port}=ours; __Host-waybill-visit-1=others; mark_app=1; plain=2`;
  const answer = await rawExchange(
    port,
    `GET / HTTP/1.1\r\nHost: localhost:${port}\r\nCookie: ${cookies}\r\nConnection: close\r\n\r\n`,
  );
  assert.match(answer, /\r\n\r\nserved app=1$/);
  assert.equal(seen[0]?.visit?.value, "ours");
  await world.close();
});
