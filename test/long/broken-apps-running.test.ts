/** Apps that come up and then break, or that are broken in a way that stops nobody. */
import assert from "node:assert/strict";
import { until, visit } from "../support/platform.ts";
import { brokenApps, node, serves, type BrokenApp, type RunningApp } from "../support/broken-apps.ts";
import { needs } from "../support/needs.ts";

const { skip } = await needs("sandbox", "python3");
/** Where nothing is a file system of its own, nobody is refused: what writes too much is ended. */
const { skip: noVolumes } = await needs("sandbox", "volumes");
const grows = "const held = []; for (;;) held.push(Buffer.alloc(50 << 20, 1));";
/** One request that breaks it, however that is answered. */
const breaks = async ({ url, alice }: RunningApp): Promise<string> => (await visit(`${url}/break`, alice)).work;
const onBreak = (code: string): string => `if (path === "/break") { ${code} }`;

/** The request, as `waybill explain` has it. */
async function saysOf({ alice }: RunningApp, work: string): Promise<readonly [string, string | undefined]> {
  const { verdict } = await alice.client.explain(work);
  return [`${verdict?.boundary}/${verdict?.code}`, verdict?.owner];
}

async function again(running: RunningApp): Promise<void> {
  await until("it runs again", async () => (await visit(`${running.url}/`, running.alice)).status === 200);
}

const ending: readonly BrokenApp[] = [
  {
    name: "it exits after it was ready, and is started again",
    files: node(serves(onBreak('console.log("done for today"); process.exit(7);'))),
    ends: "runs",
    async afterwards(running) {
      await breaks(running);
      const { code, says } = await running.ended();
      assert.equal(code, "app/exit");
      assert.match(says, /exit code 7.*done for today/s);
      await again(running);
    },
  },
  {
    name: "more memory for a request than it may have",
    files: node(serves(onBreak(grows))),
    ends: "runs",
    async afterwards(running) {
      const work = await breaks(running);
      const { code, owner, says } = await running.ended();
      assert.deepEqual([code, owner], ["app/out-of-memory", "app"]);
      assert.match(says, /more than the 700 MiB/);
      const [symptom, whose] = await saysOf(running, work);
      const { entries } = await running.alice.client.explain(work);
      assert.equal(symptom, "route/reset-midway", `it was delivered: ${JSON.stringify(entries)}`);
      assert.equal(whose, "app");
      await again(running);
    },
  },
  {
    name: "more memory in a worker process: it goes on without it",
    files: node(
      serves(
        'if (path === "/break") return response.end(String(spawnSync(process.execPath, ["-e", "const held = []; for (;;) held.push(Buffer.alloc(50 << 20, 1));"]).signal));',
      ),
    ),
    ends: "runs",
    async afterwards({ get }) {
      await get("/break", 200, /SIGKILL/);
      await get("/");
    },
  },
  {
    name: "it dies in the middle of an answer",
    files: node(
      serves(
        onBreak(
          'response.writeHead(200, { "content-length": "9999" }); response.write("half"); setTimeout(() => process.kill(process.pid, "SIGKILL"), 200); return;',
        ),
      ),
    ),
    ends: "runs",
    async afterwards(running) {
      await assert.rejects(visit(`${running.url}/break`, running.alice));
      assert.match((await running.ended()).says, /SIGKILL/);
      await again(running);
    },
  },
  {
    name: "it stops listening and stays",
    files: node(
      serves(
        'response.setHeader("connection", "close"); if (path === "/break") server.close();',
        "setInterval(() => {}, 1000);",
      ),
    ),
    ends: "runs",
    async afterwards(running) {
      await breaks(running);
      const work = await breaks(running);
      const [symptom, whose] = await saysOf(running, work);
      assert.match(symptom, /^(route\/connect-refused|app\/health-failing)$/);
      assert.equal(whose, "app");
      assert.equal((await running.ended()).code, "app/health-failing");
      await again(running);
    },
  },
  {
    name: "a loop in a request",
    files: node(serves(onBreak("for (;;);"))),
    ends: "runs",
    async afterwards(running) {
      const work = await breaks(running);
      const [symptom, whose] = await saysOf(running, work);
      assert.match(symptom, /^(route\/response-timeout|route\/connect-timeout|app\/health-failing)$/);
      assert.equal(whose, "app");
    },
  },
  {
    name: "it does not speak HTTP",
    files: node(
      'import { createServer } from "node:net"; createServer((socket) => socket.end("220 smtp ready\\r\\n")).listen(process.env.PORT);\n',
    ),
    ends: "runs",
    answers: 502,
  },
];

