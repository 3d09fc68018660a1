/** Shims that are started in advance: they become what a shim is that was started for its replica, and are nobody's orphans. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { after, describe, test } from "node:test";
import { launch } from "../src/runtime/launch.ts";
import { readShim, type LaunchPlan } from "../src/runtime/folder.ts";
import { linuxProcesses } from "../src/runtime/processes.ts";
import { needs } from "./support/needs.ts";
import { bench, tools, until, watch, type Started } from "./support/replicas.ts";
import { isRoot, sandboxes, spareShims } from "./support/sandboxes.ts";

const { skip } = await needs("sandbox");
const nftables = await needs("nftables");
const processes = linuxProcesses();

/** Tells what an app can see of who it is, and where. */
const mirror = `const fs = require("node:fs");
const lines = (file, wanted) => fs.readFileSync(file, "utf8").split("\\n").filter((line) => wanted.test(line));
const seen = {
  status: lines("/proc/self/status", /^(Uid|Gid|Groups|Cap\\w+|NoNewPrivs|Seccomp):/),
  limits: lines("/proc/self/limits", /./),
  mounts: lines("/proc/self/mountinfo", /./).map((line) => line.split(" ")).map((fields) => [fields[4], fields[5]].join(" ")).sort(),
  names: Object.keys(process.env).sort(),
  links: Object.keys(require("node:os").networkInterfaces()),
};
console.log("seen " + JSON.stringify(seen));
require("node:http").createServer((_, to) => to.end("hi")).listen(process.env.PORT);`;

/** What the machine knows of a replica's shim by its pid. */
function shimSeen({ plan }: Started): object {
  const { pid } = readShim(plan.folder) ?? assert.fail("it has a shim");
  const { replica } = plan.spec;
  const of = (name: string): string => readFileSync(`/proc/${pid}/${name}`, "latin1").replaceAll(replica, "REPLICA");
  const { session, group } = processes.stat(pid) ?? assert.fail("it lives");
  const namespaces = ["user", "net", "mnt", "pid", "ipc", "uts"];
  return {
    name: of("comm"),
    command: of("cmdline").replaceAll("\0", " ").trim(),
    identity: of("status")
      .split("\n")
      .filter((line) => /^(Uid|Gid|Groups|CapPrm|CapEff|CapBnd|NoNewPrivs|Umask):/.test(line)),
    users: ["uid_map", "gid_map", "setgroups"].map((name) => of(name).trim().split(/\s+/)),
    environment: of("environ"),
    limits: of("limits"),
    groups: of("cgroup"),
    folder: readlinkSync(`/proc/${pid}/cwd`),
    leads: [session === pid, group === pid],
    own: namespaces.filter((name) => readlinkSync(`/proc/${pid}/ns/${name}`) !== readlinkSync(`/proc/self/ns/${name}`)),
    standard: [1, 2].map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`).replace(plan.folder, "FOLDER")),
  };
}

async function appSeen(one: Started): Promise<unknown> {
  const told = await until("it told", async () => (await one.logTexts()).find((text) => text.startsWith("seen ")));
  return JSON.parse(told.slice("seen ".length));
}

describe(
  "a shim that was started in advance",
  { skip: skip || (isRoot ? false : "only an agent that is root has some") },
  () => {
    const replicas = bench();
    const boxes = sandboxes(replicas, skip === false);
    let availableBytes = Infinity;
    const spares = spareShims(replicas, () => availableBytes);
    const started = async (made: LaunchPlan, inAdvance: boolean): Promise<Started> => {
      await spares.settled();
      const before = spares.waiting;
      const one = watch(await launch(made, { ...tools, ...(inAdvance && { spares }) }), made);
      await one.untilPhase("ready");
      assert.equal(readShim(made.folder)?.pid === before, inAdvance);
      return one;
    };
    const stop = async (one: Started): Promise<void> => {
      one.link.send({ type: "stop", graceMs: 2_000, why: "the test is over" });
      await one.untilPhase("stopped");
      one.link.close();
    };
    after(async () => {
      await spares[Symbol.asyncDispose]();
      await replicas[Symbol.asyncDispose]();
      await boxes[Symbol.asyncDispose]();
    });

    test("is as one that was started for its replica, and so is the app", async () => {
      await stop(await started(boxes.plan({ "app.js": mirror }), false));
      const env = { OF_ITS_OWN: "1" };
      const one = await started(boxes.plan({ "app.js": mirror }, { env }), false);
      const other = await started(boxes.plan({ "app.js": mirror }, { env }), true);
      assert.deepEqual(shimSeen(other), shimSeen(one));
      assert.deepEqual(await appSeen(other), await appSeen(one));
      for (const { plan } of [one, other]) {
        const image = plan.sandbox?.disk?.layer.volume?.image ?? assert.fail("its layer has a file system");
        for (const path of [image, dirname(image)]) {
          const { uid, mode } = statSync(path);
          assert.deepEqual([uid, mode & 0o077], [0, 0], `${path} is root's alone, who goes by its path`);
        }
      }
      await stop(one);
      await stop(other);
    });

    test("gets its app's secrets, and catches the ports of its own replica", async () => {
      const app = `const net = require("node:net");
    console.log("secret", process.env.KEY);
    net.connect(443, "192.0.2.1").on("error", (error) => console.log("443", error.code)).on("connect", () => console.log("443 open"));
    ${mirror}`;
      const made = boxes.plan({ "app.js": app });
      assert.ok(made.sandbox);
      const one = await started(
        {
          ...made,
          spec: { ...made.spec, secrets: { KEY: "of the owner" } },
          sandbox: { ...made.sandbox, ports: [8443] },
        },
        true,
      );
      const texts = await until("it told both", async () => {
        const told = (await one.logTexts()).filter((text) => /^(secret|443)/.test(text));
        return told.length === 2 ? told.toSorted() : undefined;
      });
      assert.equal(texts[1], "secret ***KEY***", "masked in the log");
      // Taken by the listener for all other ports, where nftables sends them to it.
      assert.match(texts[0] ?? "", nftables.skip === false ? /^443 (open|ECONNRESET)/ : /^443 ECONNREFUSED/);
      await stop(one);
    });

    test("leaves to others what the kernel counts of its app", async (t) => {
      const most = Number(readFileSync("/proc/sys/fs/inotify/max_user_instances", "utf8"));
      if (most > 200) return t.skip(`an app has too few processes to use up ${most} inotify instances`);
      const takes = `const full = require("node:child_process").spawn("sh", ["-c", ": > /tmp/file; for n in $(seq ${most + 1}); do tail -f /tmp/file > /dev/null & done; wait"]);
    require("node:readline").createInterface({ input: full.stderr }).once("line", (said) => console.log("full " + said));
    ${mirror}`;
      const watches = `try { require("node:fs").watch("/tmp"); console.log("watches"); } catch ({ code }) { console.log("watches not, " + code); }
    ${mirror}`;
      const one = await started(boxes.plan({ "app.js": takes }), true);
      await until("it has all that it may", async () =>
        (await one.logTexts()).find((text) => /^full .*inotify/.test(text)),
      );
      const other = await started(boxes.plan({ "app.js": watches }), true);
      const told = await until("it told", async () =>
        (await other.logTexts()).find((text) => text.startsWith("watches")),
      );
      assert.equal(told, "watches");
      await stop(one);
      await stop(other);
    });

    test("is not kept where the machine is short of memory, and ended where it becomes so", async () => {
      await spares.settled();
      assert.ok(spares.waiting !== undefined);
      const { pid, start } = processes.stat(spares.waiting) ?? assert.fail("it lives");
      availableBytes = 1 << 20;
      await spares.look();
      assert.equal(spares.waiting, undefined);
      assert.notEqual(processes.stat(pid)?.start, start);
      await spares.look();
      assert.equal(spares.waiting, undefined);
      availableBytes = Infinity;
      await spares.look();
      await spares.settled();
      assert.ok(spares.waiting !== undefined);
    });

    test("ends when its agent is killed, with the shells beside it", async () => {
      const agent = spawn(
        process.execPath,
        [resolve(import.meta.dirname, "support/spare-agent.ts"), join(replicas.folder, "killed")],
        {
          stdio: ["ignore", "pipe", "inherit"],
        },
      );
      const [told] = (await once(agent.stdout, "data")) as [Buffer];
      const pid = Number(told.toString());
      const ofIt = (): readonly number[] =>
        readdirSync("/proc").flatMap((name) => (processes.stat(Number(name))?.session === pid ? [Number(name)] : []));
      assert.ok(ofIt().includes(pid) && ofIt().length >= 4, "it waits with three shells");
      agent.kill("SIGKILL");
      await until("all of it is gone", () => ofIt().length === 0);
    });
  },
);

