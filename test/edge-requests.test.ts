/** Every sixth request of the corpus, as real bytes through edge, shim's door and app; `test/long/edge-requests.test.ts` sends all. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { appHost } from "./support/edge-world.ts";
import { corpus, everyNth } from "./support/requests/corpus.ts";
import { judge, judgeAll, sendRaw } from "./support/requests/judge.ts";
import { recorder } from "./support/requests/recorder.ts";
import { recordedEdge } from "./support/requests/world.ts";
import type { JudgedWorld } from "./support/requests/world.ts";

const families = corpus(appHost);
const sampledOf = 6;

describe("a request that two servers could read differently", () => {
  let world: JudgedWorld;
  before(async () => {
    world = await recordedEdge();
  });
  after(() => world[Symbol.asyncDispose]());

  for (const [family, cases] of Object.entries(families))
    test(`is refused, or is one request to edge, app and visitor alike: ${family}`, async () => {
      const sample = everyNth(cases, sampledOf);
      assert.ok(sample.length >= 5);
      assert.deepEqual(await judgeAll(world, appHost, sample), {});
      assert.deepEqual(world.edge.errors, []);
    });

  test("is so however its bytes are cut", async () => {
    const short = Object.values(families).flatMap((cases) => cases.filter(({ bytes }) => bytes.length < 1_000));
    const sample = everyNth(short, sampledOf * 10);
    for (const cut of ["halves", "bytes"] as const)
      assert.deepEqual(await judgeAll(world, appHost, sample, cut), {}, cut);
  });
});

test("the corpus has 500 requests and more, each with a name of its own", () => {
  const names = Object.values(families).flatMap((cases) => cases.map(({ name }) => name));
  assert.ok(names.length >= 500, String(names.length));
  assert.deepEqual(
    names.filter((name, i) => names.indexOf(name) !== i),
    [],
  );
});

test("the judge finds what a proxy lets through that passes bytes on as they come", async () => {
  await using app = await recorder();
  const relay = createServer((visitor) => {
    const upstream = connect({ host: "127.0.0.1", port: app.port });
    visitor.pipe(upstream).pipe(visitor);
    for (const socket of [visitor, upstream]) socket.on("error", () => socket.destroy());
    // The recorder goes on for ever; so would the visitor wait.
    visitor.setTimeout(100, () => visitor.destroy());
  });
  await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
  const { port } = relay.address() as AddressInfo;
  const send = (bytes: readonly string[], ends: boolean): Promise<string> => sendRaw(port, bytes, { ends });
  const other = (target: string): Promise<string> =>
    send([`GET ${target} HTTP/1.1\r\nHost: ${appHost}\r\n\r\n`], false);
  const both = families["framing"]?.find(({ name }) => name === 'coding "identity, chunked" behind a length');
  assert.ok(both);
  const faults = await judge({ malformed: () => 0, app, other, send }, appHost, both);
  relay.close();
  const text = faults.join("\n");
  assert.match(text, /refused with 200 .*, not 400/);
  assert.match(text, /reads .*smuggled.* where a strict reader has/);
});
