/** Builds in the sandbox: what their commands see and reach, how they end, and that nothing is left of them. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import type { BuildOutcome } from "../src/build/builder.ts";
import { buildMarker, membersOf } from "../src/build/processes.ts";
import { releaseFolderOf } from "../src/build/release.ts";
import { writeSdkPackage } from "../src/client/sdk-package.ts";
import { linuxProcesses } from "../src/runtime/processes.ts";
import { testBenches, type TestBenches } from "./support/benches.ts";
import { testWorkshop, type BuildOptions, type TestBuild, type TestWorkshop } from "./support/commits.ts";
import { eventually } from "./support/eventually.ts";
import { needs } from "./support/needs.ts";
import { Platform } from "./support/platform.ts";

const { skip } = await needs("sandbox", "python3");
const isRoot = process.getuid?.() === 0;
const asRoot = { skip: isRoot ? false : "the agent of this test is root" };
/** What a build leaves of itself in its log, where it does not fail. */
const echoed = ({ lines }: TestBuild): readonly string[] =>
  lines.filter(({ stream }) => stream === "out").map(({ text }) => text);
const notes = ({ lines }: TestBuild): readonly string[] =>
  lines.filter(({ stream }) => stream === "note").map(({ text }) => text);
const left = ({ build }: TestBuild): readonly number[] => membersOf({ group: null, marker: buildMarker(build) });

/** A static Space that is made by this shell script. */
const made = (script: string): Record<string, string> => ({
  "README.md": "---\nsdk: static\napp_build_command: sh ./make.sh\n---\n",
  "index.html": "<h1>made</h1>",
  "make.sh": script,
});
const python = (program: string): string => `/usr/bin/python3 - <<'END'\n${program}\nEND\n`;

function built({ outcome, log }: TestBuild): Extract<BuildOutcome, { ok: true }> {
  assert.ok(outcome.ok, `${JSON.stringify(outcome)}\n${log}`);
  return outcome;
}

function failed({ outcome }: TestBuild): Extract<BuildOutcome, { ok: false }> {
  assert.ok(!outcome.ok, "it was built");
  return outcome;
}

