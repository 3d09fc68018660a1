/**
 * Waybill as somebody has it who installs it: the packed tarball in a clean prefix and a clean home, upgraded in place under running
 * apps, and taken away again. Beside it what the package ships for service managers.
 */
import assert from "node:assert/strict";
import { execFile, execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { linuxProcesses } from "../../src/runtime/processes.ts";
import { readApp } from "../../src/runtime/folder.ts";
import { needs, programOnPath } from "../support/needs.ts";
import { newcomer } from "../support/newcomer.ts";
import { lives, until } from "../support/platform.ts";

const { skip: noSandbox } = await needs("sandbox");
const root = join(import.meta.dirname, "..", "..");
const folder = mkdtempSync(join(tmpdir(), "wb-install-"));
const prefix = join(folder, "prefix");
const home = join(folder, "home");
const data = join(folder, "data");
const bin = join(prefix, "bin", "waybill");
const env = newcomer({ HOME: home, npm_config_cache: join(process.env["HOME"] ?? home, ".npm") });
/** Installing over a slow line; only a hang takes so long. */
const withinMs = 1_200_000;
/** There is no release before this one: the same program under an earlier number stands for it. */
const earlier = "0.0.9";
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
const children = new Set<ChildProcess>();

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

interface Up {
  readonly url: string;
  readonly token: string;
  stop(): Promise<number | null>;
}

function npm(where: string, ...args: readonly string[]): void {
  execFileSync("npm", args, { cwd: where, env, timeout: withinMs, stdio: ["ignore", "ignore", "inherit"] });
}

function install(packed: string): void {
  const quick = ["--silent", "--prefer-offline", "--no-audit", "--no-fund"];
  npm(folder, "install", ...quick, "--global", "--prefix", prefix, packed);
}

/** The installed command. */
function waybill(args: readonly string[], own: Readonly<Record<string, string>> = {}): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(bin, args, { cwd: home, env: { ...env, ...own }, timeout: withinMs }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    );
  });
}

async function up(...more: readonly string[]): Promise<Up> {
  const args = ["up", "--data", data, "--port", "0", "--simulate-gpus", "1x2", "--json", ...more];
  if (noSandbox !== false) args.push("--sandbox", "none");
  const child = spawn(bin, args, { cwd: home, env, stdio: ["ignore", "pipe", "inherit"] });
  children.add(child);
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const ready = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", resolve);
    void ended.then((code) => reject(new Error(`it ended with ${code} before it was ready`)));
  });
  const { url, token } = JSON.parse(ready) as { url: string; token: string };
  return { url, token, stop: async () => (child.kill("SIGTERM"), await ended) };
}

interface Seen {
  readonly replicas: readonly { readonly id: string; readonly phase: string }[];
  readonly addresses: readonly string[];
}

async function show(at: Up, space: string): Promise<Seen> {
  const { out } = await waybill(["space", "show", space, "--json"], signedIn(at));
  return JSON.parse(out) as Seen;
}

function signedIn({ url, token }: Up): Record<string, string> {
  return { WAYBILL_URL: url, WAYBILL_TOKEN: token };
}

async function deploy(at: Up, app: string, space: string): Promise<void> {
  const { code, err, out } = await waybill(["deploy", app, "--space", space, "--json"], signedIn(at));
  assert.equal(code, 0, `${out}\n${err}`);
}

async function answers(at: Up, space: string, text: RegExp): Promise<void> {
  const address = (await show(at, space)).addresses.at(-1);
  assert.ok(address);
  const headers = { authorization: `Bearer ${at.token}` };
  let says = "";
  const look = async (): Promise<boolean> => {
    const answer = await fetch(address, { headers });
    says = await answer.text();
    return answer.status === 200;
  };
  await until(`${space} answers`, look);
  assert.match(says, text);
}

