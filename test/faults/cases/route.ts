/** Requests that do not come through. */
import { connect } from "node:net";
import { defaultLimits, passesMax } from "../../../src/edge/limits.ts";
import { listeningPorts } from "../../../src/runtime/processes.ts";
import { until, visit } from "../../support/platform.ts";
import { cut, otherThan, seen } from "../answers.ts";
import { proved, provedOrLikely, type FaultCase } from "../case.ts";
import { slowBuild } from "./build.ts";

/** Above the edge's limit for a body. */
const tooManyBytes = 11 * 2 ** 30;

export const routeCases: readonly FaultCase[] = [
  {
    code: "route/no-such-space",
    how: "an unknown host",
    on: "main",
    certainty: proved,
    async inject({ up }) {
      const { work } = await raw(
        up.url,
        "GET / HTTP/1.1\r\nhost: nobody-nothing.localhost\r\nconnection: close\r\n\r\n",
      );
      return { id: work };
    },
  },
  {
    code: "route/malformed",
    how: "two hosts",
    on: "main",
    certainty: proved,
    async inject({ app }) {
      const { host } = new URL(app.url);
      const { work } = await raw(
        app.url,
        `GET / HTTP/1.1\r\nhost: ${host}\r\nhost: other\r\nconnection: close\r\n\r\n`,
      );
      return { id: work };
    },
  },
  {
    code: "route/too-large",
    how: "a body longer than the limit is announced",
    on: "main",
    certainty: proved,
    async inject({ app }) {
      const { host } = new URL(app.url);
      const { work } = await raw(
        app.url,
        `POST / HTTP/1.1\r\nhost: ${host}\r\ncontent-length: ${tooManyBytes}\r\nconnection: close\r\n\r\n`,
      );
      return { id: work };
    },
  },
  {
    code: "route/loop",
    how: "an app asks itself for ever",
    on: "main",
    certainty: proved,
    async inject({ app, alice }) {
      const { headers, status } = await visit(`${app.url}/again?at=${encodeURIComponent(app.url)}`, alice);
      return {
        id: headers.get("x-refused") ?? "",
        also: () => otherThan(502, status),
      };
    },
  },
  {
    code: "route/loop",
    how: "a proxy hands on what it was handed, CDN-Loop too",
    on: "main",
    certainty: ["likely"],
    async inject({ app, alice }) {
      const passes = Array.from({ length: passesMax }, () => "waybill").join(", ");
      const { work, headers } = await visit(`${app.url}/`, alice, { headers: { "cdn-loop": passes } });
      const proxy = headers.get("proxy-status") ?? "";
      return {
        id: work,
        also: () => (proxy.includes("error=proxy_loop_detected") ? undefined : `Proxy-Status: ${proxy}`),
      };
    },
  },
  {
    code: "route/not-running",
    how: "its first build goes on",
    on: "main",
    certainty: proved,
    async inject(stage) {
      const { began, done } = slowBuild(stage, 5_000);
      const { space } = await stage.alice.client.build(await began);
      const { addresses } = await stage.alice.client.space(space);
      const { work, status } = await visit(`${addresses.at(-1)}/`, stage.alice);
      await done;
      return seen({ work, status }, 503);
    },
  },
  {
    code: "route/connect-refused",
    how: "the app closed its port and lives on",
    on: "main",
    certainty: proved,
    async inject({ fresh, alice, up }) {
      const app = await fresh();
      const replica = await up.replica(app.space);
      await visit(`${app.url}/stop-listening`, alice);
      await until("the app listens nowhere", () => listeningPorts([replica.app.pid]).size === 0);
      const { work } = await visit(`${app.url}/`, alice);
      return { id: work };
    },
  },
  {
    code: "route/connect-timeout",
    how: "every connection to the replica is taken",
    on: "bare",
    certainty: proved,
    async inject({ fresh, alice }) {
      const app = await fresh();
      const leave = new AbortController();
      const takers = Array.from({ length: defaultLimits.connectionsPerReplica }, () =>
        visit(`${app.url}/never`, alice, { signal: leave.signal }).catch(() => undefined),
      ); // We leave ourselves.
      await until(
        "the app has all of them",
        async () =>
          (await visit(`${app.url}/`, alice, { signal: AbortSignal.timeout(3_000) }).catch(() => undefined)) ===
          undefined,
      );
      const { work, status } = await visit(`${app.url}/`, alice);
      leave.abort();
      await Promise.all(takers);
      return seen({ work, status }, 504);
    },
  },
  {
    code: "route/reset-midway",
    how: "the app destroys the socket without a word",
    on: "main",
    certainty: proved,
    async inject({ app, alice }) {
      const { work } = await visit(`${app.url}/destroy`, alice);
      return { id: work };
    },
  },
  {
    code: "route/reset-midway",
    how: "the app ends its answer in the middle",
    on: "main",
    certainty: proved,
    async inject({ app, alice }) {
      return { id: await cut(`${app.url}/half`, alice.token) };
    },
  },
  {
    code: "route/reset-midway",
    how: "the app is killed in the middle of its answer",
    on: "main",
    certainty: proved,
    async inject({ fresh, alice }) {
      return { id: await cut(`${(await fresh()).url}/half-then-die`, alice.token) };
    },
  },
  {
    code: "route/reset-midway",
    how: "the app dies of a request on a kept connection, and nobody listens when it is tried again",
    on: "main",
    certainty: proved,
    async inject({ fresh, alice }) {
      const { url } = await fresh();
      await visit(`${url}/`, alice);
      return { id: (await visit(`${url}/die`, alice)).work };
    },
  },
  {
    code: "route/response-timeout",
    how: "the app never answers",
    on: "tight",
    certainty: proved,
    async inject({ app, alice }) {
      return seen(await visit(`${app.url}/never`, alice), 504);
    },
  },
  {
    code: "route/idle-timeout",
    how: "the app begins a stream and says nothing more on it",
    on: "main",
    certainty: proved,
    async inject({ fresh, alice }) {
      const app = await fresh();
      await visit(`${app.url}/queue/join?session=quiet&do=waits`, alice, { method: "POST" });
      await alice.client.changeSpace(app.space, { "idle-limit": "1s" });
      return { id: await cut(`${app.url}/queue/data?session_hash=quiet`, alice.token) };
    },
  },
  {
    code: "route/open-too-long",
    how: "the app works on the answer for longer than its Space allows",
    on: "main",
    certainty: proved,
    async inject({ fresh, alice }) {
      const app = await fresh();
      await alice.client.changeSpace(app.space, { "time-limit": "1s" });
      return seen(await visit(`${app.url}/never`, alice), 504);
    },
  },
  {
    code: "capacity/space-busy",
    how: "a Space has as many requests as its owner allows",
    on: "main",
    certainty: proved,
    async inject({ fresh, alice }) {
      const app = await fresh();
      await alice.client.changeSpace(app.space, { "requests-at-once": "1" });
      const leave = new AbortController();
      const taker = visit(`${app.url}/never`, alice, { signal: leave.signal }).catch(() => undefined); // We leave ourselves.
      const refused = await until("the next one is refused", async () => {
        const answer = await visit(`${app.url}/`, alice);
        return answer.status !== 200 && answer;
      });
      leave.abort();
      await taker;
      return seen(refused, 503);
    },
  },
  {
    code: "capacity/rate-limited",
    how: "an address asks faster than it may",
    on: "bare",
    certainty: proved,
    async inject({ app }) {
      const headers = { "x-forwarded-for": "203.0.113.7" };
      const refused = await until("it is refused", async () => {
        const answer = await visit(`${app.url}/`, undefined, { headers });
        return answer.status !== 200 && answer;
      });
      const again = refused.headers.get("retry-after");
      return {
        id: refused.work,
        also: () =>
          refused.status === 429 && again !== null ? undefined : `the visitor saw ${refused.status}, ${again}`,
      };
    },
  },
  {
    code: "route/visitor-left",
    how: "in the middle of the answer",
    on: "main",
    certainty: proved,
    async inject({ app, alice }) {
      const leave = new AbortController();
      const response = await fetch(`${app.url}/events?ms=20000`, {
        headers: { authorization: `Bearer ${alice.token}` },
        signal: leave.signal,
      });
      await response.body?.getReader().read();
      leave.abort();
      return { id: response.headers.get("x-waybill-id") ?? "" };
    },
  },
  {
    code: "route/visitor-left",
    how: "before the answer",
    on: "main",
    certainty: provedOrLikely,
    async inject({ app, alice, up }) {
      const leave = new AbortController();
      const path = `/slow`;
      const begun = async (): Promise<number> => Number((await visit(`${app.url}/slow-begun`, alice)).text);
      const before = await begun();
      const seen = new Set((await up.admin.requests(app.space)).items.map(({ id }) => id));
      const answer = visit(`${app.url}${path}?ms=20000`, alice, { signal: leave.signal }).catch(() => undefined); // We leave ourselves.
      await until("the app has it", async () => (await begun()) > before);
      leave.abort();
      await answer;
      const left = await until("the request is in the list", async () => {
        const { items } = await alice.client.requests(app.space);
        return items.find((one) => one.path === path && !seen.has(one.id));
      });
      return { id: left.id };
    },
  },
];

async function raw(url: string, text: string): Promise<{ status: number; work: string }> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  const parts: Buffer[] = [];
  socket.on("data", (bytes: Buffer) => parts.push(bytes));
  socket.on("error", () => socket.destroy());
  socket.write(text);
  await new Promise((done) => socket.once("close", done));
  const answer = Buffer.concat(parts).toString();
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0),
    work: /^x-waybill-id: (\S+)/im.exec(answer)?.[1] ?? "",
  };
}
