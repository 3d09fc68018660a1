/** Events of a Gradio app that end in every way but well: the join was answered 200, and what became of it came on another answer. */
import { randomUUID } from "node:crypto";
import { killProcess, until, visit, type Account, type App, type Platform } from "../../support/platform.ts";
import { proved, provedOrLikely, type FaultCase } from "../case.ts";

export const gradioCases: readonly FaultCase[] = [
  {
    code: "app/exception",
    how: "a Gradio function raises",
    on: "main",
    certainty: proved,
    async inject({ app, alice }) {
      const { work, told } = await join(app, alice, "raises");
      await told;
      return {
        id: work,
        also: ({ sentence }) =>
          sentence.includes("no such style") ? undefined : `the app's words are not in: ${sentence}`,
      };
    },
  },
  {
    code: "runtime/device-out-of-memory",
    how: "a Gradio function's error is CUDA's",
    on: "main",
    certainty: ["likely"],
    async inject({ app, alice }) {
      const { work, told } = await join(app, alice, "fills");
      await told;
      return { id: work };
    },
  },
  {
    code: "gpu/lease-expired",
    how: "a Gradio function fails because the platform ended its call",
    on: "main",
    certainty: proved,
    async inject({ app, alice }) {
      const { work, told } = await join(app, alice, "outlives");
      await told;
      return { id: work };
    },
  },
  {
    code: "route/visitor-left",
    how: "a Gradio function's visitor closes the event stream",
    on: "main",
    certainty: proved,
    async inject({ app, alice, up }) {
      const { work, leave } = await openJoin(app, alice, up);
      leave();
      await until("it has ended", async () => (await up.admin.explain(work)).outcome === "failed");
      return { id: work };
    },
  },
  {
    code: "route/reset-midway",
    how: "the app is killed while it tells of a Gradio event",
    on: "main",
    certainty: proved,
    async inject({ fresh, alice, up }) {
      const app = await fresh();
      const { work, told } = await openJoin(app, alice, up);
      killProcess((await up.replica(app.space)).app);
      await told.catch(() => undefined); // The answer breaks off.
      return { id: work };
    },
  },
  {
    code: "runtime/shim-lost",
    how: "kill -9 of the shim while a Gradio event is open",
    on: "main",
    certainty: provedOrLikely,
    async inject({ fresh, alice, up }) {
      const app = await fresh();
      const { work, told } = await openJoin(app, alice, up);
      killProcess((await up.replica(app.space)).shim);
      await told.catch(() => undefined); // The answer breaks off.
      return { id: work };
    },
  },
  {
    code: "route/control-down",
    how: "kill -9 of the platform while a Gradio event is open",
    on: "kills",
    certainty: provedOrLikely,
    async inject({ app, alice, up }) {
      const { work } = await openJoin(app, alice, up);
      await up.restart();
      return { id: work, asks: up.admin };
    },
  },
];

/** A join of a function that does not end, once it is open in the record: nothing is said of it in its first second. */
async function openJoin(app: App, account: Account, up: Platform): Promise<Joined> {
  const joined = await join(app, account, "waits");
  await until(
    "it is open",
    async () => (await up.admin.explain(joined.work).catch(() => undefined))?.outcome === "open",
  ); // 404 until then.
  return joined;
}

interface Joined {
  /** The join's request. */
  readonly work: string;
  /** What came on the stream, once that has ended. */
  readonly told: Promise<string>;
  leave(): void;
}

/** Asks the fixture for one of its functions, as a Gradio client does, and listens. */
export async function join(app: App, account: Account, name: string): Promise<Joined> {
  const session = randomUUID();
  const body = JSON.stringify({ data: [], fn_index: 0, session_hash: session });
  const { work } = await visit(`${app.url}/queue/join?do=${name}&session=${session}`, account, {
    method: "POST",
    body,
  });
  const leave = new AbortController();
  const stream = visit(`${app.url}/queue/data?session_hash=${session}`, account, { signal: leave.signal });
  const told = stream.then(({ text }) => text);
  told.catch(() => undefined); // Whoever leaves is not told.
  return { work, told, leave: () => leave.abort() };
}
