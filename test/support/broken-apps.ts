/**
 * Small broken apps on one platform: each is deployed by the client, ends (or runs) as its row says, with a log that names the cause,
 * while a neighbour serves; at the end nothing of any of them is left.
 */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { deployFolder, type Deployed } from "../../src/client/deploy.ts";
import { codeRow, type Code, type Owner } from "../../src/evidence/codes.ts";
import type { Verdict } from "../../src/evidence/verdict.ts";
import { Platform, until, visit, type Account, type App, type UpOptions } from "./platform.ts";

export interface BrokenApp {
  readonly name: string;
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  /** `runs`: it is broken in a way that stops nobody, or breaks later. */
  readonly ends: Code | "runs";
  /** Where it is not the code's own. */
  readonly owner?: Owner;
  /** The status of `/` where it runs; 200. */
  readonly answers?: number;
  /** In the build's log, or the app's, or the sentence of its end. */
  readonly says?: RegExp;
  /** What breaks it once it runs, and what has to be seen of that. */
  readonly afterwards?: (running: RunningApp) => Promise<void>;
}

export interface RunningApp extends App {
  readonly up: Platform;
  readonly alice: Account;
  /** Asks it, and expects this of the answer. */
  readonly get: (path: string, status?: number, text?: RegExp) => Promise<string>;
  /** Resolves when the replica that ran at first has ended, with the code and sentence of its end. */
  readonly ended: () => Promise<{ readonly code: Code; readonly says: string; readonly owner: Owner | "unknown" }>;
  /** All that the app and its replica have written into the log. */
  readonly log: () => Promise<string>;
}

/** A machine that does all of this at once is slow; a neighbour that does not answer for so long is harmed. */
const neighbourWithinMs = 30_000;
const neighbourEveryMs = 150;
/** Reached only where something hangs. */
const deployedWithinMs = 600_000;
const logWithinMs = 180_000;
const goneWithinMs = 180_000;

/** A Node Space whose `server.js` is `code`. */
export function node(code: string, settings = "", more: BrokenApp["files"] = {}): BrokenApp["files"] {
  return {
    "README.md": `---\nsdk: node\n${settings}\n---\n`,
    "package.json": JSON.stringify({
      name: "app",
      private: true,
      type: "module",
      scripts: { start: "node server.js" },
    }),
    "server.js": code,
    ...more,
  };
}

/** A Node Space with these scripts, that would serve. */
export function scripts(of: Readonly<Record<string, string>>, more: BrokenApp["files"] = {}): BrokenApp["files"] {
  const all = { start: "node server.js", ...of };
  return {
    ...node(serves()),
    "package.json": JSON.stringify({ name: "app", private: true, type: "module", scripts: all }),
    ...more,
  };
}

/** A server that answers `ok`, or what `routes`, the body of a function of `path`, `request` and `response`, answers itself. */
export function serves(routes = "", before_ = "", host = "0.0.0.0"): string {
  return `import { createServer } from "node:http";
import fs from "node:fs";
import { spawn, spawnSync } from "node:child_process";
${before_}
const server = createServer(async (request, response) => {
  const path = request.url;
  ${routes}
  response.end("ok");
});
server.listen(process.env.PORT, ${JSON.stringify(host)});
`;
}

export function brokenApps(
  title: string,
  apps: readonly BrokenApp[],
  options: UpOptions & { readonly skip: string | false; readonly concurrency?: number },
): void {
  const { skip, concurrency = 3, ...upOptions } = options;
  describe(title, { skip }, () => {
    let up: Platform;
    let alice: Account;
    let neighbour: Neighbour;
    const replicas = new Set<string>();
    const spaces: string[] = [];

    before(async () => {
      up = await Platform.start({ ...upOptions, sandbox: "best" });
      alice = await up.account("alice");
      neighbour = await Neighbour.start(up);
    });
    after(async () => await up[Symbol.asyncDispose]());

    describe("ends with its code, owner and reason:", { concurrency }, () => {
      for (const [at, app] of apps.entries())
        test(app.name, async () => {
          const space = `alice/broken-${at + 1}`;
          spaces.push(space);
          const running = await deployed(up, alice, space, app);
          try {
            await check(running, app);
          } finally {
            for (const { id } of (await alice.client.space(space)).replicas) replicas.add(id);
          }
        });
    });

    test("a neighbour was served all the while", async () => {
      const { answers, failures, slowestMs } = await neighbour.stop();
      assert.deepEqual(failures, []);
      assert.ok(answers > 20, `${answers} answers`);
      assert.ok(slowestMs < neighbourWithinMs, `${slowestMs} ms`);
    });

    test("the platform answers, and said nothing of a fault of its own", async () => {
      assert.equal((await fetch(`${up.url}/api/status`)).status, 200);
      const errors = up.log.filter((line) => /"level":"(error|fatal)"|unhandled|AssertionError/i.test(line));
      assert.deepEqual(errors, []);
    });

    test("nothing is left of them", async () => {
      for (const name of spaces) for (const { id } of (await alice.client.space(name)).replicas) replicas.add(id);
      const benches = readdirSync(join(up.data, "builds")).map((name) => name.split(".")[0] as string);
      assert.equal(await up.stop(), 0);
      const names = [...replicas, ...benches];
      const left = (): readonly string[] => [
        ...processesIn(up.folder),
        ...up.leftovers().map(({ pid }) => commandOf(String(pid))),
        ...groupsOf(names),
      ];
      // The platform does not wait for the last steps of a shim whose app is gone.
      await until("all has ended", () => left().length === 0, goneWithinMs).catch(() => undefined); // Told below.
      assert.deepEqual(left(), [], "processes and control groups");
      assert.deepEqual(mountsIn(up.folder), [], "mounts");
      assert.deepEqual(globSync(join(up.data, "node", "**", "*.sock")), [], "sockets");
      assert.deepEqual(globSync(join(up.data, "node", "releases", ".building-*")), [], "folders of builds");
    });
  });
}

