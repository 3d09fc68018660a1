/** Apps in a sandbox, on a real platform: what they can reach, and that nothing is left of them. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, openSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { needs } from "./support/needs.ts";
import { egressHere } from "./support/probe-suites.ts";
import { killProcess, lives, Platform, until, visit, type Account, type App } from "./support/platform.ts";

const { skip } = await needs("sandbox", "python3");
const nftables = await needs("nftables");
const isRoot = process.getuid?.() === 0;

/** An app that runs what it is told, in its sandbox, beside the fixture's own answers. */
const shell = {
  "README.md": "---\ntitle: Shell\nsdk: node\n---\n",
  "package.json": JSON.stringify({
    name: "shell",
    version: "1.0.0",
    type: "module",
    scripts: { start: "node shell.js" },
  }),
  "server.js": "",
  "work.js": "",
  "shell.js": `
import { createServer } from "node:http";
import { spawn } from "node:child_process";
createServer((request, response) => {
  const command = new URL(request.url, "http://app").searchParams.get("run") ?? "true";
  const child = spawn("sh", ["-c", command + " 2>&1"]);
  child.stdout.pipe(response);
}).listen(Number(process.env.PORT), "0.0.0.0");
`,
};

async function texts(log: AsyncIterable<{ readonly text: string }>, wanted: RegExp): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { text } of log) if (wanted.test(text)) found.push(text);
  return found;
}

