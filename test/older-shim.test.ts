/** A shim of an older version beside the agent of this one, as after an upgrade: the sources of before are run for it. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, describe, test } from "node:test";
import { readApp, readShim } from "../src/runtime/folder.ts";
import { adopt, launch } from "../src/runtime/launch.ts";
import { isAlive, linuxProcesses } from "../src/runtime/processes.ts";
import { bench, dial, textOf, tools, until, watch } from "./support/replicas.ts";

const root = resolve(import.meta.dirname, "..");
const replicas = bench();
after(() => replicas[Symbol.asyncDispose]());
const processes = linuxProcesses();
const git = (...args: readonly string[]): string => execFileSync("git", ["-C", root, ...args], { encoding: "utf8" });

/** The commit before the messages' second version; undefined where the clone does not reach so far back. */
function firstVersion(): string | undefined {
  try {
    const second = git("log", "--diff-filter=A", "--format=%H", "--", "src/runtime/shim/freezer.ts").trim();
    return git("rev-parse", "--verify", "--quiet", `${second}^`).trim();
  } catch {
    return undefined; // No git, no history, or only a part of it.
  }
}

const commit = firstVersion();
const skip = commit === undefined ? "this clone's history does not hold the older version" : false;

describe("a shim of the first version", { skip }, () => {
  test("is found by this agent with its app, gives its log, and is stopped", async () => {
    const tree = join(replicas.folder, "older");
    mkdirSync(tree);
    const sources = execFileSync("git", ["-C", root, "archive", commit ?? "", "src", "package.json"], {
      maxBuffer: 1 << 26,
    });
    execFileSync("tar", ["-x", "-C", tree], { input: sources });
    const app = `require("node:http").createServer((_, to) => to.end("hi")).listen(process.env.PORT, "127.0.0.1", () => console.log("listening"));`;
    const plan = replicas.plan({ "app.js": app });
    const started = watch(await launch(plan, { ...tools, shimEntry: join(tree, "src/main/shim.ts") }), plan);
    await started.untilPhase("ready");
    started.link.close();
    const found = await adopt(plan.folder);
    assert.ok(!("dead" in found));
    const one = watch(found, plan);
    assert.equal(found.status().phase, "ready");
    const stream = dial(found.status().socket ?? "", { connection: 1 });
    stream.write("GET / HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n");
    assert.match(await textOf(stream), /hi$/);
    await until("its log is read", async () => (await one.logTexts()).includes("listening"));
    const [shim, first] = [readShim(plan.folder), readApp(plan.folder)];
    assert.ok(shim && first);
    assert.equal(shim.contract, undefined);
    assert.equal(found.send({ type: "freeze-replica", replica: plan.spec.replica, frozen: true }), false);
    found.send({ type: "stop", graceMs: 2_000, why: "the test is over" });
    assert.equal((await one.untilPhase("stopped")).end?.says, "The platform stopped it: the test is over.");
    found.close();
    await until("both are gone", () => !isAlive(processes, shim) && !isAlive(processes, first));
  });
});