async function deployed(up: Platform, alice: Account, space: string, app: BrokenApp): Promise<RunningApp> {
  const folder = up.write(app.files);
  const result = await deployFolder(alice.client, folder, space, { waitMs: deployedWithinMs });
  const url = result.space.addresses.at(-1) ?? "";
  const first = result.space.replicas.at(-1)?.id ?? "";
  return {
    up,
    alice,
    space,
    url,
    deployed: result,
    get: async (path, status = 200, text = /^/) => {
      const answer = await visit(`${url}${path}`, alice);
      assert.equal(answer.status, status, `${path}: ${answer.text.slice(0, 500)}`);
      assert.match(answer.text, text);
      return answer.work;
    },
    ended: async () => {
      await until(`replica ${first} has ended`, async () => {
        const found = (await alice.client.space(space)).replicas.find(({ id }) => id === first);
        return found === undefined || ["exited", "lost", "stopped"].includes(found.phase);
      });
      const verdict = await verdictOf({ alice }, first);
      return { code: `${verdict.boundary}/${verdict.code}` as Code, says: verdict.sentence, owner: verdict.owner };
    },
    log: () => logOf(alice, space),
  };
}

async function check(running: RunningApp, { ends, owner, says, answers, afterwards }: BrokenApp): Promise<void> {
  const { deployed: result, alice } = running;
  const log = `${await buildLog(alice, result)}\n${await running.log()}`;
  const told = `${result.says}\n${log}`;
  assert.equal(result.ok ? "runs" : result.build?.code, ends, told.slice(-3_000));
  if (says) assert.ok(says.test(told), `${says} is not in: ${told.slice(-3_000)}`);
  if (ends === "runs") await running.get("/", answers);
  else {
    const verdict = await verdictOf(running, result.build?.id ?? "");
    const expected = [ends, owner ?? codeRow(ends).owner, "proved"];
    assert.deepEqual([`${verdict?.boundary}/${verdict?.code}`, verdict?.owner, verdict?.certainty], expected);
  }
  await afterwards?.(running);
}

/** What a node wrote of an end arrives a moment after the end itself. */
async function verdictOf({ alice }: Pick<RunningApp, "alice">, id: string): Promise<Verdict> {
  return await until(`what became of ${id} is known`, async () => (await alice.client.explain(id)).verdict);
}

async function buildLog({ client }: Account, { build }: Deployed): Promise<string> {
  if (!build) return "";
  const lines: string[] = [];
  for await (const { text } of client.buildLog(build.id, { follow: true })) lines.push(text);
  return lines.join("\n");
}

async function logOf({ client }: Account, space: string): Promise<string> {
  const lines: string[] = [];
  for await (const { text } of client.logs(space, { signal: AbortSignal.timeout(logWithinMs) })) lines.push(text);
  return lines.join("\n");
}

/** A well-behaved Space of another owner, asked all the time; it keeps something in /data each time. */
class Neighbour {
  readonly failures: string[] = [];
  #answers = 0;
  #slowestMs = 0;
  readonly #over = new AbortController();
  readonly #asking: Promise<void>;

  private constructor(url: string) {
    this.#asking = this.#ask(url);
  }

  static async start(up: Platform): Promise<Neighbour> {
    const bob = await up.account("bob");
    const folder = up.write(
      node(serves('if (fs.existsSync("/data")) fs.writeFileSync("/data/last", String(Date.now()));')),
    );
    const { ok, says, space } = await deployFolder(bob.client, folder, "bob/neighbour", { waitMs: deployedWithinMs });
    assert.ok(ok, says);
    return new Neighbour(space.addresses.at(-1) ?? "");
  }

  async stop(): Promise<{ answers: number; failures: readonly string[]; slowestMs: number }> {
    this.#over.abort();
    await this.#asking;
    return { answers: this.#answers, failures: this.failures, slowestMs: Math.round(this.#slowestMs) };
  }

  async #ask(url: string): Promise<void> {
    while (!this.#over.signal.aborted) {
      const since = performance.now();
      const answer = await visit(`${url}/`).catch((error: unknown) => ({ status: 0, text: String(error) }));
      this.#slowestMs = Math.max(this.#slowestMs, performance.now() - since);
      if (answer.status === 200 && answer.text === "ok") this.#answers += 1;
      else this.failures.push(`${answer.status}: ${answer.text.slice(0, 200)}`);
      await delay(neighbourEveryMs, undefined, { signal: this.#over.signal }).catch(() => undefined); // The end of it.
    }
  }
}

function groupsOf(names: readonly string[]): readonly string[] {
  const roots = globSync("/sys/fs/cgroup/{*/,}waybill");
  return roots.flatMap((root) => names.map((name) => join(root, name)).filter((group) => existsSync(group)));
}

function mountsIn(folder: string): readonly string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(folder));
}

/** Those that were started there, wherever they have gone since: by their arguments, their variables or what they see of the disk. */
function processesIn(folder: string): readonly string[] {
  return readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    const seen = ["cmdline", "environ", "mountinfo"].map((file) => textOf(`/proc/${pid}/${file}`)).join("\n");
    return seen.includes(`${folder}/data/node`) ? [commandOf(pid)] : [];
  });
}

function commandOf(pid: string): string {
  return `${pid}: ${textOf(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim()}`;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // It has ended meanwhile.
  }
}
