/** What every connection between a server and an agent does, whatever carries it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { AgentEnd, ServerEnd } from "./memory.ts";

export interface Ends extends AsyncDisposable {
  readonly server: ServerEnd;
  readonly agent: AgentEnd;
}

const heartbeat = (tookGrants: number) => ({ type: "heartbeat", node: "n1", tookGrants, builds: [] }) as const;

/** Runs the suite on connections that `open` makes. */
export function linkSuite(name: string, open: () => Promise<Ends>): void {
  describe(name, () => {
    test("carries messages in order, never in the sender's own turn, and keeps those before the listener", async () => {
      await using ends = await open();
      const { server, agent } = ends;
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
      await using ends = await open();
      const sent = heartbeat(1);
      ends.agent.send(sent);
      const got = await new Promise((resolve) => ends.server.onMessage(resolve));
      assert.deepEqual(got, sent);
      assert.notEqual(got, sent);
    });

    test("closing one end closes both, after what was sent; later messages go nowhere", async () => {
      await using ends = await open();
      const { server, agent } = ends;
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
}
