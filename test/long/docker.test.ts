/** Docker Spaces on a real platform, from a base of Debian's packages: deployed, called, started again, rolled back; and what their apps can reach. */
import assert from "node:assert/strict";
import {
  chmodSync,
  copyFileSync,
  globSync,
  linkSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { baseArchive } from "../support/images.ts";
import { needs } from "../support/needs.ts";
import { Platform, until, visit, type Account, type App } from "../support/platform.ts";

const { skip } = await needs("sandbox", "images", "debian");
const example = resolve(import.meta.dirname, "../../examples/docker-fastapi");
const files = (): Record<string, string> => ({
  ...fixtureLeftOut,
  ...Object.fromEntries(readdirSync(example).map((name) => [name, readFileSync(join(example, name), "utf8")])),
});
/** How much longer than a quiet machine a busy one takes. */
const slack = 10;
/** What `deploy` brings by itself. */
const fixtureLeftOut = { "package.json": "", "server.js": "", "render.js": "" };

/** A connection is taken by the sandbox's own end of the network, and closed where it may not go on: what counts is an answer. */
const reach = `
def reach(host, port):
    try:
        with socket.create_connection((host, port), 3) as there:
            there.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
            return "open" if there.recv(1) else "closed"
    except OSError: return "closed"
`;

const lookAround = `
import http.server, json, os, socket, urllib.request
${reach}def write(path):
    try:
        open(path, "w").write("x"); return "written"
    except OSError as e: return e.strerror
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        said = dict(uid=os.getuid(), cwd=os.getcwd(), home=os.environ.get("HOME"), port=os.environ["PORT"],
            path=os.environ["PATH"], exposed=os.environ.get("EXPOSED"), space=os.environ["SPACE_ID"],
            metadata=reach("169.254.169.254", 80), usr=write("/usr/bin/mine"), data=write("/data/it"),
            names=sorted(os.listdir("/")), env=sorted(os.environ), host=os.path.exists("${import.meta.filename}"))
        body = json.dumps(said).encode()
        self.send_response(200); self.end_headers(); self.wfile.write(body)
    def log_message(self, *_): pass
http.server.HTTPServer(("0.0.0.0", int(os.environ["PORT"])), H).serve_forever()
`;

describe("a Docker Space", { skip }, () => {
  let archives: string;
  let up: Platform;
  let alice: Account;

  before(async () => {
    archives = mkdtempSync(join(tmpdir(), "wb-images-"));
    chmodSync(archives, 0o755);
    const base = await baseArchive();
    for (const name of ["python-3.11-slim.tar", "debian-bookworm.tar"]) linkSync(base, join(archives, name));
    up = await Platform.start({ sandbox: "best", env: { WAYBILL_IMAGES: archives } });
    alice = await up.account("alice");
  });
  after(async () => {
    await up[Symbol.asyncDispose]();
    rmSync(archives, { recursive: true });
  });

  const counted = async ({ url }: App): Promise<{ count: number; version: number }> =>
    JSON.parse((await visit(`${url}/api/count`, alice)).text) as { count: number; version: number };

  test("examples/docker-fastapi is built with pip through the gateway, answers, and keeps its count", async (t) => {
    const app = await up.deploy(alice, "counter", files());
    assert.ok(app.deployed.ok, app.deployed.says);
    assert.deepEqual(await counted(app), { count: 1, version: 1 });
    assert.match((await visit(`${app.url}/`, alice)).text, /You are visitor 2/);

    await alice.client.restart(app.space);
    await until("it answers after its restart", async () => (await counted(app)).count > 2);

    const newer = { ...files(), "app.py": (files()["app.py"] ?? "").replace("VERSION = 1", "VERSION = 2") };
    const since = performance.now();
    const second = await up.deploy(alice, "counter", newer);
    assert.ok(second.deployed.ok, second.deployed.says);
    t.diagnostic(`a changed app: ${Math.round(performance.now() - since)} ms from commit to running`);
    assert.equal((await counted(second)).version, 2);
    const log: string[] = [];
    for await (const { text } of alice.client.buildLog(second.deployed.build?.id ?? "")) log.push(text);
    assert.match(log.join("\n"), /STEP 9\/11: RUN pip install[^]*Using cache/);

    await alice.client.rollBack(app.space);
    await until("the first image answers again", async () => (await counted(app)).version === 1);
  });

  test("an unchanged rebuild is 2 s beside the app's own start", async (t) => {
    const app = { ...fixtureLeftOut, "README.md": "---\nsdk: docker\n---\n", "app.py": lookAround };
    const dockerfile = 'FROM debian:bookworm\nCOPY app.py /app.py\nCMD ["python3", "/app.py"]\n';
    await up.deploy(alice, "same", { ...app, Dockerfile: dockerfile });
    const again = await up.deploy(alice, "same", { ...app, Dockerfile: dockerfile, "notes.txt": "not copied" });
    assert.ok(again.deployed.ok && again.deployed.build);
    const { steps, queuedMs } = again.deployed.build;
    const took = queuedMs + steps.filter(({ name }) => name !== "replica").reduce((sum, { tookMs }) => sum + tookMs, 0);
    t.diagnostic(`${took} ms: ${steps.map(({ name, tookMs }) => `${name} ${tookMs}`).join(", ")}`);
    assert.ok(took < slack * 2_000, `${took} ms`);
  });

  test("its app is user 1000 with the image's variables, home and folder, in a network and a layer of its own", async () => {
    const app = await up.deploy(alice, "looks", {
      ...fixtureLeftOut,
      "README.md": "---\nsdk: docker\n---\n",
      "app.py": lookAround,
      Dockerfile:
        'FROM debian:bookworm\nRUN useradd -m -u 1000 user\nUSER user\nWORKDIR /home/user/app\nENV EXPOSED=yes\nCOPY . .\nEXPOSE 8123\nENTRYPOINT ["python3"]\nCMD ["app.py"]\n',
    });
    assert.ok(app.deployed.ok, app.deployed.says);
    const said = JSON.parse((await visit(app.url, alice)).text) as Record<string, unknown>;
    const { names, env, path, metadata, ...rest } = said;
    assert.deepEqual(rest, {
      ...{ uid: 1000, cwd: "/home/user/app", home: "/home/user", port: "8123", exposed: "yes", space: "alice/looks" },
      ...{ usr: "written", data: "written", host: false },
    });
    assert.equal(path, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    assert.equal(metadata, "closed");
    assert.ok((names as string[]).includes("etc"));
    assert.deepEqual(
      (env as string[]).filter((name) => /TOKEN|SECRET/.test(name)),
      [],
    );
    const roots = globSync(join(up.data, "node/images/alice/roots/looks/*/usr/bin/mine"));
    assert.deepEqual(roots, [], "what it wrote is in its own layer");
  });

  test("an app that may borrow cards finds the libraries of the node's driver, and one that may not finds none", async () => {
    const driver = mkdtempSync(join(tmpdir(), "wb-driver-"));
    // Stand-ins: a library that loads, and a program that runs.
    copyFileSync(globSync("/lib/*/libz.so.1")[0] ?? assert.fail("no libz here"), join(driver, "libcuda.so.580.65"));
    symlinkSync("libcuda.so.580.65", join(driver, "libcuda.so.1"));
    writeFileSync(join(driver, "nvidia-smi"), "#!/bin/sh\necho the card\n", { mode: 0o755 });
    chmodSync(driver, 0o755);
    const env = { WAYBILL_IMAGES: archives, WAYBILL_DRIVER_FOLDER: driver };
    await using other = await Platform.start({ sandbox: "best", gpus: null, env });
    const owner = await other.account("alice");
    const asks = `
import ctypes, http.server, json, os, subprocess
def loads():
    try: return bool(ctypes.CDLL("libcuda.so.1").zlibVersion)
    except OSError: return False
def smi():
    try: return subprocess.run(["nvidia-smi"], capture_output=True, text=True).stdout.strip()
    except OSError: return None
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(dict(loads=loads(), smi=smi(), path=os.environ.get("LD_LIBRARY_PATH"))).encode()
        self.send_response(200); self.end_headers(); self.wfile.write(body)
http.server.HTTPServer(("0.0.0.0", int(os.environ["PORT"])), H).serve_forever()
`;
    const app = await other.deploy(owner, "cuda", {
      ...fixtureLeftOut,
      "README.md": "---\nsdk: docker\n---\n",
      "app.py": asks,
      Dockerfile:
        'FROM debian:bookworm\nENV LD_LIBRARY_PATH=/opt/own\nCOPY app.py /app.py\nCMD ["python3", "/app.py"]\n',
    });
    try {
      assert.ok(app.deployed.ok, app.deployed.says);
      const said = async (): Promise<unknown> => JSON.parse((await visit(app.url, owner)).text);
      const given = { loads: true, smi: "the card", path: "/opt/own:/run/waybill-driver" };
      assert.deepEqual(await said(), given);
      await owner.client.changeSpace(app.space, { hardware: "cpu-basic" });
      await until("it was started anew without them", async () => {
        const now = await said().catch(() => undefined);
        return JSON.stringify(now) === JSON.stringify({ loads: false, smi: null, path: "/opt/own" });
      });
    } finally {
      rmSync(driver, { recursive: true });
    }
  });

  test("its build reaches no private address, sees nothing of the host, and has no credential", async () => {
    const script = `
import os, socket
${reach}print("reached", [reach(*one) for one in [("169.254.169.254", 80), ("127.0.0.1", 7070), ("10.0.0.1", 443)]])
print("env", [name for name in os.environ if "WAYBILL" in name or "TOKEN" in name])
print("host", [path for path in ["/root/.ssh", "${up?.data}", "${import.meta.filename}"] if os.path.exists(path)])
print("pids", len([name for name in os.listdir("/proc") if name.isdigit()]) < 30)
`;
    const app = await up.deploy(alice, "around", {
      ...fixtureLeftOut,
      "README.md": "---\nsdk: docker\n---\n",
      "look.py": script,
      Dockerfile: 'FROM debian:bookworm\nCOPY look.py /\nRUN python3 /look.py && false\nCMD ["cat"]\n',
    });
    assert.equal(app.deployed.build?.code, "build/step-failed");
    const log: string[] = [];
    for await (const { text } of alice.client.buildLog(app.deployed.build?.id ?? "")) log.push(text);
    const text = log.join("\n");
    assert.match(text, /^reached \['closed', 'closed', 'closed'\]$/m);
    assert.match(text, /^env \[\]$/m);
    assert.match(text, /^host \[\]$/m);
    assert.match(text, /^pids True$/m);
  });
});
