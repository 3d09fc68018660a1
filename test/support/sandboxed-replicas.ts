/** Replicas in a sandbox, without a platform around them: limits, ends, and what is left. The suite of every way to make one. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { after, describe, test } from "node:test";
import { adopt, launch } from "../../src/runtime/launch.ts";
import { readApp, readShim, type LaunchPlan } from "../../src/runtime/folder.ts";
import { insideMember, isAlive, linuxProcesses, members, type Membership } from "../../src/runtime/processes.ts";
import { noCgroups } from "../../src/runtime/sandbox/cgroups.ts";
import type { SandboxDriver } from "../../src/runtime/sandbox/way.ts";
import { appWorkers } from "../../src/runtime/shim/workers.ts";
import { bench, dial, textOf, tools, until, watch, type Started } from "./replicas.ts";
import { isRoot, sandboxes, spareShims } from "./sandboxes.ts";
import { needs } from "./needs.ts";

const asRoot = { skip: isRoot ? false : "the agent of this test is root" };
const processes = linuxProcesses();

const listens = `require("node:http").createServer((_, to) => to.end("hi")).listen(process.env.PORT);`;
/** Its worker is a shell, and has a line to read for each request. */
const shell = (script: string): Record<string, string> => ({
  "app.js": `const { spawn } = require("node:child_process");
    const child = spawn("sh", ["-c", ${JSON.stringify(script)}], { stdio: ["pipe", "inherit", "inherit"] });
    console.log("worker", child.pid);
    require("node:http").createServer((_, to) => { child.stdin.write("go\\n"); to.end("hi"); }).listen(process.env.PORT);`,
});
const request = "GET / HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n";

async function stop(one: Started): Promise<void> {
  one.link.send({ type: "stop", graceMs: 2_000, why: "the test is over" });
  await one.untilPhase("stopped");
  one.link.close();
}

function appOf(made: LaunchPlan): Membership {
  const app = readApp(made.folder);
  assert.ok(app);
  return { root: app, marker: app.marker, sandboxed: true };
}

const sees = (pid: number, path: string): string[] => readdirSync(`/proc/${pid}/root${path}`);

/** Empty where the process has just gone. */
function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return "";
    throw error;
  }
}

/**
 * `saysDenied`: how the one that makes it complains of a folder `/nowhere/python` that is not there. `inAdvance`: each by a shim that was
 * started before, where one can be (of a Space that has its /data, by an agent that is root).
 */
