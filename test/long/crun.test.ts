/** The second way to make a sandbox: crun, which podman brings. What a node does with it, and that nothing of it is left. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, existsSync, linkSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { linuxProcesses } from "../../src/runtime/processes.ts";
import { baseArchive } from "../support/images.ts";
import { needs } from "../support/needs.ts";
import { killProcess, lives, Platform, until, visit, type Account, type App } from "../support/platform.ts";

const { skip } = await needs("crun");
const { skip: noImages } = await needs("crun", "images", "debian");
const { skip: noGradio } = await needs("crun", "gradio");
const isRoot = process.getuid?.() === 0;
const asRoot = { skip: isRoot ? false : "hiding a program takes root" };

const answers = `require("node:http").createServer((_, to) => to.end(JSON.stringify({
  uid: process.getuid(), pid: process.pid, init: require("node:fs").readFileSync("/proc/1/comm", "utf8").trim(),
}))).listen(process.env.PORT);`;
const fixtureLeftOut = { "package.json": "", "server.js": "", "render.js": "" };
const node = { "package.json": '{ "scripts": { "start": "node server.js" } }', "render.js": "", "server.js": answers };
const page = { ...fixtureLeftOut, "README.md": "---\nsdk: static\n---\n", "index.html": "<p>a page</p>" };
const image = {
  ...fixtureLeftOut,
  "README.md": "---\nsdk: docker\n---\n",
  "app.py": `
import http.server, json, os
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        open("/usr/mine", "w").write("x")
        body = json.dumps(dict(uid=os.getuid(), init=open("/proc/1/comm").read().strip(), names=sorted(os.listdir("/")))).encode()
        self.send_response(200); self.end_headers(); self.wfile.write(body)
    def log_message(self, *_): pass
http.server.HTTPServer(("0.0.0.0", int(os.environ["PORT"])), H).serve_forever()
`,
  Dockerfile: 'FROM debian:bookworm\nRUN echo built\nCOPY app.py /app.py\nCMD ["python3", "/app.py"]\n',
};

describe("a node that makes its sandboxes with crun", { skip }, () => {
  let archives: string;
  let up: Platform;
  let alice: Account;

  before(async () => {
    archives = mkdtempSync(join(tmpdir(), "wb-images-"));
    chmodSync(archives, 0o755);
    if (noImages === false) linkSync(await baseArchive(), join(archives, "debian-bookworm.tar"));
    up = await Platform.start({ sandbox: "crun", env: { WAYBILL_IMAGES: archives } });
    alice = await up.account("alice");
  });
  after(async () => {
    await up[Symbol.asyncDispose]();
    rmSync(archives, { recursive: true });
  });

  const said = async ({ url }: App): Promise<Record<string, unknown>> =>
    JSON.parse((await visit(url, alice)).text) as Record<string, unknown>;

  /** Restarts it, kills its shim, and stops it: each time all that was there is gone, and what should answer does. */
  async function livesAndEnds(app: App, answersAgain: () => Promise<boolean>): Promise<void> {
    const first = await up.replica(app.space);
    await alice.client.restart(app.space);
    await until("the first replica has gone", () => !lives(first.shim) && !lives(first.app));
    await until("it answers after its restart", answersAgain);
    const second = await up.replica(app.space);
    const all = processesOf(second.id);
    assert.ok(all.length >= 2, `${all.length} processes carry its mark`);
    killProcess(second.shim);
    await until("all of it has ended with its shim", () => !all.some(lives) && !lives(second.app));
    await until("another replica answers", answersAgain);
    const third = await up.replica(app.space);
    await alice.client.pause(app.space);
    await until("it is gone", () => !lives(third.shim) && processesOf(third.id).length === 0);
  }

  test("says so, in its status", async () => {
    const { isolation } = await up.admin.status();
    assert.equal(isolation?.driver, "crun");
    assert.match(isolation.says, /^sandbox crun: namespaces, seccomp/);
  });

  test("runs a Node app as user 1000 below podman's init; it is called, restarted, killed with its shim, and stopped", async () => {
    const app = await up.deploy(alice, "node", node);
    assert.ok(app.deployed.ok, app.deployed.says);
    assert.deepEqual(await said(app), { uid: 1000, pid: 2, init: "waybill-init" });
    await livesAndEnds(app, async () => (await visit(app.url, alice)).status === 200);
  });

  test("builds a Python environment and runs a Gradio app in it", { skip: noGradio }, async () => {
    const example = resolve(import.meta.dirname, "../../examples/chat");
    const files = readdirSync(example).map((name) => [name, readFileSync(join(example, name), "utf8")] as const);
    const app = await up.deploy(alice, "chat", { ...fixtureLeftOut, ...Object.fromEntries(files) });
    assert.ok(app.deployed.ok, app.deployed.says);
    assert.match((await visit(`${app.url}/config`, alice)).text, /"version":"\d+\./);
    await alice.client.pause(app.space);
  });

  test("serves a page", async () => {
    const app = await up.deploy(alice, "page", page);
    assert.ok(app.deployed.ok, app.deployed.says);
    assert.match((await visit(app.url, alice)).text, /a page/);
  });

  test(
    "builds an image and runs its app in the image's files, with a layer of its own above them",
    { skip: noImages },
    async () => {
      const app = await up.deploy(alice, "image", image);
      assert.ok(app.deployed.ok, app.deployed.says);
      const { names, ...rest } = await said(app);
      assert.deepEqual(rest, { uid: 1000, init: "waybill-init" });
      assert.ok((names as string[]).includes("etc") && !(names as string[]).includes("work"));
      await livesAndEnds(app, async () => (await visit(app.url, alice)).status === 200);
    },
  );

  test("leaves no process, no mount and nothing in podman's own store when it is stopped", async () => {
    const data = up.data;
    await up.stop();
    assert.deepEqual(up.leftovers(), []);
    const commands = linuxProcesses()
      .all()
      .map(({ pid }) => commandLine(pid));
    assert.deepEqual(
      commands.filter((text) => text.includes(data)),
      [],
    );
    assert.ok(!readFileSync("/proc/self/mountinfo", "utf8").includes(data));
    const bundles = readdirSync(join(data, "node", "replicas")).map((id) =>
      join(data, "node", "replicas", id, "bundle"),
    );
    for (const bundle of bundles.filter((path) => existsSync(path))) assert.deepEqual(readdirSync(bundle), []);
    if (existsSync("/usr/bin/podman"))
      assert.equal(execFileSync("/usr/bin/podman", ["ps", "--all", "--quiet"], { encoding: "utf8" }), "");
  });
});

