import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { memoryLink } from "./memory-link.ts";

const heartbeat = (tookGrants: number) => ({ type: "heartbeat", node: "n1", tookGrants, builds: [] }) as const;

describe("memoryLink", () => {
  test("carries messages in order, never in the sender's own turn, and keeps those before the listener", async () => {
    const { server, agent } = memoryLink();
    const heard: number[] = [];
    agent.send(heartbeat(1));
    const all = new Promise<void>((resolve) =>
      server.onMessage((message) => {
        if (message.type === "heartbeat" && heard.push(message.tookGrants) === 3) resolve();
      }),
    );
    agent.send(heartbeat(2));
    agent.send(heartbeat(3));
    assert.deepEqual(heard, []);
    await all;
    assert.deepEqual(heard, [1, 2, 3]);
  });

  test("carries copies: what the receiver gets is not the sender's object", async () => {
    const { server, agent } = memoryLink();
    const sent = heartbeat(1);
    agent.send(sent);
    const got = await new Promise((resolve) => server.onMessage(resolve));
    assert.deepEqual(got, sent);
    assert.notEqual(got, sent);
  });

  test("closing one end closes both, after what was sent; later messages go nowhere", async () => {
    const { server, agent } = memoryLink();
    const heard: string[] = [];
    server.onMessage(({ type }) => heard.push(type));
    agent.onMessage(() => {});
    agent.send(heartbeat(1));
    agent.close();
    agent.send(heartbeat(2));
    await Promise.all([
      new Promise<void>((resolve) => server.onClose(resolve)),
      new Promise<void>((resolve) => agent.onClose(resolve)),
    ]);
    assert.deepEqual(heard, ["heartbeat"]);
  });
});
