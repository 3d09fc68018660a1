import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Intake, type IntakeLimits } from "./intake.ts";
import { maskOf, type Mask } from "./mask.ts";

const small: IntakeLimits = { burstBytes: 10_000, bytesPerSecond: 1_000, newestBytes: 50 };

/** An intake with a clock by hand; what it gave is in `given`. */
function intake({ mask, limits = small }: { mask?: Mask; limits?: IntakeLimits } = {}) {
  const given: string[] = [];
  const clock = { now: 0, monotonic: () => clock.now };
  const made = new Intake({
    clock,
    limits,
    ...(mask ? { mask } : {}),
    lines: (stream, texts) => given.push(...texts.map((text) => `${stream} ${text}`)),
    note: (text) => given.push(`note ${text}`),
  });
  return { given, clock, intake: made, print: (text: string) => made.push("out", Buffer.from(text)) };
}

describe("Intake", () => {
  test("what a program prints within its burst comes line by line, at once", () => {
    const { given, print } = intake();
    print("a\nb\n");
    assert.deepEqual(given, ["out a", "out b"]);
  });

  test("a line without a newline is seen at the second tick, and its rest is a line of its own", () => {
    const { given, intake: it, print } = intake();
    print("name? ");
    it.tick();
    assert.deepEqual(given, []);
    it.tick();
    print("bob\n");
    assert.deepEqual(given, ["out name? ", "out bob"]);
  });

  test("of a flood the beginning and the newest stay, and one line says how much is left out between them", () => {
    const { given, clock, intake: it, print } = intake();
    for (let i = 0; i < 1_000; i++) print(`line ${i}\n`);
    const before = given.length;
    assert.ok(before > 90 && before < 110, `${before} lines fit into the burst`);
    clock.now = 1_000;
    it.tick();
    const [note = "", ...newest] = given.slice(before);
    const lines = Number(/^note ([\d,]+) lines \([\d,]+ bytes\) are left out here/.exec(note)?.[1]?.replace(",", ""));
    assert.equal(before + lines + newest.length, 1_000, "every line is there or counted");
    assert.equal(newest.at(-1), "out line 999");
  });

  test("a flood that goes on is told once a tick, and takes no more than the rate", () => {
    const { given, clock, intake: it, print } = intake();
    for (let second = 1; second <= 20; second++) {
      for (let i = 0; i < 1_000; i++) print("again\n");
      clock.now = second * 1_000;
      it.tick();
    }
    const notes = given.filter((text) => text.startsWith("note"));
    assert.ok(notes.length >= 10 && notes.length <= 20, `${notes.length} notes`);
    const bytes = (given.length - notes.length) * (6 + 90);
    assert.ok(bytes <= small.burstBytes + 21 * small.bytesPerSecond, `${bytes} bytes`);
  });

  test("the last words of a program that floods are there at its end, whatever the rate", () => {
    const { given, intake: it, print } = intake();
    for (let i = 0; i < 1_000; i++) print("again\n");
    print("Error: out of luck");
    it.end("out");
    assert.equal(given.at(-1), "out Error: out of luck");
  });

  test("a line that the flood cut off stays cut, and no half line follows the gap", () => {
    const { given, clock, intake: it, print } = intake();
    print("x".repeat(9_990));
    print(`${"y".repeat(200)}\nwhole\n`);
    clock.now = 10_000;
    it.tick();
    assert.deepEqual(given.at(-1), "out whole");
    assert.equal(given.filter((text) => text.startsWith("out y")).length, 0);
  });

  test("a secret across the edge of what a flood left out is not shown by half", () => {
    const { given, intake: it, print } = intake({ mask: maskOf({ KEY: "0123456789" }) });
    print("x".repeat(10_000));
    print(`${"z".repeat(95)}0123456789${"z".repeat(45)}`);
    it.end("out");
    assert.ok(!given.join("\n").includes("56789"), given.join("\n"));
  });

  test("two streams share one rate, and each keeps its own newest", () => {
    const { given, intake: it, print } = intake();
    for (let i = 0; i < 500; i++) print("again\n");
    for (let i = 0; i < 500; i++) it.push("err", Buffer.from("also\n"));
    it.end("out");
    it.end("err");
    assert.ok(given.includes("out again") && given.at(-1) === "err also");
    assert.equal(given.filter((text) => text.startsWith("note")).length, 2);
  });
});