describe("builds in the sandbox", { skip }, () => {
  let shop: TestWorkshop;
  let sandboxes: TestBenches;
  const index = createServer((_request, response) => response.end("an index"));
  const build = (files: Readonly<Record<string, string>>, options: BuildOptions = {}): Promise<TestBuild> =>
    shop.build(files, { ...options, tools: { benches: sandboxes.benches, ...options.tools } });

  before(async () => {
    shop = await testWorkshop();
    index.listen(0, "127.0.0.2");
    await once(index, "listening");
    sandboxes = await testBenches(shop.folder, {
      names: { "index.test": "127.0.0.2" },
      policy: {
        deny: [{ pattern: "denied.example.com", port: null }],
        vouched: [{ pattern: "index.test", port: (index.address() as AddressInfo).port }],
      },
    });
  });
  after(async () => {
    index.close();
    await sandboxes[Symbol.asyncDispose]();
    await shop[Symbol.asyncDispose]();
  });

  test("a command is nobody, in the folder where the app will run, and sees the app, its tools and nothing else", async () => {
    const secret = mkdtempSync(join(tmpdir(), "wb-secret-"));
    writeFileSync(join(secret, "file"), "x");
    mkdirSync(join(shop.tools.folder, "owners", "bob", "uv"), { recursive: true });
    const script = [
      "pwd; id -u; ls",
      "grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status",
      `cat ${secret}/file /etc/shadow ${shop.folder}/users.json; ls ${shop.folder}/repositories ${shop.tools.folder}/owners/bob /data`,
      `ls ${shop.tools.folder}/owners ${shop.tools.folder}/releases | grep -v -e building -e : -e '^$'`,
      "ls -d /proc/[0-9]* | wc -l",
      "unshare --user true; env | cut -d= -f1 | sort | tr '\\n' ' '",
    ].join("\n");
    const one = await build(made(script));
    built(one);
    const said = echoed(one);
    assert.deepEqual(said.slice(0, 5), ["/app", "1000", "README.md", "index.html", "make.sh"]);
    assert.match(one.log, /CapEff:\s+0000000000000000\nNoNewPrivs:\s+1\nSeccomp:\s+2/);
    const refused = one.lines.filter(({ stream }) => stream === "err").map(({ text }) => text);
    for (const what of [join(secret, "file"), "/etc/shadow", "repositories", "bob", "/data"])
      assert.ok(
        refused.some((text) => text.includes(what) && text.includes("No such file")),
        `${what} of ${refused.join("\n")}`,
      );
    assert.match(refused.at(-1) ?? "", /unshare.*not permitted/);
    assert.deepEqual(said.slice(8, -2), ["alice"]);
    assert.ok(Number(said.at(-2)) < 8, "it sees the processes of its own sandbox");
    assert.equal(
      said.at(-1)?.trim(),
      "CI HOME LANG PATH PWD SPACE_ID TMPDIR WAYBILL_BUILD YARN_CACHE_FOLDER YARN_ENABLE_TELEMETRY YARN_GLOBAL_FOLDER YARN_NODE_LINKER npm_config_cache npm_config_progress npm_config_update_notifier",
    );
    rmSync(secret, { recursive: true });
  });

  test("what a build makes is its owner's user's, and its release's", asRoot, async () => {
    const one = await build(made("echo more > more; mkdir -m 700 closed; id -un"));
    const { release } = built(one);
    const app = join(releaseFolderOf(shop.tools.folder, release), "app");
    const uid = sandboxes.uidOf("alice");
    assert.ok(uid !== null && uid >= 2_000_000_000);
    for (const name of [".", "more", "closed", "index.html"]) assert.equal(statSync(join(app, name)).uid, uid, name);
    assert.deepEqual(readdirSync(releaseFolderOf(shop.tools.folder, release)).sort(), ["app", "release.json"]);
    assert.equal(statSync(join(releaseFolderOf(shop.tools.folder, release), "release.json")).uid, 0);
  });

  test("services of this machine and private addresses are out of reach, and the log says what was refused", async () => {
    const service = createServer((_request, response) => response.end("the host's own")).listen(0, "0.0.0.0");
    await once(service, "listening");
    const { port } = service.address() as AddressInfo;
    const program = `
import socket
for host, port in [("127.0.0.1", ${port}), ("169.254.169.254", 80), ("10.0.0.1", 443), ("denied.example.com", 443)]:
    try:
        socket.create_connection((host, port), 5).recv(10)
        print("reached", host)
    except OSError as error:
        print("no", host, error.errno)
`;
    const one = await build(made(python(program)));
    service.close();
    assert.deepEqual(
      echoed(one).map((text) =>
        text
          .replace(/ \\d+$/, "")
          .split(" ")
          .slice(0, 2)
          .join(" "),
      ),
      ["no 127.0.0.1", "no 169.254.169.254", "no 10.0.0.1", "no denied.example.com"],
    );
    const refused = notes(one).filter((text) => text.startsWith("egress/"));
    assert.match(refused.join("\n"), /^egress\/address-denied: 169\.254\.169\.254:80 .*\(x_[0-9a-z]{16}\)$/m);
    assert.match(refused.join("\n"), /^egress\/name-denied: denied\.example\.com .*\(x_[0-9a-z]{16}\)$/m);
  });

  test("a host that the operator's settings name is reached, at a private address and on its own port", async () => {
    const { port } = index.address() as AddressInfo;
    const program = `import urllib.request as u; print(u.urlopen("http://index.test:${port}/", timeout=5).read().decode())`;
    const one = await build(made(python(program)));
    assert.deepEqual(echoed(one), ["an index"], one.log);
  });

  test("a command that takes more memory than it may ends with that code", async () => {
    const one = await build(made(python("held = []\nwhile True: held.append(b'x' * (8 << 20))")));
    const { code, step, says } = failed(one);
    assert.deepEqual([code, step], ["build/out-of-memory", "build"], one.log);
    assert.match(says, /build used more memory than it may, and ended with/);
    assert.deepEqual(left(one), []);
  });

  test("a command that forks without end is stopped by its limit, and gone with the step", async () => {
    const one = await build(made("f() { f | f & }; f; while :; do :; done"), {
      tools: { limits: { fetchMs: 300_000, installMs: 300_000, buildMs: 3_000 } },
    });
    assert.equal(failed(one).code, "build/step-timeout", one.log);
    assert.deepEqual(left(one), []);
  });

  test("a command that never ends is ended at its deadline, with its daemons", async () => {
    const one = await build(made("setsid sleep 300 >/dev/null 2>&1 & echo begun; sleep 300"), {
      tools: { limits: { fetchMs: 300_000, installMs: 300_000, buildMs: 2_000 } },
    });
    const { code, says, because } = failed(one);
    assert.deepEqual([code, says], ["build/step-timeout", "build ran past its limit of 2 s and was ended"]);
    assert.deepEqual(because, ["begun"]);
    assert.deepEqual(left(one), []);
  });

  test("a bench that does not end its command in time is ended with it: the command's limit is what is told, and nothing waits for it", async () => {
    const build = "b_hangs0000000000";
    const one = await shop.build(made("echo begun; sleep 300"), {
      build,
      tools: { benches: sandboxes.benches, limits: { fetchMs: 300_000, installMs: 300_000, buildMs: 4_000 } },
      onLine: ({ text }) => {
        if (text !== "begun") return;
        for (const pid of membersOf({ group: null, marker: buildMarker(build) }))
          if (readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("waybill-bench")) process.kill(pid, "SIGSTOP");
      },
    });
    assert.equal(failed(one).code, "build/step-timeout", one.log);
    assert.deepEqual(left(one), []);
  });

  test("a build that is cancelled ends at once", async () => {
    const cancel = new AbortController();
    const one = await build(made("echo begun; sleep 300"), {
      signal: cancel.signal,
      onLine: ({ text }) => text === "begun" && cancel.abort(new Error("superseded")),
    });
    assert.equal(failed(one).says, "the build was stopped: superseded");
    assert.deepEqual(left(one), []);
  });

  test("what a command leaves running, hidden from all marks, is gone when it ends", async () => {
    const beats = join(shop.tools.folder, "owners", "alice", "uv", "beats");
    const script = `(env -i setsid sh -c 'while :; do date > ${beats}; sleep 0.05; done' >/dev/null 2>&1 &)
until [ -s ${beats} ]; do sleep 0.01; done`;
    built(await build(made(script)));
    assert.deepEqual(
      processesThat((command) => command.includes(beats)),
      [],
    );
  });

  test("a bench that is killed is the platform's fault, and takes its command with it", async () => {
    const one = await build(made("echo begun; sleep 300"), {
      onLine({ text }) {
        if (text !== "begun") return;
        const bench = processesThat((command) => command.includes("waybill-bench"), process.pid)[0];
        assert.ok(bench);
        process.kill(bench, "SIGKILL");
      },
    });
    assert.deepEqual([failed(one).code, failed(one).step], ["build/builder-lost", "build"]);
    await eventually("its command has ended", () => left(one).length === 0);
  });

  test("links that an app leaves in the way of the platform lead nowhere", async () => {
    const victim = mkdtempSync(join(tmpdir(), "wb-victim-"));
    const sdk = { version: "1.2.3", write: (folder: string) => writeSdkPackage(folder, "1.2.3") };
    const files = {
      "README.md": "---\nsdk: node\n---\n",
      "package.json": JSON.stringify({
        name: "app",
        scripts: { start: "node .", preinstall: `rm -rf node_modules; ln -s ${victim} node_modules` },
      }),
    };
    const one = await build(files, { tools: { sdk } });
    assert.equal(one.outcome.ok, false, one.log);
    assert.deepEqual(readdirSync(victim), []);
    rmSync(victim, { recursive: true });
  });

  test("npm installs, runs install scripts and builds", async () => {
    const files = {
      "README.md": "---\nsdk: node\n---\n",
      "package.json": JSON.stringify({
        name: "app",
        version: "1.0.0",
        dependencies: { local: "file:./local" },
        scripts: {
          start: "node .",
          postinstall: "echo after in $PWD",
          build: "node -e 'console.log(require(\"local\"))'",
        },
      }),
      "local/package.json": JSON.stringify({ name: "local", version: "1.0.0", main: "main.js" }),
      "local/main.js": "module.exports = 'from the package';",
    };
    const one = await build(files);
    const { release } = built(one);
    assert.match(one.log, /^after in \/app$/m);
    assert.match(one.log, /^from the package$/m);
    assert.ok(existsSync(join(releaseFolderOf(shop.tools.folder, release), "app/node_modules/local/main.js")));
  });

  test("of an agent that is not root: the same, as the agent's user", asRoot, async () => {
    const child = resolve(import.meta.dirname, "support/bench-child.ts");
    const user = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];
    const agent = spawn("setpriv", [...user, process.execPath, child], { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    agent.stdout.on("data", (bytes: Buffer) => (text += bytes.toString()));
    const [code] = (await once(agent, "close")) as [number];
    assert.equal(code, 0, text);
    const { ok, log, hog } = JSON.parse(text) as { ok: boolean; log: string; hog: string };
    assert.deepEqual([ok, hog], [true, "build/out-of-memory"], log);
    assert.match(log, /^1000 \/app$/m);
  });
});

test(
  "kill -9 of the platform leaves nothing of a build in the sandbox, and the next start builds it again",
  { skip },
  async () => {
    await using up = await Platform.start({ sandbox: "best" });
    const alice = await up.account("alice");
    const id = Promise.withResolvers<string>();
    const scripts = { start: "node server.js", build: "setsid sleep 300 & sleep 300" };
    // It goes on when the platform is there again.
    const deploying = up.deploy(
      alice,
      "app",
      { "package.json": JSON.stringify({ name: "a", type: "module", scripts }) },
      (event) => {
        if (event.type === "build") id.resolve(event.build.id);
      },
    );
    const build = await id.promise;
    const marked = () => membersOf({ group: null, marker: buildMarker(build) });
    const sleeping = () => marked().filter((pid) => commandOf(pid).startsWith("sleep")).length === 2;
    await eventually("its step runs", sleeping);
    await up.kill();
    await eventually("all of it has ended", () => marked().length === 0);
    await up.up();
    await eventually("it is given to the builder again, and its step runs", sleeping);
    assert.equal((await up.admin.build(build)).attempts, 2);
    await up.admin.cancelBuild(build);
    assert.equal((await deploying).deployed.ok, false);
    await eventually("all of it has ended again", () => marked().length === 0);
    await eventually("its bench is gone", () => readdirSync(join(up.data, "node", "benches")).length === 0);
  },
);

describe("builds without a sandbox", () => {
  test(
    "inherit no file that the platform's starter had open",
    { skip: existsSync("/proc/self/fd") ? false : "no /proc" },
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "wb-inherited-"));
      const file = openSync(join(folder, "secret"), "w");
      await using up = await Platform.start({ inherits: [file] });
      closeSync(file);
      const alice = await up.account("alice");
      const { deployed } = await up.deploy(alice, "app", {
        "package.json": JSON.stringify({
          name: "a",
          type: "module",
          scripts: { start: "node server.js", build: "ls -l /proc/self/fd; echo seen" },
        }),
      });
      const lines: string[] = [];
      for await (const { text } of up.admin.buildLog(deployed.build?.id ?? "")) lines.push(text);
      rmSync(folder, { recursive: true });
      assert.ok(lines.includes("seen"), lines.join("\n"));
      assert.deepEqual(
        lines.filter((text) => text.includes("secret")),
        [],
      );
    },
  );
});

/** Living processes by their command; those below `parent` only, where it is given. */
function processesThat(matches: (command: string) => boolean, parent?: number): readonly number[] {
  const processes = linuxProcesses();
  return processes
    .all()
    .filter(({ pid, state, parent: its }) => state !== "Z" && (parent ?? its) === its && matches(commandOf(pid)))
    .map(({ pid }) => pid);
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return ""; // it ended meanwhile
  }
}