export async function sandboxedReplicas(driver: SandboxDriver, saysDenied: RegExp, inAdvance = false): Promise<void> {
  const { skip } = await needs(driver === "crun" ? "crun" : "sandbox");
  const replicas = bench();
  const boxes = sandboxes(replicas, skip === false, driver);
  const { here } = boxes;
  const plan = (files: Readonly<Record<string, string>>, cgroups = here): LaunchPlan => boxes.plan(files, { cgroups });
  const spares = inAdvance && skip === false ? spareShims(replicas) : undefined;
  const start = async (made: LaunchPlan): Promise<Started> => {
    await spares?.settled();
    return watch(await launch(made, { ...tools, ...(spares && { spares }) }), made);
  };
  after(async () => {
    await spares?.[Symbol.asyncDispose]();
    await replicas[Symbol.asyncDispose]();
    await boxes[Symbol.asyncDispose]();
  });

  describe(
    `a replica sandboxed by ${driver}${inAdvance ? ", beside a shim that was started in advance" : ""}`,
    { skip },
    () => {
      test("listens on its release's port in a network of its own, twice at once, and answers", async () => {
        const both = [await start(plan({ "app.js": listens })), await start(plan({ "app.js": listens }))];
        for (const one of both) {
          const { socket } = await one.untilPhase("ready");
          assert.ok(socket);
          const connection = dial(socket, { connection: 1 });
          connection.write(request);
          assert.match(await textOf(connection), /^HTTP\/1\.1 200[^]*hi$/);
          assert.equal(readApp(one.plan.folder)?.port, 7860);
        }
        for (const one of both) await stop(one);
      });

      test("has a shim that is nobody outside, and sees no other replica's folder", asRoot, async () => {
        chmodSync(replicas.folder, 0o700);
        const both = [await start(plan({ "app.js": listens })), await start(plan({ "app.js": listens }))];
        for (const { plan: made } of both) {
          const shim = readShim(made.folder);
          assert.ok(shim && made.sandbox);
          const status = readFileSync(`/proc/${shim.pid}/status`, "utf8");
          const uid = String(made.sandbox.hostUid);
          assert.match(status, new RegExp(`^Uid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, "m"));
          assert.match(status, new RegExp(`^Gid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, "m"));
          assert.match(status, /^Groups:\s*$/m);
          assert.match(status, /^NoNewPrivs:\t1$/m);
          assert.deepEqual(
            sees(shim.pid, dirname(made.folder)).toSorted(),
            [made.folder, made.releaseFolder, join(replicas.folder, "spaces")].map((path) => basename(path)).toSorted(),
          );
        }
        for (const one of both) await stop(one);
      });

      test("whose worker is ended loses its daemon too, which had left it, and no other process", asRoot, async () => {
        assert.ok(here.kill, "this machine has a v2 tree");
        const daemon = `(setsid sh -c 'sleep 301 & sleep 302' &)`;
        const made = plan(shell(`sleep 303 & read -r _; ${daemon}; sleep 304`));
        const one = await start(made);
        await one.untilPhase("ready");
        const of = appOf(made);
        const workers = appWorkers(processes, () => of, { groups: made.sandbox?.cgroups?.workers ?? null });
        const inner = Number(/worker (\d+)/.exec((await one.logTexts()).join("\n"))?.[1]);
        const worker = workers.find(inner);
        assert.ok(worker);
        assert.equal(workers.find(1), undefined, "pid 1 is the sandbox's own");
        assert.deepEqual(insideMember(processes, of, inner)?.pid, worker.pid);
        const connection = dial(one.link.status().socket ?? "", { connection: 1 });
        connection.write(request);
        assert.match(await textOf(connection), /hi$/);
        const commands = (): string[] => members(processes, of, process.pid).map(({ pid }) => commandLine(pid));
        await until("the daemon is there", () =>
          ["301", "302", "303", "304"].every((n) => commands().includes(`sleep ${n}`)),
        );
        assert.equal(await workers.end(worker), true);
        assert.deepEqual(
          commands().filter((command) => command.includes("sleep")),
          [],
        );
        assert.equal(one.link.status().phase, "ready");
        await stop(one);
      });

      test("that takes more memory than its group may is ended by the kernel, and says so", asRoot, async () => {
        assert.ok(here.memory !== null, "this machine has groups for memory");
        const one = await start(plan({ "app.js": `const all = []; for (;;) all.push(Buffer.alloc(8 << 20, 1));` }));
        const { end } = await one.untilPhase("exited");
        assert.equal(end?.code, "app/out-of-memory", end?.says ?? "");
        assert.match(end?.says ?? "", /192 MiB/);
        one.link.close();
      });

      test("says which limits its groups' files hold", asRoot, async () => {
        const one = await start(boxes.plan({ "app.js": listens }, { limits: { processors: 1.5 } }));
        await one.untilPhase("ready");
        const { memory, processes: most, processors, openFiles } = one.link.status().limits ?? assert.fail("no limits");
        assert.deepEqual(
          [memory, most, processors, openFiles],
          [{ bytes: 192 << 20, by: "group" }, { most: 256, by: "group" }, 1.5, 1_024],
        );
        await stop(one);
      });

      test("gets no more of the processors than its share", asRoot, async () => {
        assert.ok(here.processor !== null, "this machine has groups for processors");
        const app = `const since = performance.now(), { user, system } = process.cpuUsage();
      while (performance.now() - since < 1500);
      const used = process.cpuUsage({ user, system });
      console.log("used", Math.round((used.user + used.system) / 15_000)); ${listens}`;
        const one = await start(boxes.plan({ "app.js": app }, { limits: { processors: 0.5 } }));
        await one.untilPhase("ready");
        const percent = Number(/used (\d+)/.exec((await one.logTexts()).join("\n"))?.[1]);
        assert.ok(percent > 0 && percent <= 65, `it used ${percent} % of one processor, and may use 50 %`);
        await stop(one);
      });

      test("goes on when the kernel ends only its worker, and its log says why", asRoot, async () => {
        const eats = `const all = []; for (;;) all.push(Buffer.alloc(8 << 20, 1));`;
        const one = await start(
          plan({
            "eat.js": eats,
            "app.js": `require("node:child_process").spawn(process.execPath, ["eat.js"]); ${listens}`,
          }),
        );
        await one.untilPhase("ready");
        await until("the log says so", async () =>
          (await one.logTexts()).find((text) => /192 MiB.*the kernel killed 1 of/.test(text)),
        );
        assert.equal(one.link.status().phase, "ready");
        await stop(one);
      });

      test("without groups is looked at, and ended when it has too much", async () => {
        const app = `globalThis.all = Buffer.alloc(300 << 20, 1); ${listens}`;
        const one = await start(plan({ "app.js": app }, noCgroups));
        const { end } = await one.untilPhase("exited");
        assert.equal(end?.code, "app/out-of-memory", end?.says ?? "");
        one.link.close();
      });

      test("gets its own TERM, and the rest of its sandbox ends with it", async () => {
        const app = `process.on("SIGTERM", () => { console.log("bye"); process.exit(0); });
      require("node:child_process").spawn("sh", ["-c", "trap '' TERM; sleep 300"], { detached: true }).unref(); ${listens}`;
        const one = await start(plan({ "app.js": app }));
        await one.untilPhase("ready");
        const of = appOf(one.plan);
        const all = members(processes, of, process.pid);
        assert.ok(all.length >= 4);
        await stop(one);
        assert.ok((await one.logTexts().catch(() => ["bye"])).includes("bye"));
        assert.deepEqual(
          all.filter((name) => isAlive(processes, name)),
          [],
        );
      });

      test("whose shim is killed leaves no process, and is lost", async () => {
        const one = await start(plan(shell("setsid sleep 300 & sleep 300")));
        await one.untilPhase("ready");
        const shim = readShim(one.plan.folder);
        assert.ok(shim);
        const all = await until("its processes are there", () => {
          const found = members(processes, appOf(one.plan), process.pid);
          return found.length >= 4 ? found : undefined;
        });
        processes.signal(shim, "SIGKILL");
        const found = await adopt(one.plan.folder);
        assert.ok("dead" in found && found.dead.end?.code === "runtime/shim-lost");
        assert.deepEqual(
          all.filter((name) => isAlive(processes, name)),
          [],
        );
        one.link.close();
      });

      test("whose agent dies is found again, with its app", async () => {
        const one = await start(plan({ "app.js": listens }));
        await one.untilPhase("ready");
        one.link.close();
        const found = await adopt(one.plan.folder);
        assert.ok(!("dead" in found) && found.status().phase === "ready");
        await stop(watch(found, one.plan));
      });

      test("whose sandbox cannot be made says what failed, in the words of what makes it", async () => {
        const made = boxes.plan({ "app.js": listens }, { space: "alice/denied", volumes: false });
        const denied: LaunchPlan = {
          ...made,
          release: { ...made.release, needs: ["/nowhere/python"] },
          sandbox: made.sandbox && { ...made.sandbox, hostUid: null, cgroups: null },
        };
        // Of no user of its own, it is none for which this agent starts a shim in advance.
        const one = watch(await launch(denied, tools), denied);
        const { end } = await one.untilPhase("exited");
        assert.equal(end?.code, "runtime/sandbox-denied");
        assert.match(end?.says ?? "", saysDenied);
        one.link.close();
      });

      test(
        "whose way in cannot be gone is a failure with that code, in the failing program's words",
        asRoot,
        async () => {
          const made = plan({ "app.js": listens });
          const cgroups = { join: [], workers: null, shim: "/nowhere/group", oomCounter: null };
          const starting = start({ ...made, sandbox: made.sandbox && { ...made.sandbox, cgroups } });
          await assert.rejects(starting, (error: Error & { code?: string }) => {
            assert.equal(error.code, "runtime/sandbox-denied");
            assert.match(error.message, /\/nowhere\/group/);
            return true;
          });
        },
      );

      test("of an agent that is not root: the same, as the agent's user", asRoot, async () => {
        const child = resolve(import.meta.dirname, "sandbox-child.ts");
        const user = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];
        const agent = spawn("setpriv", [...user, process.execPath, child, driver], {
          stdio: ["ignore", "pipe", "inherit"],
        });
        let text = "";
        agent.stdout.on("data", (bytes: Buffer) => (text += bytes.toString()));
        const [code] = (await once(agent, "close")) as [number];
        assert.equal(code, 0, text);
        const answer = { uid: 1000, beside: true, shadow: false };
        const answers = [
          { ...answer, kept: "" },
          { ...answer, kept: "from the first" },
        ];
        assert.deepEqual(JSON.parse(text), { answers, left: 0, removed: true });
      });

      test("cannot read what only root may, in a folder that it was given", asRoot, async () => {
        const given = join(replicas.folder, "given");
        mkdirSync(given);
        writeFileSync(join(given, "open"), "", { mode: 0o644 });
        writeFileSync(join(given, "closed"), "", { mode: 0o600 });
        const app = `for (const name of ["open", "closed"])
      try { console.log(name, require("node:fs").readFileSync("${given}/" + name).length); } catch (error) { console.log(name, error.code); } ${listens}`;
        const made = plan({ "app.js": app });
        const one = await start({ ...made, release: { ...made.release, needs: [given] } });
        await one.untilPhase("ready");
        assert.deepEqual(
          (await one.logTexts()).filter((text) => /^(open|closed)/.test(text)),
          ["open 0", "closed EACCES"],
        );
        await stop(one);
      });

      test("a release is read by all its replicas and written by none", async () => {
        const files = {
          "app.js": `require("node:fs").writeFileSync("app.js", "gone"); require("node:fs").writeFileSync("new", ""); ${listens}`,
        };
        const one = await start(plan(files));
        await one.untilPhase("ready");
        assert.equal(readFileSync(join(one.plan.releaseFolder, "app/app.js"), "utf8"), files["app.js"]);
        assert.equal(existsSync(join(one.plan.releaseFolder, "app/new")), false);
        await stop(one);
      });
    },
  );
}
