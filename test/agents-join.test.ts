/** Who may not join: real processes at both ends. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { dial, type DialTrouble } from "../src/link/dial.ts";
import { clock, random } from "./support/commits.ts";
import { Cluster } from "./support/cluster.ts";
import { eventually } from "./support/eventually.ts";

describe("an agent of another version than its server", () => {
  test("is refused by the server, which names both, and one of the same is not", async () => {
    await using cluster = new Cluster();
    await cluster.serve(cluster.server("server", ["--port", "0"]));
    const { token } = await cluster.admin.createNodeToken("n1");
    const { version } = await cluster.admin.status();
    const troubles: DialTrouble[] = [];
    let joined = 0;
    const join = (own: string): Disposable =>
      dial({
        ...{ servers: [cluster.url], token: () => token, version: own, random, now: () => clock.monotonic() },
        onLink: () => (joined += 1),
        onTrouble: (trouble) => troubles.push(trouble),
        onFailure: (what, error) => assert.fail(`${what}: ${String(error)}`),
      });
    using other = join("0.0.0-older");
    const trouble = await eventually("it is refused", () => troubles[0]);
    other[Symbol.dispose]();
    assert.equal(trouble.status, 409);
    assert.equal(
      trouble.says,
      `this agent is of version 0.0.0-older, and the server of version ${version}: they have to be of the same.`,
    );
    assert.equal(joined, 0);
    using _same = join(version);
    await eventually("it joins", () => joined === 1);
  });

  test("ends where it never joined, with what the server said and what to do", async () => {
    const says = "this agent is of version 2, and the server of version 1: they have to be of the same.";
    await using server = createServer();
    server.on("upgrade", (_request, socket) => {
      const body = JSON.stringify({ detail: says });
      socket.end(`HTTP/1.1 409 Conflict\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`);
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const { port } = server.address() as AddressInfo;
    await using cluster = new Cluster();
    const agent = cluster.agent("n1", "wb_any", `http://127.0.0.1:${port}`);
    const { ready, ended } = agent.start();
    const said = JSON.stringify(await ready);
    assert.equal(await ended, 1);
    assert(said.includes(says) && said.includes("other-version"), said);
    assert(said.includes("Install the server's version on this machine"), said);
  });
});
