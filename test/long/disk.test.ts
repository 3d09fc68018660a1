/** What a replica may write of the disk: its Space's /data, and its own layer; kept, checked, grown, moved from a folder, shared. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, afterEach, describe, test } from "node:test";
import { readShim, type LaunchPlan } from "../../src/runtime/folder.ts";
import { launch } from "../../src/runtime/launch.ts";
import { linuxProcesses } from "../../src/runtime/processes.ts";
import { dial, bench, textOf, tools, until, watch, type Started } from "../support/replicas.ts";
import { diskLimits, isRoot, sandboxes, type SandboxOptions } from "../support/sandboxes.ts";
import { needs } from "../support/needs.ts";

const { skip } = await needs("sandbox");
const asRoot = { skip: skip || (isRoot ? false : "the agent of this test is no root") };
const replicas = bench();
const boxes = sandboxes(replicas, skip === false);
const running = new Set<Started>();
let asked = 0;
afterEach(async () => {
  for (const one of running) await stop(one);
});
after(async () => {
  await replicas[Symbol.asyncDispose]();
  await boxes[Symbol.asyncDispose]();
});
const mib = 1 << 20;
/** CAP_SYS_RESOURCE (capability.h), which a container's root may lack. */
const mayGrowMounted =
  (BigInt(`0x${/^CapEff:\t(.+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0"}`) & (1n << 24n)) !== 0n;

/** Answers with what the body of a request says as a program. */
const app = `
const fs = require("node:fs");
const { execFileSync } = require("node:child_process");
require("node:http").createServer((request, response) => {
  try { response.end(String(eval(decodeURIComponent(request.url.slice(1))))); }
  catch (error) { response.end(error.code ?? String(error)); }
}).listen(process.env.PORT);`;
const fill = (file: string): string =>
  `(() => { const to = fs.openSync("${file}", "a"); try { for (;;) fs.writeSync(to, Buffer.alloc(1 << 20)); } finally { fs.closeSync(to); } })()`;

const plan = (options: SandboxOptions = {}): LaunchPlan => boxes.plan({ "app.js": app }, options);

async function start(made: LaunchPlan): Promise<Started> {
  const one = watch(await launch(made, tools), made);
  running.add(one);
  await one.untilPhase("ready");
  return one;
}

async function ask(one: Started, program: string): Promise<string> {
  const connection = dial(one.link.status().socket ?? "", { connection: ++asked });
  connection.write(`GET /${encodeURIComponent(program)} HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n`);
  return ((await textOf(connection)).split("\r\n\r\n")[1] ?? "").replaceAll(/^[0-9a-f]+\r\n|\r\n0\r\n$|\r\n$/g, "");
}

async function stop(one: Started): Promise<void> {
  running.delete(one);
  const socket = one.link.status().socket ?? "";
  one.link.send({ type: "stop", graceMs: 1_000, why: "the test is over" });
  await one.untilPhase("stopped");
  await until("its shim is gone", () => !existsSync(socket));
  one.link.close();
}

const logOf = async (one: Started): Promise<string> => (await one.logTexts()).join("\n");
const imageOf = ({ sandbox }: LaunchPlan): string => sandbox?.disk?.data.volume?.image ?? "";
const devicesOf = (made: LaunchPlan): string => execFileSync("losetup", ["-j", imageOf(made)], { encoding: "utf8" });

