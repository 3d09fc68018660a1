/** What is followed at a terminal while the platform ends, in order or not, and is there again: it ends only where what it follows does. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { setImmediate as immediate } from "node:timers/promises";
import { describeFailure } from "../src/cli/failures.ts";
import { WaybillClient } from "../src/client/api.ts";
import { deployFolder } from "../src/client/deploy.ts";
import { ScriptedConsole, space } from "./support/console-api.ts";
import {
  Platform,
  fixtureApp,
  fixtureFiles,
  killProcess,
  until,
  visit,
  type Account,
  type App,
} from "./support/platform.ts";

/** A command that runs, and what it has printed. */
interface Running {
  readonly said: { out: string; err: string };
  readonly code: Promise<number | null>;
  interrupt(): void;
  /** Nobody reads its answer any more. */
  leave(): void;
}

describe("what is followed", () => {
  let up: Platform;
  let alice: Account;
  let app: App;
  before(async () => {
    up = await Platform.start();
    alice = await up.account("alice");
    app = await up.deploy(alice, "demo");
  });
  after(() => up[Symbol.asyncDispose]());

  function waybill(...args: readonly string[]): Running {
    const env = { ...process.env, WAYBILL_URL: up.url, WAYBILL_TOKEN: alice.token };
    const bin = resolve("bin/waybill.js");
    const child = spawn(process.execPath, [bin, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
    const said = { out: "", err: "" };
    for (const name of ["out", "err"] as const)
      child[`std${name}`].setEncoding("utf8").on("data", (text: string) => (said[name] += text));
    const code = once(child, "close").then(([ended]) => ended as number | null);
    return { said, code, interrupt: () => void child.kill("SIGINT"), leave: () => void child.stdout.destroy() };
  }

  /** The app prints it, where it is reached. */
  const say = (line: string): Promise<unknown> =>
    visit(`${app.url}/say?line=${encodeURIComponent(line)}`, alice).catch(() => undefined); // It is on its way.

  /** An app whose build is over once `go` was called. */
  function slowApp(): { readonly folder: string; go(): void } {
    const scripts = { start: "node server.js", build: "node build.js" };
    const folder = up.write({
      ...fixtureFiles(),
      "package.json": JSON.stringify({ name: "slow", private: true, type: "module", scripts }),
    });
    const go = join(up.folder, `${basename(folder)}-goes`);
    writeFileSync(
      join(folder, "build.js"),
      `import { existsSync } from "node:fs";
       console.log("the build waits");
       const look = setInterval(() => existsSync(${JSON.stringify(go)}) && clearInterval(look), 50);`,
    );
    return { folder, go: () => writeFileSync(go, "") };
  }

  const ends = { "is killed": () => up.kill(), "stops in order": () => up.stop() };
  for (const [name, end] of Object.entries(ends))
    test(`goes on where the platform ${name} and is there again: an app's log, its requests, a build's log, a deployment`, async () => {
      const before = `before it ${name}`;
      const logs = waybill("logs", app.space, "-f", "--grep", name);
      const requests = waybill("requests", app.space, "-f", "--grep", "say");
      const slow = slowApp();
      const deploy = waybill("deploy", slow.folder, "--space", "alice/slow");
      await until("the build is under way", () => deploy.said.err.includes("the build waits"));
      const [build] = (await alice.client.builds("alice/slow")).items;
      const log = waybill("logs", build?.id ?? "", "-f");
      await until("all are followed", async () => {
        await say(before);
        return logs.said.out.includes(before) && requests.said.out !== "" && log.said.out.includes("the build waits");
      });
      const all = Object.entries({ logs, requests, log, deploy });
      await end();
      for (const [what, { said }] of all)
        await until(`${what} says that it waits`, () => said.err.includes("It is tried again, for 5 min at most."));
      await up.up();
      slow.go();
      assert.deepEqual([await log.code, await deploy.code], [0, 0], deploy.said.err);
      assert.match(deploy.said.out, /^http\S+\n$/);
      assert.match(log.said.out, /built and running; \d+ lines, complete\n$/);
      const later = `after it ${name}`;
      await until("the app's log and its requests go on", async () => {
        await say(later);
        return logs.said.out.includes(later) && requests.said.out.includes("say?line=after");
      });
      for (const [what, { said }] of all) {
        const back = said.err.match(/It answers again, and goes on after the last line/g);
        assert.equal(back?.length, 1, `${what}: ${said.err}`);
      }
      for (const one of [logs, requests]) one.interrupt();
      assert.deepEqual([await logs.code, await requests.code], [130, 130]);
    });

  test("an app's log goes on where a replica ends and another follows, and ends with its Space, well", async () => {
    const logs = waybill("logs", app.space, "-f", "-n", "1");
    await until("it is followed", async () => {
      await say("by the first");
      return logs.said.out.includes("by the first");
    });
    const first = await up.replica(app.space);
    await alice.client.restart(app.space);
    await until("another follows", () => logs.said.out.includes(`follows ${first.id} --`));
    killProcess((await up.replica(app.space)).app);
    await until("a third follows", async () => {
      await say("by the third");
      return logs.said.out.split("follows").length === 3 && logs.said.out.includes("by the third");
    });
    await alice.client.pause(app.space);
    assert.deepEqual([await logs.code, logs.said.err], [0, ""]);
  });

  test("ends in order where its reader leaves, as head does", async () => {
    const logs = waybill("logs", "alice/slow", "-f");
    await until("it prints", () => logs.said.out !== "");
    logs.leave();
    const { addresses } = await alice.client.space("alice/slow");
    let hasEnded = false;
    void logs.code.then(() => (hasEnded = true));
    await until("it has ended", async () => {
      await visit(`${addresses.at(-1)}/say?line=unread`, alice);
      return hasEnded;
    });
    assert.deepEqual([await logs.code, logs.said.err], [143, ""]);
  });

  test("a deployment whose platform goes away and stays away is over after five minutes: exit code 6, and what is of its files", async () => {
    await using api = new ScriptedConsole();
    const url = await api.listen();
    api.routes.set("GET /api/spaces/alice/demo", space);
    api.routes.set("POST /api/spaces/alice/demo/commit/main", {
      success: true,
      commitOid: "c".repeat(40),
      build: "b_1",
    });
    api.routes.set("GET /api/builds/b_1/log?follow=1", () => undefined);
    api.routes.set("GET /api/builds/b_1", () => void api[Symbol.asyncDispose]());
    let pausedMs = 0;
    const told: string[] = [];
    const watching = {
      onLost: ({ message }: Error, forMs: number) => void told.push(`${message} ${forMs} ms`),
      pause: async (ms: number) => (await immediate(), void (pausedMs += ms)),
    };
    const client = new WaybillClient({ url, token: null });
    const error = await deployFolder(client, fixtureApp, "alice/demo", watching).catch((thrown: unknown) => thrown);
    const { exitCode, problem: said } = describeFailure(error);
    assert.deepEqual([exitCode, said.code, said.owner], [6, "server-unreachable", "platform"]);
    assert.match(said.detail, /^Waybill at \S+ does not answer \(ECONN\w+\)\.$/);
    assert.match(
      said.next,
      /^Its files are stored\. Start it with `waybill up`; then `waybill builds alice\/demo` says/,
    );
    assert.deepEqual(told, [`Waybill at ${url} does not answer. 300000 ms`]);
    assert.ok(pausedMs >= 300_000, "both that wait, for as long");
  });
});