const hogs: readonly BrokenApp[] = [
  {
    name: "a fork bomb",
    files: node(
      serves(
        `if (path === "/break") return response.end(await new Promise((done) => {
          const child = spawn("sh", ["-c", "bomb() { bomb | bomb & }; bomb; sleep 3"]);
          child.on("error", (error) => done("EAGAIN " + error.code));
          child.on("exit", () => done("EAGAIN or gone"));
        }));`,
      ),
    ),
    ends: "runs",
    async afterwards(running) {
      await breaks(running);
      await again(running);
    },
  },
  {
    name: "processes without end, one by one",
    files: node(
      serves(
        `if (path === "/break") {
          let n = 0;
          for (;;) {
            const child = spawn("sleep", ["60"]);
            const failed = await new Promise((done) => child.on("error", (error) => done(error.code)).on("spawn", () => done(null)));
            if (failed) return response.end(failed + " after " + n);
            n += 1;
          }
        }`,
      ),
    ),
    ends: "runs",
    afterwards: async ({ get }) => void (await get("/break", 200, /^EAGAIN after \d{1,3}$/)),
  },
  {
    name: "threads without end",
    files: node(
      serves(
        `if (path === "/break") return response.end(spawnSync("python3", ["-c", "import threading, time\\nn = 0\\ntry:\\n  while True:\\n    threading.Thread(target=time.sleep, args=(30,), daemon=True).start(); n += 1\\nexcept RuntimeError as error:\\n  print(error, n, flush=True)\\n  import os; os._exit(0)"]).stdout);`,
      ),
    ),
    ends: "runs",
    afterwards: async ({ get }) => void (await get("/break", 200, /can't start new thread \d{1,3}/)),
  },
  {
    name: "open files without end",
    files: node(
      serves(
        'if (path === "/break") { const files = []; try { for (;;) files.push(fs.openSync("/dev/null")); } catch (error) { for (const one of files) fs.closeSync(one); return response.end(error.code + " " + files.length); } }',
      ),
    ),
    ends: "runs",
    afterwards: async ({ get }) => void (await get("/break", 200, /^EMFILE \d{2,5}$/)),
  },
  {
    name: "/tmp, /dev/shm and its home filled to their sizes",
    files: node(
      serves(
        `if (path === "/break") return response.end(["/home/app", "/dev/shm", "/tmp"].map((folder) => {
          const file = folder + "/full";
          try { for (;;) fs.appendFileSync(file, Buffer.alloc(8 << 20)); } catch (error) { const size = fs.statSync(file).size >> 20; fs.rmSync(file); return folder + " " + error.code + " " + size; }
        }).join("; "));`,
      ),
    ),
    ends: "runs",
    afterwards: async ({ get }) =>
      void (await get("/break", 200, /^\/home\/app ENOSPC \d+; \/dev\/shm ENOSPC \d+; \/tmp ENOSPC \d+$/)),
  },
  {
    name: "a log of 200 MB",
    files: node(
      serves(
        `if (path === "/break") { const line = "x".repeat(999) + "\\n"; const block = line.repeat(1000);
          for (let n = 0; n < 200; n++) if (!process.stdout.write(block)) await new Promise((done) => process.stdout.once("drain", done));
          console.log("the last line"); return response.end("written"); }`,
      ),
    ),
    ends: "runs",
    async afterwards({ get, log }) {
      await get("/break", 200, /written/);
      const text = await until("the end of the flood is in the log", async () => {
        const all = await log();
        return all.includes("the last line") && all;
      });
      assert.ok(text.length < 100e6, `${text.length} characters`);
      assert.match(text, /not kept|left out|clipped/);
    },
  },
];

/** Writes there until it may not, which it does not expect. */
const fills = (folder: string): BrokenApp["files"] =>
  node(
    serves(
      onBreak(
        `response.end("filling"); setTimeout(() => { for (;;) fs.appendFileSync("${folder}/full", Buffer.alloc(4 << 20)); }); return;`,
      ),
    ),
  );

const fillers: readonly BrokenApp[] = [
  {
    name: "its /data filled to its size: it is told, and goes on",
    files: node(
      serves(
        'if (path === "/break") { try { for (;;) fs.appendFileSync("/data/full", Buffer.alloc(4 << 20)); } catch (error) { return response.end(error.code + " " + (fs.statSync("/data/full").size >> 20)); } }',
      ),
    ),
    ends: "runs",
    async afterwards({ get, log }) {
      await get("/break", 200, /^ENOSPC [456]\d$/);
      await until("its log says which limit that is", async () =>
        /\/data is \d+ % full.*WAYBILL_APP_DATA_MB/.test(await log()),
      );
      await get("/");
    },
  },
  ...(
    [
      ["/data", /\/data/],
      ["/app", /the disk of \/app/],
      ["/scratch", /the disk of \/app and \/scratch/],
      ["/tmp", /\/tmp is/],
      ["/home/app", /\/home\/app is/],
    ] as const
  ).map(([folder, says]): BrokenApp => ({
    name: `${folder} filled without end: it ends, and starts again`,
    files: fills(folder),
    ends: "runs",
    async afterwards(running) {
      // The places in memory are known from the first look on.
      await running.get("/break", 200, /filling/);
      const end = await running.ended();
      assert.deepEqual([end.code, end.owner], ["app/disk-full", "app"], end.says);
      assert.match(end.says, says);
      await again(running);
    },
  })),
];

const odd: readonly BrokenApp[] = [
  {
    name: "binary output",
    files: node(
      serves("", 'process.stdout.write(Buffer.from([0, 1, 2, 255, 254, 27, 93, 10])); console.log("after the bytes");'),
    ),
    ends: "runs",
    says: /after the bytes/,
  },
  {
    name: "lines of 1 MB, and a last one without an end",
    files: node(serves("", 'console.log("y".repeat(1 << 20)); process.stdout.write("without an end");')),
    ends: "runs",
    says: /y{1000}/,
  },
  {
    name: "last words without a line's end",
    files: node(serves(onBreak('process.stdout.write("out of paper", () => process.exit(3)); return;'))),
    ends: "runs",
    async afterwards(running) {
      await breaks(running);
      assert.match((await running.ended()).says, /exit code 3.*out of paper/s);
    },
  },
  {
    name: "its standard output is closed",
    files: node(
      serves("", "fs.closeSync(1); fs.closeSync(2);").replace(
        'import fs from "node:fs";',
        'import fs from "node:fs"; process.on("uncaughtException", () => {});',
      ),
    ),
    ends: "runs",
  },
  {
    name: "SIGTERM is ignored: a restart ends it all the same",
    files: node(serves("", 'process.on("SIGTERM", () => console.log("not now"));')),
    ends: "runs",
    async afterwards(running) {
      const { up, space, alice } = running;
      const before = (await alice.client.space(space)).replicas.at(-1)?.id;
      await up.admin.restart(space, { factory: false });
      await until("another replica serves and the first has ended", async () => {
        const { replicas } = await alice.client.space(space);
        const old = replicas.find(({ id }) => id === before);
        return (
          replicas.some(({ id, phase }) => id !== before && phase === "ready") &&
          old?.phase !== "ready" &&
          old?.phase !== "stopping"
        );
      });
      await running.get("/");
    },
  },
  {
    name: "it leaves zombies",
    files: node(
      serves("", 'for (let n = 0; n < 20; n++) spawnSync("sh", ["-c", "(sleep 0.05 &) ; sleep 0 & exit 0"]);'),
      "",
      {
        "package.json": JSON.stringify({
          name: "app",
          type: "module",
          scripts: { start: "sleep 0 & sleep 0 & sleep 0 & exec node server.js" },
        }),
      },
    ),
    ends: "runs",
  },
  {
    name: "a double fork that leaves it, with its session and its variables",
    files: node(
      serves(
        'if (path === "/break") return response.end(spawnSync("sh", ["-c", "env -i setsid sh -c \\"env -i setsid sleep 7777 & exit\\" > /dev/null 2>&1 & echo forked"]).stdout);',
      ),
    ),
    ends: "runs",
    afterwards: async ({ get }) => void (await get("/break", 200, /forked/)),
  },
  {
    name: "it deletes its own folder, and starts again whole",
    files: node(
      serves(
        `if (path === "/break") { for (const name of fs.readdirSync(".")) fs.rmSync(name, { recursive: true, force: true }); return response.end("left: " + fs.readdirSync(".").length, () => process.exit(5)); }`,
      ),
    ),
    ends: "runs",
    async afterwards(running) {
      await running.get("/break", 200, /left: 0/);
      await running.ended();
      await again(running);
    },
  },
  {
    name: "it deletes its /data, and starts again",
    files: node(
      serves(onBreak('fs.rmSync("/data", { recursive: true, force: true, maxRetries: 0 });'))
        .replace("async (request, response) => {", "async (request, response) => { try {")
        .replace(/response\.end\("ok"\);\n/, 'response.end("ok"); } catch (error) { response.end(error.code); }\n'),
    ),
    ends: "runs",
    async afterwards({ get }) {
      await get("/break", 200);
      await get("/");
    },
  },
  {
    name: "names that are no ASCII, and long",
    files: node(
      serves(
        'if (path === "/break") return response.end(fs.readFileSync(fs.readdirSync(".").find((name) => name.startsWith("каша"))));',
      ),
      "title: ☕ и каша",
      {
        "каша ☕.txt": "read",
        [`${"long".repeat(60)}.txt`]: "x",
        [`${"deep/".repeat(40)}file.txt`]: "x",
        "-rf": "x",
      },
    ),
    ends: "runs",
    afterwards: async ({ get }) => void (await get("/break", 200, /read/)),
  },
  ...["127.0.0.1", "0.0.0.0", "::1", "::"].map((host) => ({
    name: `it listens on ${host} alone, which is well`,
    files: node(serves("", "", host)),
    ends: "runs" as const,
  })),
  {
    name: "it takes two of its three seconds to start, which is well",
    files: node(serves("", "await new Promise((done) => setTimeout(done, 2000));"), "startup_duration_timeout: 20s"),
    ends: "runs",
  },
  {
    name: "it names another port nowhere and listens on it: that one is taken",
    files: node(serves().replace("process.env.PORT", "8000")),
    ends: "runs",
    says: /listens on 8000/,
  },
];

brokenApps("an app that comes up", [...ending, ...hogs, ...fillers.slice(noVolumes === false ? 0 : 1), ...odd], {
  skip,
  gpus: null,
  env: {
    WAYBILL_APP_MEMORY_MB: "700",
    WAYBILL_APP_PROCESSES: "96",
    WAYBILL_APP_DATA_MB: "64",
    WAYBILL_APP_DISK_MB: "128",
    WAYBILL_RESPONSE_SECONDS: "60",
    WAYBILL_HEALTH_SECONDS: "1",
  },
});
