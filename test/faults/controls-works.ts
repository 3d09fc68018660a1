/** Transfers, connections, replicas and Spaces that went as they should. */
import { randomBytes } from "node:crypto";
import type { Explanation } from "../../src/evidence/verdict.ts";
import { until, visit } from "../support/platform.ts";
import { pointerTo } from "../support/sha256.ts";
import type { Control, Stage, Work } from "./case.ts";
import { listening, tried } from "./cases/egress.ts";
import { addressOf, Pushing, sent, stored } from "./cases/transfers.ts";

export const otherWorks: readonly Control[] = [
  {
    name: "a file is sent",
    on: "tight",
    async run(stage) {
      const bytes = randomBytes(100_000);
      return movedWell(await sent(await addressOf(stage, "sends", "upload", pointerTo(bytes)), bytes));
    },
  },
  {
    name: "a file is fetched",
    on: "tight",
    async run(stage) {
      return movedWell(await fetch(await stored(stage, "fetches")));
    },
  },
  {
    name: "a file is fetched that the client has",
    on: "tight",
    async run(stage) {
      const href = await stored(stage, "cached");
      const whole = await fetch(href);
      await whole.arrayBuffer();
      const headers = { "if-none-match": whole.headers.get("etag") ?? "" };
      return movedWell(await fetch(href, { headers }));
    },
  },
  {
    name: "a push that is taken",
    on: "tight",
    async run(stage) {
      using pushing = new Pushing(stage, "taken", { "index.html": "one" });
      return { ...((await pushing.push({ ref: "refs/heads/x" })) as Work), also: wentWell };
    },
  },
  {
    name: "a connection of an app that is carried",
    on: "boxed",
    async run(stage) {
      await using _there = await listening(4_199, (socket) => socket.on("error", () => undefined).end("well\n"));
      return { id: await tried(stage, "host=127.0.0.2&port=4199"), also: wentWell };
    },
  },
  {
    name: "a replica that its owner's pause ends",
    on: "main",
    async run(stage) {
      const { replica } = await paused(stage);
      await until("its end is told", async () => (await stage.up.admin.explain(replica)).outcome === "ok");
      return { id: replica, also: wentWell };
    },
  },
  {
    name: "a Space that its owner has paused",
    on: "main",
    async run(stage) {
      return { id: (await paused(stage)).space, also: wentWell };
    },
  },
  {
    name: "a request to another release than the one before",
    on: "main",
    async run({ up, fresh, alice }) {
      const { space } = await fresh();
      const { url } = await up.deploy(alice, space.split("/")[1] ?? "", { "version.txt": "2" });
      const { work, status } = await visit(`${url}/`, alice);
      return { id: work, also: () => (status === 200 ? undefined : `the visitor saw ${status}`) };
    },
  },
];

/** The answer is read to its end: its evidence is written with that. */
async function movedWell(answer: Response): Promise<Work> {
  await answer.arrayBuffer();
  return { id: answer.headers.get("x-waybill-id") ?? "", also: wentWell };
}

async function paused({ up, fresh, alice }: Stage): Promise<{ readonly space: string; readonly replica: string }> {
  const { space } = await fresh();
  const { id } = await up.replica(space);
  await alice.client.pause(space);
  await until("it is paused", async () => (await alice.client.space(space)).state === "paused");
  return { space, replica: id };
}

function wentWell({ outcome, sentence }: Explanation): string | undefined {
  return outcome === "ok" ? undefined : `it is ${outcome}: ${sentence}`;
}
