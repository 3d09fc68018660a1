/** The platform's queue and its sentences in Gradio's own clients: an app as it is written for Spaces, unmodified packages, real streams. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { Client } from "@gradio/client";
import { readPlan } from "../src/runtime/folder.ts";
import { gradioFiles, joinByHand, said, told } from "./support/gradio-app.ts";
import { needs } from "./support/needs.ts";
import { Platform, slotsAreFree, until, type Account, type App } from "./support/platform.ts";
import { deployWithPackages } from "./support/run.ts";

const { skip } = await needs("gradio");
const statusProgram = resolve(import.meta.dirname, "apps/gradio_status.py");

interface Status {
  readonly code: string;
  readonly rank: number | null;
  readonly queue_size: number | null;
  readonly eta: number | null;
}

describe("what a Gradio client is told of the GPU queue", { skip }, () => {
  let up: Platform;
  let alice: Account;
  let app: App;
  before(async () => {
    up = await Platform.start({ gpus: "1x1" });
    alice = await up.account("alice", "unlimited");
    app = await deployWithPackages(up, alice, "events", gradioFiles);
    assert.equal(app.deployed.ok, true, app.deployed.says);
  });
  after(async () => {
    await up[Symbol.asyncDispose]();
  });

  /** Somebody has the only slot for so long. */
  const taken = async (seconds: number) => {
    await slotsAreFree(up);
    const join = await joinByHand(app.url, "works", [seconds], alice);
    await said(up, join.work, ({ links }) => links.some(({ sentence }) => sentence?.includes("running") === true));
    return join;
  };
  const connect = (): Promise<Client> =>
    Client.connect(app.url, { token: alice.token as `hf_${string}`, events: ["data", "status"] });
  /** All statuses of one call, as `@gradio/client` tells them. */
  const statuses = async (name: string, x: number) => {
    const client = await connect();
    const all: {
      stage: string;
      position?: number | undefined;
      eta?: number | undefined;
      message?: string | undefined;
    }[] = [];
    for await (const one of client.submit(name, [x])) if (one.type === "status") all.push(one);
    client.close();
    return all;
  };

  test("@gradio/client: its place and how long, while it waits for a GPU, and then that it runs", async () => {
    const holder = await taken(5);
    const all = await statuses("/draws", 0.1);
    await holder.told;
    const places = all.flatMap(({ stage, position }, at) =>
      stage === "pending" &&
      position === 0 &&
      all.slice(0, at).some((one) => one.stage === "generating" || one.stage === "pending")
        ? [at]
        : [],
    );
    const waits = all.filter(
      ({ stage, position, eta }) => stage === "pending" && position === 0 && typeof eta === "number",
    );
    assert.ok(places.length > 0 && waits.length > 0, JSON.stringify(all));
    assert.equal(all.at(-1)?.stage, "complete");
  });

  test("gradio_client: job.status() is IN_QUEUE with rank and eta while the call waits, then PROCESSING, then FINISHED", async () => {
    const python = readPlan((await up.replica(app.space)).folder)?.release.argv?.[0] ?? "";
    const person = spawn(python, [statusProgram, app.url, alice.token, "/draws", "0.5"], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const printed = createInterface(person.stdout)[Symbol.asyncIterator]();
    assert.deepEqual(JSON.parse((await printed.next()).value ?? ""), { connected: true });
    const holder = await taken(6);
    person.stdin.end("go\n");
    const lines: string[] = [];
    for await (const line of printed) lines.push(line);
    await holder.told;
    const stdout = lines.join("\n");
    const seen = lines.slice(0, -1).map((line) => JSON.parse(line) as Status);
    const isPlace = ({ code, rank, eta }: Status): boolean =>
      code === "IN_QUEUE" && rank === 0 && typeof eta === "number";
    const at = seen.findIndex((status) => isPlace(status) && status.queue_size === 1);
    assert.ok(at >= 0, stdout);
    // It is looked at now and then: what the function says of itself may have taken the place of its start by then.
    const after = seen.slice(seen.findLastIndex(isPlace) + 1, -1);
    assert.ok(
      after.some(({ code }) => code === "PROCESSING" || code === "LOG"),
      stdout,
    );
    assert.equal(seen.at(-1)?.code, "FINISHED");
    assert.deepEqual(JSON.parse(lines.at(-1) ?? ""), { result: "drawn" });
  });

  test("a refusal of ours in our words, not the hosted service's; with messages=off in theirs; the record has both", async () => {
    await up.admin.changePool("main", { queueLimitMs: 2_000 });
    const holder = await taken(12);
    const refused = async () => {
      const join = await joinByHand(app.url, "draws", [0.1], alice);
      return { work: join.work, text: await join.told };
    };
    const full = await refused();
    assert.match(full.text, /"error":\s?"No GPU became free within 2 s\. Nothing was charged\./);
    assert.doesNotMatch(full.text, /60s|huggingface/);
    const explained = await told(up, full.work);
    assert.equal(explained.verdict?.code, "queue-timeout");
    assert.match(explained.sentence, /No GPU was available after 60s/, "what the app said is kept");
    const deliver = explained.entries.find(({ hop }) => hop === "edge.deliver");
    assert.deepEqual((deliver?.facts["toldInstead"] as { code: string } | undefined)?.code, "gpu/queue-timeout");
    await alice.client.changeSpace(app.space, { messages: "off" });
    await until("the edge has heard", async () => (await alice.client.space(app.space)).settings.messages === "off");
    assert.match((await refused()).text, /No GPU was available after 60s/);
    holder.leave();
  });
});