describe("the disk of a replica, with file systems of its own", asRoot, () => {
  test("/data and its layer refuse what is beyond their sizes, and its log says how to have more, once", async () => {
    const one = await start(plan());
    const { limits } = one.link.status();
    assert.equal(limits?.data?.by, "file-system");
    assert.ok((limits?.data?.bytes ?? 0) > 48 * mib && (limits?.data?.bytes ?? 0) <= 64 * mib, JSON.stringify(limits));
    assert.equal(limits?.disk?.by, "file-system");
    for (const file of ["/data/full", "/app/full", "/tmp/full"]) assert.equal(await ask(one, fill(file)), "ENOSPC");
    const text = await until("its log tells of all three", async () => {
      const all = await logOf(one);
      return ["/data is", "the disk of /app and /scratch is", "/tmp is"].every((place) => all.includes(place))
        ? all
        : undefined;
    });
    assert.match(text, /WAYBILL_APP_DATA_MB/);
    assert.match(text, /WAYBILL_APP_DISK_MB/);
    assert.equal(text.split("/data is").length, 2, text);
  });

  test("two replicas of a Space have one /data, and a third that comes later has what they left", async () => {
    const shared = { space: "alice/shared" };
    const [one, other] = [await start(plan(shared)), await start(plan(shared))];
    await ask(one, 'fs.writeFileSync("/data/kept", "by the first")');
    assert.equal(await ask(other, 'fs.readFileSync("/data/kept", "utf8")'), "by the first");
    await stop(one);
    await ask(other, 'fs.appendFileSync("/data/kept", ", by the second")');
    await stop(other);
    assert.equal(
      await ask(await start(plan(shared)), 'fs.readFileSync("/data/kept", "utf8")'),
      "by the first, by the second",
    );
  });

  test("what was deleted is the machine's again", async () => {
    const made = plan({ space: "alice/deletes" });
    const one = await start(made);
    await ask(one, fill("/data/large"));
    await ask(one, 'fs.rmSync("/data/large"); require("node:child_process").execSync("sync")');
    await until("the file takes little", () => statSync(imageOf(made)).blocks * 512 < 16 * mib);
  });

  test("a folder of an older version moves into it, whole and once, when no replica lives in the folder any more", async () => {
    const old = plan({ space: "alice/older", isUsed: true });
    const data = old.sandbox?.dataFolder ?? "";
    assert.equal(imageOf(old), "", "it stays a folder while one lives there");
    mkdirSync(join(data, "deep"));
    writeFileSync(join(data, "deep", "file"), "from before");
    const one = await start(plan({ space: "alice/older" }));
    assert.equal(await ask(one, 'fs.readFileSync("/data/deep/file", "utf8")'), "from before");
    await ask(one, 'fs.writeFileSync("/data/later", "kept")');
    await stop(one);
    assert.deepEqual(readdirSync(dirname(data)).toSorted(), ["data", "data.ext4"]);
    assert.deepEqual(readdirSync(data), []);
    assert.equal(
      await ask(await start(plan({ space: "alice/older" })), 'fs.readdirSync("/data").join()'),
      "deep,later",
    );
  });

  test("a move that a crash cut off is made again, or ended", async () => {
    const made = plan({ space: "alice/crash" });
    const data = made.sandbox?.dataFolder ?? "";
    mkdirSync(`${data}.moved`);
    writeFileSync(join(`${data}.moved`, "file"), "safe");
    writeFileSync(`${data}.ext4.new`, "half");
    const one = await start(made);
    assert.equal(await ask(one, 'fs.readFileSync("/data/file", "utf8")'), "safe");
    await stop(one);
    mkdirSync(`${data}.moved`);
    await start(plan({ space: "alice/crash" }));
    assert.equal(existsSync(`${data}.moved`), false);
  });

  test("a folder of many small files is moved whole; one for whose copy the disk has no room stays where it is", async () => {
    const made = plan({ space: "alice/many" });
    const data = made.sandbox?.dataFolder ?? "";
    for (let n = 0; n < 20_000; n++) writeFileSync(join(data, String(n)), "x");
    assert.equal(await ask(await start(made), 'fs.readdirSync("/data").length'), "20000");
    const low = plan({ space: "alice/low", disk: { ...diskLimits, reserveBytes: 2 ** 50 } });
    const kept = join(low.sandbox?.dataFolder ?? "", "kept");
    writeFileSync(kept, "kept");
    await assert.rejects(launch(low, tools), { code: "runtime/disk-low" });
    assert.equal(readFileSync(kept, "utf8"), "kept");
    assert.deepEqual(readdirSync(dirname(dirname(kept))), ["data"]);
  });

  test("a higher limit is there at the next start", async () => {
    const one = await start(plan({ space: "alice/grows" }));
    await ask(one, 'fs.writeFileSync("/data/kept", "kept")');
    await stop(one);
    await until("nobody has it", () => devicesOf(one.plan) === "");
    // As if the power had gone between the file's growing and the file system's.
    writeFileSync(`${imageOf(one.plan)}.grows`, "");
    truncateSync(imageOf(one.plan), 256 * mib);
    const later = await start(plan({ space: "alice/grows", disk: { ...diskLimits, dataBytes: 256 * mib } }));
    assert.ok((later.link.status().limits?.data?.bytes ?? 0) > 200 * mib, JSON.stringify(later.link.status().limits));
    assert.equal(await ask(later, 'fs.readFileSync("/data/kept", "utf8")'), "kept");
  });

  test("a higher limit is there at a start beside a running replica, for both, or at the next start alone", async () => {
    const disk = { ...diskLimits, dataBytes: 256 * mib };
    const sizeOf = async (of: Started): Promise<number> =>
      Number(await ask(of, '(({ blocks, bsize }) => blocks * bsize)(fs.statfsSync("/data"))'));
    const one = await start(plan({ space: "alice/grows-in-use" }));
    await ask(one, 'fs.writeFileSync("/data/kept", "kept")');
    const other = await start(plan({ space: "alice/grows-in-use", disk }));
    const sizes = [await sizeOf(one), await sizeOf(other)];
    assert.equal(sizes[0], sizes[1]);
    assert.equal(other.link.status().limits?.data?.bytes, sizes[1]);
    assert.equal((sizes[0] ?? 0) > 200 * mib, mayGrowMounted, `${sizes[0]} bytes`);
    assert.equal(existsSync(`${imageOf(one.plan)}.grows`), !mayGrowMounted);
    for (const each of [one, other]) await stop(each);
    await until("nobody has it", () => devicesOf(one.plan) === "");
    const last = await start(plan({ space: "alice/grows-in-use", disk }));
    assert.ok((await sizeOf(last)) > 200 * mib);
    assert.equal(await ask(last, 'fs.readFileSync("/data/kept", "utf8")'), "kept");
  });

  test("one that is damaged beyond repair, or cannot be mounted any more, is a failure with its code, and stays as it is", async () => {
    await stop(await start(plan({ space: "alice/damaged" })));
    const made = plan({ space: "alice/damaged" });
    await until("nobody has it", () => devicesOf(made) === "");
    writeFileSync(imageOf(made), "no file system");
    await assert.rejects(launch(made, tools), (error: Error & { code?: string }) => {
      assert.equal(error.code, "runtime/disk-failed", error.message);
      assert.match(error.message, /data\.ext4/);
      return true;
    });
    assert.ok(readFileSync(imageOf(made), "utf8") === "no file system");
    assert.throws(() => plan({ space: "alice/damaged", volumes: false }), { code: "runtime/disk-failed" });
  });

  test("nothing of them outlives a shim that is killed", async () => {
    const made = plan({ space: "alice/killed" });
    const one = await start(made);
    assert.notEqual(devicesOf(made), "");
    linuxProcesses().signal(readShim(made.folder) ?? { pid: 0, start: "" }, "SIGKILL");
    await until("its loop device is free", () => devicesOf(made) === "");
    running.delete(one);
  });

  test("an app that ends because its disk is full ends with that code; one that ends for another reason does not", async () => {
    const one = await start(plan({ space: "alice/dies" }));
    await ask(one, `setTimeout(() => ${fill("/data/full")})`);
    const { end } = await one.untilPhase("exited");
    assert.equal(end?.code, "app/disk-full", String(end?.says));
    assert.match(end?.says ?? "", /\/data is (?:9\d|100) % full.*WAYBILL_APP_DATA_MB.*ENOSPC/s);
    running.delete(one);
    const other = await start(plan({ space: "alice/dies" }));
    await ask(other, 'setTimeout(() => { throw new Error("of another kind"); })');
    assert.equal((await other.untilPhase("exited")).end?.code, "app/exit");
    running.delete(other);
  });
});