describe("apps in a sandbox", { skip }, () => {
  let up: Platform;
  let alice: Account;
  let app: App;
  const run = async (command: string, on: App = app): Promise<string> =>
    (await visit(`${on.url}/?run=${encodeURIComponent(command)}`, alice)).text.trim();

  const another = (than: string): Promise<unknown> =>
    until("another replica answers", async () => {
      const { replicas } = await up.admin.space(app.space);
      const ready = replicas.findLast(({ phase }) => phase === "ready");
      return ready !== undefined && ready.id !== than && (await visit(app.url, alice)).status === 200;
    });

  /** Left open by whoever started the platform, as a service manager or a shell may. */
  const inherited = openSync("/etc/hostname", "r");

  before(async () => {
    up = await Platform.start({ sandbox: "best", probes: "own", inherits: [inherited] });
    alice = await up.account("alice");
    app = await up.deploy(alice, "shell", shell);
    assert.equal(app.deployed.ok, true, app.deployed.says);
  });
  after(async () => {
    await up[Symbol.asyncDispose]();
  });

  test("the platform says which level is in force", async () => {
    const { isolation } = await up.admin.status();
    assert.equal(isolation?.driver, "bubblewrap");
    assert.equal(isolation.level, isRoot ? "own-uid" : "shared-uid");
    assert.match(isolation.seccomp ?? "", /^[0-9a-f]{64}$/);
  });

  test("the Space's page and the API say the level, and every limit of its app and of its builds, to anybody", async () => {
    const { limits, isolation } = await up.admin.space(app.space);
    assert.ok(limits && isolation?.builds);
    const { processes } = limits;
    assert.ok(processes.most > 0 && limits.openFiles > 0 && limits.memory.bytes > 0);
    assert.equal(isolation.builds.wholeMs, 1_200_000);
    const answer = await fetch(`${up.url}/spaces/${app.space}`);
    const page = (await answer.text()).replaceAll(/<[^>]+>/g, " ");
    assert.match(answer.headers.get("content-security-policy") ?? "", /default-src 'none'/);
    assert.match(page, new RegExp(`Isolation: ${isolation.level}`));
    assert.match(page, new RegExp(`processes\\s+${processes.most},`));
    assert.match(page, new RegExp(`open files\\s+${limits.openFiles} `));
    assert.match(page, /Limits of a build\s+time\s+1200 s\s+memory\s+\d+ MiB, .*disk\s+\d+ MiB written/s);
    assert.equal((await fetch(`${up.url}/spaces/alice/none`)).status, 404);
    const built = (await up.admin.build(app.deployed.build?.id ?? "")).limits;
    assert.deepEqual(built, isolation.builds, "the record of a build says what the node's builds have");
    const [said] = await texts(up.admin.buildLog(app.deployed.build?.id ?? ""), /^limits of this build: /);
    assert.match(said ?? "", /time 1200 s; memory \d+ MiB, .*; processes \d+, .*; disk \d+ MiB written, looked at$/);
  });

  test("an app is nobody: no capabilities, a filter, no way to new privileges or namespaces", async () => {
    const status = await run("grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status");
    assert.match(status, /CapEff:\s+0000000000000000/);
    assert.match(status, /NoNewPrivs:\s+1/);
    assert.match(status, /Seccomp:\s+2/);
    assert.match(await run("unshare --user true"), /Operation not permitted/);
    const pair = `python3 -c "import socket; socket.socketpair(40, socket.SOCK_STREAM)"`;
    assert.match(await run(pair), /Address family not supported/);
    assert.match(await run("mount -t tmpfs tmpfs /tmp"), /permi|must be superuser/i);
  });

  test("an app has no file open that it did not open itself", async () => {
    const open = (await run("ls -l /proc/self/fd")).split("\n").filter((line) => / -> \//.test(line));
    assert.deepEqual(
      open.filter((line) => !/-> \/(dev\/null|proc\/)/.test(line)),
      [],
    );
  });

  test("an app sees its own processes and files only", async () => {
    assert.equal(await run("id -u"), "1000");
    const processes = await run("ls /proc | grep -c '^[0-9]*$'");
    assert.ok(Number(processes) < 12, processes);
    const other = await up.deploy(alice, "other", shell);
    const { folder } = await up.replica(other.space);
    for (const path of ["/root", "/etc/shadow", up.data, folder, "/sys/kernel", "/proc/1/root/root"])
      assert.match(await run(`ls ${path}`), /No such file|cannot access|Permission denied/, path);
    assert.match(await run("touch /usr/here"), /Read-only file system|Permission denied/);
  });

  test(
    "each Space is a user of its own, and the agent's files are not that user's",
    { skip: isRoot ? false : "not root" },
    async () => {
      const { app: process_ } = await up.replica(app.space);
      const owner = spawnSync("stat", ["-c", "%u", `/proc/${process_.pid}`], { encoding: "utf8" }).stdout.trim();
      assert.ok(Number(owner) > 2_000_000_000, owner);
    },
  );

  test("what an app writes beside its code is its replica's own, and /data outlives the replica", async () => {
    assert.equal(
      await run("echo changed > package.json; cat package.json; echo kept > /data/kept; echo $XDG_CACHE_HOME"),
      "changed\n/data/.cache",
    );
    const before_ = await up.replica(app.space);
    killProcess(before_.shim);
    await another(before_.id);
    assert.match(await run("cat package.json; cat /data/kept"), /"name":"shell".*kept$/s);
  });

  test("kill -9 of the shim leaves nothing of its app", async () => {
    await run("setsid sh -c 'sleep 300 & sleep 300' >/dev/null 2>&1 & sleep 0.1");
    const replica = await up.replica(app.space);
    killProcess(replica.shim);
    await until("the app is gone", () => !lives(replica.app));
    await another(replica.id);
  });

  test("kill -9 of the platform leaves the app running, and it is found again with its way out", async () => {
    const before_ = await up.replica(app.space);
    await up.restart();
    alice = await up.account("alice");
    await until("the app answers", async () => (await visit(app.url, alice)).status === 200);
    const after_ = await up.replica(app.space);
    assert.deepEqual(after_.app, before_.app);
    await run(`python3 -c "import socket; socket.create_connection(('169.254.169.254', 80)).recv(1)"`);
    const lines = await until("its log says what was refused", async () => {
      const found: string[] = [];
      for await (const { source, text } of up.admin.logs(app.space)) if (source === "egress") found.push(text);
      return found.length > 0 && found;
    });
    assert.match(lines.join("\n"), /egress\/address-denied: 169\.254\.169\.254:80/);
  });

  test("nothing leaves the namespace but by the gateway", async () => {
    const host = `python3 -c "import socket; socket.create_connection(('127.0.0.1', ${new URL(up.url).port})).recv(1)"`;
    assert.match(await run(host), /refused|reset/);
    const name = `python3 -c "import socket; print(socket.gethostbyname('some.name.example'))"`;
    assert.match(await run(name), /^100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./);
  });

  test("a datagram is refused at once, instead of going nowhere", nftables, async () => {
    const udp = `python3 -c "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('8.8.8.8', 9999))"`;
    assert.match(await run(udp), /Operation not permitted|PermissionError|refused/i);
  });

  test("a GPU call is metered by the worker's pid in its own numbering", async () => {
    const fixture = await up.deploy(alice, "fixture");
    const { status, call } = await visit(`${fixture.url}/gpu/hold?seconds=0`, alice);
    assert.equal(status, 200);
    const told = await until("the call has ended", async () => {
      const view = await alice.client.call(call);
      return view.outcome !== null && view;
    });
    assert.equal(told.outcome, "ok", JSON.stringify(told));
  });

  test("what an app can do is tried in the background, once for the node, and everybody is told", async () => {
    const measured = async () => {
      const { isolation } = await up.admin.status();
      return (isolation?.probes ?? null) !== null && isolation;
    };
    const isolation = await until("the probes have been run", measured, 300_000).catch((error: unknown) => {
      throw new Error(up.log.slice(-10).join("\n"), { cause: error });
    });
    const { probes } = isolation;
    assert.ok(probes && "total" in probes, JSON.stringify(probes));
    assert.ok(probes.total >= 130);
    assert.deepEqual([probes.open, probes.expected, probes.unexpected, probes.notRun], [2, 2, [], []]);
    assert.equal(isolation.egress, await egressHere());
    assert.equal(isolation.hostUid, isRoot ? "own" : "shared");
    assert.match(await (await fetch(up.url)).text(), /Probes: \d+ ways out were tried .* open are 2, all by design/);
    await up.restart();
    alice = await up.account("alice");
    const again = await until("the next start knows it", measured);
    assert.deepEqual(again.probes, probes, "those of then, and no new ones");
  });

  test("a stop ends all of it, control groups too", async () => {
    assert.equal(await up.stop(), 0);
    assert.deepEqual(up.leftovers(), []);
    const groups = "/sys/fs/cgroup/memory/waybill";
    const left = existsSync(groups) ? readdirSync(groups).filter((name) => name.startsWith("p_")) : [];
    const mine = existsSync(join(up.data, "node/replicas")) ? readdirSync(join(up.data, "node/replicas")) : [];
    assert.deepEqual(
      left.filter((name) => mine.includes(name)),
      [],
    );
  });
});

describe("a machine where no sandbox can be made", { skip }, () => {
  test("waybill up does not start, and says what to install and how to run without", () => {
    const folder = mkdtempSync(join(tmpdir(), "wb-none-"));
    try {
      const waybill = resolve(import.meta.dirname, "../bin/waybill.js");
      const closed = [
        "--dev-bind",
        "/",
        "/",
        "--unshare-user",
        "--disable-userns",
        "--",
        process.execPath,
        waybill,
        "up",
      ];
      const { status, stderr } = spawnSync("bwrap", [...closed, "--data", join(folder, "data"), "--port", "0"], {
        encoding: "utf8",
        timeout: 180_000,
      });
      assert.equal(status, 1, stderr);
      assert.match(stderr, /runtime\/sandbox-denied.*a sandbox cannot be made here/s);
      assert.match(stderr, /apt-get install bubblewrap iproute2 nftables util-linux/);
      assert.match(stderr, /--sandbox none, which runs apps and builds as\s+plain processes/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
