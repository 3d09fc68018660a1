import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seenIn } from "./card-processes.ts";
import { Strays } from "./strays.ts";

const card = (uuid: string, instanceOf?: string) => ({
  index: 0,
  uuid,
  name: "NVIDIA H100",
  slots: 1,
  simulated: false,
  ...(instanceOf !== undefined && { instanceOf }),
});
const devices = [card("GPU-a"), card("MIG-b-0", "GPU-b"), card("MIG-b-1", "GPU-b")];
// Composed from the documented fields of `--query-compute-apps`.
const listed = (...lines: readonly string[]) => seenIn({ ok: true, lines, asked: [] }, devices, null);

describe("a list of the cards' processes", () => {
  test("names process, card, program and memory; cards that are not the node's are left out", () => {
    const { processes } = listed("4121, GPU-a, 518 MiB, /opt/my, own/python3", "7, GPU-z, 4 MiB, x");
    assert.deepEqual(processes, [{ pid: 4_121, cards: ["GPU-a"], program: "python3", memoryMiB: 518 }]);
  });

  test("of a divided card: the instance that is listed, or any where only the card is", () => {
    const { processes } = listed("1001, MIG-b-1, [N/A], a", "1002, GPU-b, [Insufficient Permissions], b");
    assert.deepEqual(
      processes?.map(({ cards, memoryMiB }) => [cards, memoryMiB]),
      [
        [["MIG-b-1"], null],
        [["MIG-b-0", "MIG-b-1"], null],
      ],
    );
  });

  test("one that cannot be read, or names others than the machine's own processes, is none, and says so", () => {
    assert.equal(listed("[N/A], GPU-a, 1 MiB, a").unseen, "not a process: [N/A], GPU-a, 1 MiB, a");
    assert.equal(seenIn({ ok: false, absent: false, says: "no NVML" }, devices, null).unseen, "no NVML");
    assert.equal(
      seenIn({ ok: true, lines: ["5, GPU-a, 1 MiB, a"], asked: [] }, devices, "a container").processes,
      null,
    );
  });
});

describe("who is on a card without a lease", () => {
  const one = { pid: 5, start: "9", cards: ["GPU-a"] };
  const never = () => false;

  test("is named at the second look that is a second or more after the first, and once", () => {
    const strays = new Strays();
    assert.deepEqual(strays.after([one], never, 0), []);
    assert.deepEqual(strays.after([one], never, 999), []);
    assert.deepEqual(strays.after([one], never, 1_000), [one]);
    assert.deepEqual(strays.after([one], never, 1_500), []);
  });

  test("is found anew where a look between did not find it, or it might be there then, or it is another process", () => {
    for (const between of [[], [{ ...one, start: "10" }], [{ ...one, cards: ["GPU-b"] }]]) {
      const strays = new Strays();
      strays.after([one], never, 0);
      strays.after(between, never, 5_000);
      assert.deepEqual(strays.after([one], never, 10_000), []);
    }
    const strays = new Strays();
    strays.after([one], never, 0);
    strays.after([one], () => true, 5_000);
    assert.deepEqual(strays.after([one], never, 10_000), []);
  });
});