describe("the room that the machine's disk keeps free", asRoot, () => {
  test("below it an app that writes on is ended, and says whose fault that is; one that writes little goes on", async () => {
    const disk = { ...diskLimits, reserveBytes: Number.MAX_SAFE_INTEGER };
    const [quiet, loud] = [
      await start(plan({ space: "alice/quiet", disk })),
      await start(plan({ space: "alice/loud", disk })),
    ];
    for (const one of [quiet, loud]) await ask(one, 'fs.writeFileSync("/data/a", Buffer.alloc(1 << 20, 1))');
    void ask(loud, 'setInterval(() => fs.appendFileSync("/data/b", Buffer.alloc(1 << 20, 1)), 50)');
    const { end } = await loud.untilPhase("exited");
    assert.equal(end?.code, "runtime/disk-low", String(end?.says));
    assert.match(end?.says ?? "", /to stay free, and the app goes on writing/);
    running.delete(loud);
    assert.equal(await ask(quiet, 'fs.readdirSync("/data").join()'), "a");
  });

  test("what an app writes into blocks that it had beforehand counts too: the machine's disk had not given them", async () => {
    const space = "alice/beforehand";
    const before = await start(plan({ space }));
    await ask(before, 'execFileSync("fallocate", ["-l", "40M", "/data/b"]).length');
    assert.equal(await ask(before, 'fs.statSync("/data/b").size >> 20'), "40");
    await stop(before);
    const one = await start(plan({ space, disk: { ...diskLimits, reserveBytes: Number.MAX_SAFE_INTEGER } }));
    const piece = "fs.writeSync(to, Buffer.alloc(1 << 20, 1), 0, 1 << 20, (at++ % 40) << 20); fs.fsyncSync(to)";
    const opened = await ask(one, 'execFileSync("ls", ["-l", `/proc/${process.pid}/fd`]).toString()');
    assert.match(opened, /socket/);
    assert.doesNotMatch(opened, /ext4/, "its file systems' files are open to its shim alone");
    void ask(one, `{ let at = 0; const to = fs.openSync("/data/b", "r+"); setInterval(() => { ${piece} }, 50); }`);
    const { end } = await one.untilPhase("exited");
    assert.equal(end?.code, "runtime/disk-low", String(end?.says));
    running.delete(one);
  });
});

