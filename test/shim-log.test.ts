/** What becomes of an app's output: by a real shim, whatever the app prints and however it ends. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { LogLine } from "../src/contract/agent.ts";
import { readShim } from "../src/runtime/folder.ts";
import { lineMaxChars } from "../src/log/lines.ts";
import { bench, until, type Started } from "./support/replicas.ts";

async function logOf({ link }: Started): Promise<readonly LogLine[]> {
  const lines: LogLine[] = [];
  for (let next = 1, more: boolean | undefined = true; more;) {
    const part = await link.readLog(next, 1_000);
    lines.push(...part.lines);
    ({ next, more } = part);
  }
  return lines;
}

/** The app's own lines when it has ended. */
async function printed(app: string): Promise<readonly string[]> {
  await using world = bench();
  const one = await world.start({ "app.js": app });
  await one.untilPhase("exited");
  return (await logOf(one)).filter(({ source }) => source === "app").map(({ text }) => text);
}

function pssKb(pid: number): number {
  return Number(/^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1]);
}

describe("an app's log", () => {
  test("of a flood of 200 MB a little is stored, a line says what is left out, and the last words are there", async () => {
    await using world = bench();
    const app = `
      const { writeSync } = require("node:fs");
      const all = (bytes) => { for (let at = 0; at < bytes.length;) try { at += writeSync(1, bytes, at); } catch (error) { if (error.code !== "EAGAIN") throw error; } };
      const block = Buffer.from("spam and spam and spam\\n".repeat(40_000));
      for (let left = 200e6; left > 0; left -= block.length) all(block);
      all(Buffer.from("the last words"));
      process.kill(process.pid, "SIGKILL");`;
    const one = await world.start({ "app.js": app });
    const shim = readShim(one.plan.folder)?.pid ?? 0;
    const before = pssKb(shim);
    let most = 0;
    await until("the app has ended", () => {
      most = Math.max(most, one.link.status().phase === "exited" ? 0 : pssKb(shim));
      return one.link.status().phase === "exited";
    });
    const lines = await logOf(one);
    const bytes = readdirSync(one.plan.folder)
      .filter((name) => name.startsWith("log."))
      .reduce((sum, name) => sum + statSync(join(one.plan.folder, name)).size, 0);
    const leftOut = lines.filter(({ text }) => /^[\d,]+ lines \([\d,]+ bytes\) are left out here/.test(text));
    const count = leftOut.reduce((sum, { text }) => sum + Number(text.split(" ")[0]?.replaceAll(",", "")), 0);
    const app23 = lines.filter(({ source, text }) => source === "app" && text.startsWith("spam")).length;
    const total = Math.ceil(200e6 / (23 * 40_000)) * 40_000;
    // A line that the flood cut in two is stored by half, and counted.
    assert.ok(Math.abs(count + app23 - total) <= leftOut.length, `${count} left out and ${app23} stored, of ${total}`);
    assert.equal(lines.findLast(({ source }) => source === "app")?.text, "the last words");
    assert.ok(bytes < 17 << 20, `${bytes} bytes on disk`);
    assert.match(one.link.status().end?.says ?? "", /SIGKILL.*the last words/);
    assert.ok(most - before < 40_000, `the shim grew from ${before} to ${most} kB`);
  });

  test("a line of a megabyte is clipped with a mark, and what comes after it is there", async () => {
    const [long = "", after] = await printed(`console.log("x".repeat(1_000_000)); console.log("after");`);
    assert.equal(long, `${"x".repeat(lineMaxChars)} … 983,616 more characters of this line are left out`);
    assert.equal(after, "after");
  });

  test("colours, progress bars, binary bytes and a missing newline are kept as lines", async () => {
    const lines = await printed(`
      process.stdout.write("\\u001b[31mred\\u001b[0m\\n10%\\r100%\\n");
      process.stdout.write(Buffer.from([0, 1, 0xff, 0xfe, 0x0a]));
      process.stdout.write("no newline");`);
    assert.deepEqual(lines, ["\u001b[31mred\u001b[0m", "10%\r100%", "\u0000\u0001\ufffd\ufffd", "no newline"]);
  });
});