describe("the packed package", () => {
  let tarball: string;
  before(() => {
    mkdirSync(home);
    npm(root, "pack", "--silent", "--pack-destination", folder);
    tarball = join(folder, readdirSync(folder).find((name) => name.endsWith(".tgz")) ?? "");
    execFileSync("tar", ["-x", "-z", "-C", folder, "-f", tarball]);
    const manifest = join(folder, "package", "package.json");
    const earlierText = readFileSync(manifest, "utf8").replace(`"version": "${version}"`, `"version": "${earlier}"`);
    writeFileSync(manifest, earlierText);
    npm(join(folder, "package"), "pack", "--silent", "--ignore-scripts", "--pack-destination", folder);
    install(join(folder, `waybill-${earlier}.tgz`));
  });
  after(() => {
    for (const child of children) child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  test("boots by its own command, deploys its own example, answers, and ends on SIGTERM with all that it started", async () => {
    assert.equal((await waybill(["version"])).out, `${earlier}\n`);
    const first = await up();
    await deploy(first, join(prefix, "lib/node_modules/waybill/examples/static"), "admin/page");
    await answers(first, "admin/page", /<html/);
    const page = await (await fetch(first.url, { headers: { accept: "text/html" } })).text();
    const script = /<script type="module" src="(\/console\/[^"]+)">/.exec(page)?.[1];
    assert.ok(script, page);
    assert.equal((await fetch(first.url + script)).status, 200);
    assert.equal(await first.stop(), 0);
    assert.deepEqual(JSON.parse((await waybill(["stop", "--all", "--data", data, "--json"])).out), {
      stopped: [],
      running: [],
    });
  });

  test("is upgraded in place while its apps run on, and taken away with all that it left", async () => {
    const before = await up("--service");
    const app = join(folder, "app");
    mkdirSync(app);
    writeFileSync(join(app, "README.md"), "---\nsdk: node\n---\n");
    const scripts = { start: "node server.js" };
    writeFileSync(join(app, "package.json"), JSON.stringify({ name: "app", private: true, type: "module", scripts }));
    const server = 'createServer((_, response) => response.end("it runs")).listen(process.env.PORT);';
    writeFileSync(join(app, "server.js"), `import { createServer } from "node:http";\n${server}\n`);
    await deploy(before, app, "admin/app");
    await answers(before, "admin/app", /^it runs$/);
    const replica = (await show(before, "admin/app")).replicas.findLast(({ phase }) => phase === "ready")?.id ?? "";
    const process_ = readApp(join(data, "node", "replicas", replica));
    assert.ok(process_);

    // The files are replaced under the platform that runs, as a package manager does it.
    install(tarball);
    assert.equal((await waybill(["version"])).out, `${version}\n`);
    await answers(before, "admin/app", /^it runs$/);
    assert.equal(await before.stop(), 0);
    assert.ok(lives(process_), "the app runs on without a platform");
    const upgraded = await up("--service");
    await answers(upgraded, "admin/app", /^it runs$/);
    const ready = (await show(upgraded, "admin/app")).replicas.findLast(({ phase }) => phase === "ready");
    assert.equal(ready?.id, replica, "the same replica");
    assert.ok(lives(process_), "the same process");

    const refused = await waybill(["uninstall", "--data", data, "--yes", "--json"]);
    assert.deepEqual([refused.code, (JSON.parse(refused.out) as { code: string }).code], [1, "data-folder"]);
    assert.equal(await upgraded.stop(), 0);
    const asked = await waybill(["uninstall", "--data", data, "--json"]);
    assert.deepEqual([asked.code, (JSON.parse(asked.out) as { code: string }).code], [2, "needs-yes"]);
    assert.ok(lives(process_) && existsSync(data), "nothing was changed");

    const gone = await waybill(["uninstall", "--data", data, "--yes", "--json"]);
    const document = JSON.parse(gone.out) as { stopped: string[]; removed: string[]; left: unknown[] };
    assert.deepEqual([gone.code, document.left], [0, []], gone.out);
    assert.ok(document.stopped.includes(replica) && document.removed.includes(data));
    assert.ok(!lives(process_) && !existsSync(data));
    npm(folder, "uninstall", "--silent", "--global", "--prefix", prefix, "waybill");
    const left = [prefix, home].flatMap((where) => readdirSync(where, { recursive: true, encoding: "utf8" }));
    assert.deepEqual(
      left.filter((path) => /waybill/i.test(path)),
      [],
    );
    const named = linuxProcesses()
      .all()
      .filter(({ pid }) => linuxProcesses().hasMarker(pid, `WAYBILL_REPLICA=${replica}`));
    assert.deepEqual(named, []);
  });
});

describe("share/waybill.service", () => {
  const analyze = programOnPath(["systemd-analyze"]);
  const skip = analyze === undefined ? "no systemd-analyze" : false;

  test("is a unit that systemd takes without a word, and leaves apps running", { skip }, () => {
    const unit = join(mkdtempSync(join(tmpdir(), "wb-unit-")), "waybill.service");
    try {
      const text = readFileSync(join(root, "share/waybill.service"), "utf8");
      assert.match(text, /^KillMode=process$/m);
      assert.match(text, /^ExecStart=\/usr\/local\/bin\/waybill up --service /m);
      writeFileSync(unit, text.replace("/usr/local/bin/waybill", process.execPath));
      const { status, stderr } = spawnSync(analyze ?? "", ["verify", unit], { encoding: "utf8" });
      // Other units of the machine are looked at too.
      assert.deepEqual([status, stderr.split("\n").filter((line) => line.includes("waybill.service"))], [0, []]);
    } finally {
      rmSync(join(unit, ".."), { recursive: true });
    }
  });
});