describe("a shim that an agent which is not root started in advance", { skip }, () => {
  const replicas = bench();
  const boxes = sandboxes(replicas, skip === false);
  const spares = spareShims(replicas, undefined, false);
  after(async () => {
    await spares[Symbol.asyncDispose]();
    await replicas[Symbol.asyncDispose]();
    await boxes[Symbol.asyncDispose]();
  });

  test("is as one that was started for its replica, and so is the app, which gets its secrets", async () => {
    const app = `console.log("secret", process.env.KEY); ${mirror}`;
    const start = async (inAdvance: boolean): Promise<Started> => {
      await spares.settled();
      const { waiting } = spares;
      const made = boxes.plan({ "app.js": app }, { ownUsers: false, volumes: false });
      const plan = { ...made, spec: { ...made.spec, secrets: { KEY: "of the owner" } } };
      const one = watch(await launch(plan, { ...tools, ...(inAdvance && { spares }) }), plan);
      await one.untilPhase("ready");
      assert.equal(readShim(plan.folder)?.pid === waiting, inAdvance);
      return one;
    };
    const stop = async (one: Started): Promise<void> => {
      one.link.send({ type: "stop", graceMs: 2_000, why: "the test is over" });
      await one.untilPhase("stopped");
      one.link.close();
    };
    // The first has what Node compiles.
    await stop(await start(false));
    const [one, other] = [await start(false), await start(true)];
    assert.deepEqual(shimSeen(other), shimSeen(one));
    assert.deepEqual(await appSeen(other), await appSeen(one));
    assert.ok((await other.logTexts()).includes("secret ***KEY***"));
    await stop(one);
    await stop(other);
  });

  test("ends when its agent is killed", async () => {
    const script = resolve(import.meta.dirname, "support/spare-agent.ts");
    const agent = spawn(process.execPath, [script, join(replicas.folder, "killed"), "--one-user"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [told] = (await once(agent.stdout, "data")) as [Buffer];
    const { pid, start } = processes.stat(Number(told.toString())) ?? assert.fail("it waits");
    agent.kill("SIGKILL");
    await until("it is gone", () => processes.stat(pid)?.start !== start);
  });
});