describe("the disk of a replica, where it can only be looked at", { skip }, () => {
  const looked = (space: string): LaunchPlan =>
    plan({ space, volumes: false, disk: { ...diskLimits, dataBytes: 8 * mib, layerBytes: 8 * mib } });
  const writes = (file: string, size: number): string =>
    `for (let n = 0; n < ${size}; n++) fs.appendFileSync("${file}", Buffer.alloc(1 << 20, 1))`;

  for (const [place, says] of [
    ["/data/much", /to \/data, where 8 MiB may be/],
    ["/app/much", /to the disk of \/app and \/scratch, where 8 MiB may be/],
  ] as const)
    test(`an app that writes more to ${place} than it may is ended with its code`, async () => {
      const one = await start(looked(`alice/looked${place.replaceAll("/", "-")}`));
      assert.deepEqual(one.link.status().limits?.data, { bytes: 8 * mib, by: "looking" });
      await ask(one, writes(place, 4));
      assert.equal(one.link.status().phase, "ready");
      void ask(one, writes(place, 8));
      const { end } = await one.untilPhase("exited");
      assert.equal(end?.code, "app/disk-full", String(end?.says));
      assert.match(end?.says ?? "", says);
      running.delete(one);
    });

  test("one that begins with more than it may runs, and may delete it", async () => {
    const made = looked("alice/begins-with-more");
    writeFileSync(join(made.sandbox?.dataFolder ?? "", "much"), Buffer.alloc(12 * mib, 1));
    const one = await start(made);
    await ask(one, 'fs.readdirSync("/data").join()');
    assert.equal(await ask(one, 'fs.readdirSync("/data").join()'), "much");
    void ask(one, writes("/data/more", 4));
    assert.equal((await one.untilPhase("exited")).end?.code, "app/disk-full");
    running.delete(one);
  });
});
