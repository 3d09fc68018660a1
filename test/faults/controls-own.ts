/** Faults of an app, or of its visitor, and of nobody else. */
import { endedCall } from "../support/calls.ts";
import { until, visit } from "../support/platform.ts";
import { cut, otherThan, seen } from "./answers.ts";
import type { Control } from "./case.ts";
import { scripts } from "./cases/build.ts";
import { join } from "./cases/gradio.ts";

export const ownFaults: readonly Control[] = [
  {
    name: "the app's own function raises",
    on: "main",
    async run({ app, alice }) {
      const { call } = await visit(`${app.url}/gpu/breaks`, alice);
      await endedCall(alice.client, call);
      return { id: call };
    },
  },
  {
    name: "the request of a function that raises",
    on: "main",
    async run({ app, alice }) {
      const { work, status } = await visit(`${app.url}/gpu/breaks`, alice);
      return { id: work, also: () => otherThan(500, status) };
    },
  },
  {
    name: "a Gradio function raises",
    on: "main",
    async run({ app, alice }) {
      const { work, told } = await join(app, alice, "raises");
      await told;
      return { id: work };
    },
  },
  {
    name: "the app closes the connection without an answer",
    on: "main",
    async run({ app, alice }) {
      return { id: (await visit(`${app.url}/destroy`, alice)).work };
    },
  },
  {
    name: "the app breaks off its answer",
    on: "main",
    async run({ app, alice }) {
      return { id: await cut(`${app.url}/half`, alice.token) };
    },
  },
  {
    name: "the app's own build script fails",
    on: "main",
    async run({ fresh }) {
      const build = "node -e 'process.exit(3)'";
      const { deployed } = await fresh({ "package.json": scripts({ start: "node server.js", build }) });
      return { id: deployed.build?.id ?? "" };
    },
  },
  {
    name: "a visitor asks for more GPU time than its account has",
    on: "main",
    async run({ app, alice }) {
      const { call, status } = await visit(`${app.url}/gpu/hold?seconds=1&declare=600&size=xlarge`, alice);
      return { id: call, also: () => otherThan(429, status) };
    },
  },
  {
    name: "a visitor comes with a token that nobody gave",
    on: "main",
    async run({ app }) {
      const headers = { authorization: `Bearer hf_wb${"z".repeat(32)}` };
      return seen(await visit(`${app.url}/`, undefined, { headers }), 401);
    },
  },
  {
    name: "a visitor leaves a slow answer",
    on: "main",
    async run({ app, alice }) {
      await visit(`${app.url}/slow?ms=20000&left=1`, alice, { signal: AbortSignal.timeout(300) }).catch(
        () => undefined,
      ); // We leave ourselves.
      const left = await until("it is recorded", async () => {
        const { items } = await alice.client.requests(app.space);
        return items.find(({ path, outcome }) => path === "/slow" && outcome === "failed");
      });
      return { id: left.id };
    },
  },
  {
    name: "a visitor comes to a Space that its owner has paused",
    on: "main",
    async run({ fresh, alice }) {
      const { space, url } = await fresh();
      await alice.client.pause(space);
      await until("it is paused", async () => (await alice.client.space(space)).state === "paused");
      return seen(await visit(`${url}/`, alice), 503);
    },
  },
];
