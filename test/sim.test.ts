import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { journalSuite } from "../src/journal/journal.suite.ts";
import { Disk, openSimJournal } from "../sim/journal.ts";
import { mutants } from "../sim/mutants.ts";
import { runSeed } from "../sim/run.ts";
import { simulate } from "./support/sim.ts";

journalSuite("SimJournal, with its faults off", async () => {
  const disk = new Disk();
  const open = async () =>
    openSimJournal({
      disk,
      manners: { commitMs: () => 0, failure: () => undefined, left: () => ({ whole: 0, torn: false }) },
      now: () => 0,
      after: (_ms, run) => void setImmediate(run),
    });
  return { open, [Symbol.asyncDispose]: async () => {} };
});

describe("the simulator", () => {
  test("2,000 lives under faults of all kinds break no invariant, and each kind came", async () => {
    const { code, summary, said } = await simulate(["--seeds", "2000"]);
    assert.deepEqual([summary.failed, summary.never], [[], []], said);
    assert.equal(code, 0);
    assert.equal(summary.seeds, 2_000);
    const numbers = Array.from({ length: 40 }, (_, at) => `L${at + 1}`);
    assert.deepEqual(
      numbers.filter((name) => !summary.invariantsChecked[name]),
      [],
    );
  });

  test("the same seed lives the same life, step by step", async () => {
    assert.deepEqual(await runSeed(4), await runSeed(4));
  });

  test("every planted bug can still be planted: what it rewrites stands in its file once", () => {
    const lost = mutants.filter(({ file, from }) => {
      const source = readFileSync(join(import.meta.dirname, "..", "src", file), "utf8");
      return source.split(from).length !== 2;
    });
    assert.deepEqual(
      lost.map(({ name }) => name),
      [],
    );
    assert.ok(mutants.length >= 40);
    assert.equal(new Set(mutants.map(({ name }) => name)).size, mutants.length);
  });

  test("a planted bug is caught by its invariant's number, in a seed that repeats it", async () => {
    const names = ["acknowledge-before-sync", "living-worker-is-forgotten", "agent-takes-any-fence"];
    const { code, summary } = await simulate([...names.flatMap((name) => ["--mutant", name]), "--seeds", "100"]);
    assert.deepEqual(
      summary.mutants?.map(({ name, invariant }) => [name, invariant]),
      [
        ["acknowledge-before-sync", "L28"],
        ["living-worker-is-forgotten", "L22"],
        ["agent-takes-any-fence", "L19"],
      ],
    );
    assert.equal(code, 0);
  });

  test("a run says first what it will do, and knows no fault that there is not", async () => {
    const { said } = await simulate(["--seeds", "2", "--seed", "5"]);
    assert.match(said, /^sim: seeds 5 to 6, /);
    const wrong = await simulate(["--without", "bad-weather"]);
    assert.equal(wrong.code, 2);
    assert.match(wrong.said, /--without knows serverCrash, /);
  });
});