describe("the order of ways to make a sandbox", { skip: skip || asRoot.skip }, () => {
  const chosen = (hidden: readonly string[]): { driver: string; problems: readonly string[] } => {
    const program = `import { sandboxHere } from ${JSON.stringify(resolve(import.meta.dirname, "../../src/runtime/sandbox/prepare.ts"))};
      const { driver, problems } = await sandboxHere(); console.log(JSON.stringify({ driver, problems }));`;
    const hide = hidden.map((path) => `mount --bind /dev/null ${path}`).join("; ");
    const script = `${hide}; exec "$@"`;
    const asked = [process.execPath, "--input-type=module", "--eval", program];
    const { stdout, stderr } = spawnSync("unshare", ["--mount", "sh", "-c", script, "sh", ...asked], {
      encoding: "utf8",
    });
    assert.notEqual(stdout, "", stderr);
    return JSON.parse(stdout) as ReturnType<typeof chosen>;
  };

  test("where bubblewrap does not work, crun is taken", () => {
    assert.deepEqual(chosen(["/usr/bin/bwrap"]), { driver: "crun", problems: [] });
  });

  test("where neither does, both say why, with the packages for each", () => {
    const { problems } = chosen(["/usr/bin/bwrap", "/usr/bin/crun"]);
    assert.equal(problems.length, 2);
    assert.match(problems[0] ?? "", /^by bubblewrap: .*apt-get install bubblewrap iproute2/s);
    assert.match(problems[1] ?? "", /^by crun: .*apt-get install crun catatonit iproute2/s);
  });
});

function processesOf(replica: string): ReturnType<Platform["leftovers"]> {
  const processes = linuxProcesses();
  return processes
    .all()
    .filter(({ pid, state }) => state !== "Z" && processes.hasMarker(pid, `WAYBILL_REPLICA=${replica}`));
}

/** Empty where the process has just gone. */
function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return "";
    throw error;
  }
}
