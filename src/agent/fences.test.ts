import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { FenceFile, Fences } from "./fences.ts";

function inFolder(task: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "wb-fences-"));
  try {
    task(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A `Fences` that ends as a killed process does: nothing is said at the end. */
function reopened(folder: string, before: Fences): Fences {
  before.close();
  return new Fences(new FenceFile(folder));
}

describe("Fences", () => {
  test("L19: a lower fence is refused, the same one again is not, also after a restart", () => {
    inFolder((folder) => {
      const fences = new Fences(new FenceFile(folder));
      assert.ok(fences.admit(["n1/0/0", "n1/0/1"], 5));
      assert.ok(fences.admit(["n1/0/0"], 5));
      assert.ok(!fences.admit(["n1/0/0"], 4));
      const later = reopened(folder, fences);
      assert.ok(!later.admit(["n1/0/1"], 4));
      assert.ok(later.admit(["n1/0/1"], 5));
      later.close();
    });
  });

  test("L19: whatever the order and the restarts, nothing passes below the highest of its slots", () => {
    const operation = fc.record({
      slots: fc.uniqueArray(fc.constantFrom("a", "b", "c"), { minLength: 1 }),
      fence: fc.nat(10),
      restart: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 30 }), (operations) =>
        inFolder((folder) => {
          let fences = new Fences(new FenceFile(folder));
          const highest: Record<string, number> = {};
          for (const { slots, fence, restart } of operations) {
            if (restart) fences = reopened(folder, fences);
            const due = slots.every((slot) => fence >= (highest[slot] ?? 0));
            assert.equal(fences.admit(slots, fence), due);
            if (due) for (const slot of slots) highest[slot] = fence;
          }
          fences.close();
        }),
      ),
      { numRuns: 30 },
    );
  });

  test("a torn last line is left out; what came before it holds", () => {
    inFolder((folder) => {
      const fences = new Fences(new FenceFile(folder));
      fences.admitGrant({ call: "c_1", slots: ["a"], fence: 7, number: 3 });
      appendFileSync(join(folder, "fences.jsonl"), '{"grants":9,"slo');
      const later = reopened(folder, fences);
      assert.deepEqual([later.highest("a"), later.tookGrants], [7, 3]);
      later.close();
    });
  });

  test("a withdrawal of an older lease of the slot is refused, one of the newest passes", () => {
    inFolder((folder) => {
      const fences = new Fences(new FenceFile(folder));
      fences.admitGrant({ call: "c_1", slots: ["a"], fence: 1, number: 1 });
      assert.ok(fences.admitWithdrawal("c_1", 1));
      fences.admitGrant({ call: "c_2", slots: ["a"], fence: 2, number: 2 });
      assert.ok(!fences.admitWithdrawal("c_1", 1));
      assert.ok(fences.admitWithdrawal("c_2", 2));
      assert.ok(fences.admitWithdrawal("c_unheard", 1));
      fences.close();
    });
  });
});
