/** Runs without a fault of the platform's: it may not take any on itself. */
import { endedCall, running } from "../support/calls.ts";
import { visit } from "../support/platform.ts";
import { cards, type Control } from "./case.ts";
import { join } from "./cases/gradio.ts";
import { ownFaults } from "./controls-own.ts";
import { otherWorks } from "./controls-works.ts";

export const controls: readonly Control[] = [
  ...ownFaults,
  ...otherWorks,
  request("a healthy request", "/", 200),
  request("a slow request", "/slow?ms=1500", 200),
  request("the app's own 500", "/status?code=500", 500),
  request("the app's own 503", "/status?code=503", 503),
  request("the app's own 502", "/status?code=502", 502),
  request("the app's own 504", "/status?code=504", 504),
  request("the app's own 429", "/status?code=429", 429),
  request("the app's own 401", "/status?code=401", 401),
  request("the app's own 404", "/nothing-here", 404),
  request("a healthy request with a body", "/", 200, { method: "POST", body: "x".repeat(100_000) }),
  request("a healthy request for a head alone", "/", 200, { method: "HEAD" }),
  request("a long event stream", "/events?ms=3000", 200),
  {
    name: "a healthy call",
    on: "main",
    async run({ app, alice }) {
      const { call } = await visit(`${app.url}/gpu/hold?seconds=0.3`, alice);
      const { chargedMs, usedMs, outcome } = await endedCall(alice.client, call);
      return {
        id: call,
        also: () =>
          outcome === "ok" && chargedMs === usedMs && chargedMs >= 300
            ? undefined
            : `${outcome}, used ${usedMs} ms, charged ${chargedMs} ms`,
      };
    },
  },
  {
    name: "a Gradio function that returns",
    on: "main",
    async run({ app, alice }) {
      const { work, told } = await join(app, alice, "returns");
      await told;
      return { id: work };
    },
  },
  {
    name: "the request of a healthy call",
    on: "main",
    async run({ app, alice }) {
      const { work } = await visit(`${app.url}/gpu/hold?seconds=0.1`, alice);
      return { id: work };
    },
  },
  {
    name: "a whole card costs twice",
    on: "main",
    async run({ app, alice }) {
      const { call } = await visit(`${app.url}/gpu/hold?seconds=0.2&size=xlarge`, alice);
      const { chargedMs, usedMs } = await endedCall(alice.client, call);
      return {
        id: call,
        also: () => (chargedMs === 2 * usedMs ? undefined : `used ${usedMs} ms, charged ${chargedMs} ms`),
      };
    },
  },
  {
    name: "a visitor leaves and the call runs to its end",
    on: "main",
    async run({ app, alice }) {
      await using run = await running(alice, app, "seconds=1");
      run.leave();
      const { outcome, chargedMs } = await endedCall(alice.client, run.call.id);
      return {
        id: run.call.id,
        also: () => (outcome === "ok" && chargedMs >= 1_000 ? undefined : `${outcome}, charged ${chargedMs} ms`),
      };
    },
  },
  {
    name: "a call on a card in trouble that ends well",
    on: "cards",
    async run(stage) {
      const { app, alice } = stage;
      await using run = await running(alice, app, "seconds=2");
      await using _lost = await cards(stage, { fails: "Failed to initialize NVML: Unknown Error" });
      const { outcome, chargedMs, usedMs } = await endedCall(alice.client, run.call.id);
      return {
        id: run.call.id,
        also: () =>
          outcome === "ok" && chargedMs === usedMs && chargedMs > 0 ? undefined : `${outcome}, charged ${chargedMs} ms`,
      };
    },
  },
  {
    name: "one of two cards is lost and calls go to the other",
    on: "cards",
    async run(stage) {
      const { app, alice, smi } = stage;
      await using _lost = await cards(stage, { cards: smi.state.cards.slice(1) });
      const { call } = await visit(`${app.url}/gpu/hold?seconds=0.1`, alice);
      await endedCall(alice.client, call);
      const { gpu, simulated } = (await alice.client.receipt(call)).receipt;
      return {
        id: call,
        also: () => (gpu?.includes(smi.state.cards[1]?.uuid ?? "-") && !simulated ? undefined : `it ran on ${gpu}`),
      };
    },
  },
  {
    name: "a healthy build",
    on: "main",
    async run({ fresh }) {
      const { deployed } = await fresh();
      return {
        id: deployed.build?.id ?? "",
        also: ({ outcome }) => (outcome === "ok" ? undefined : `the build is ${outcome}`),
      };
    },
  },
  {
    name: "a static Space",
    on: "main",
    async run({ fresh, alice }) {
      const { url } = await fresh({
        "README.md": "---\nsdk: static\n---\n",
        "index.html": "<html>well</html>",
        "package.json": "",
        "server.js": "",
        "work.js": "",
      });
      const { work, status } = await visit(`${url}/`, alice);
      return { id: work, also: () => (status === 200 ? undefined : `the visitor saw ${status}`) };
    },
  },
  {
    name: "a Space that runs",
    on: "main",
    run: async ({ app }) => ({ id: app.space }),
  },
  {
    name: "a call that a restart of the platform merely spanned",
    on: "kills",
    async run({ app, alice, up }) {
      await using run = await running(alice, app, "seconds=4");
      await up.restart();
      const { outcome, chargedMs } = await endedCall(up.admin, run.call.id);
      return {
        id: run.call.id,
        asks: up.admin,
        also: () => (outcome === "ok" && chargedMs >= 4_000 ? undefined : `${outcome}, charged ${chargedMs} ms`),
      };
    },
  },
];

function request(name: string, path: string, expected: number, init?: RequestInit): Control {
  return {
    name,
    on: "main",
    async run({ app, alice }) {
      const { work, status } = await visit(`${app.url}${path}`, alice, init);
      return { id: work, also: () => (status === expected ? undefined : `the visitor saw ${status}`) };
    },
  };
}
