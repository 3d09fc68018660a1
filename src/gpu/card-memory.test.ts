import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CardMemory } from "./card-memory.ts";

const uuid = "GPU-a";
const device = { index: 0, uuid, name: "NVIDIA L4", slots: 1, simulated: false, memoryMiB: 20_000 };
const ours = 7;
const has = (pid: number, memoryMiB: number | null) => ({ pid, cards: [uuid], program: "python3", memoryMiB });

/** A card that 4 MiB of are used while nobody is there; 5 % of it are within what is not told from them. */
function memory() {
  const card = new CardMemory([device]);
  const look = (mib: number, ...processes: readonly ReturnType<typeof has>[]): number | null => {
    const used = new Map([[uuid, mib]]);
    card.learn(used, processes, (pid) => pid === ours);
    return card.excess(uuid, used, processes);
  };
  look(4);
  return { card, look };
}

describe("what of a card's memory nobody has", () => {
  test("is too much when it is more than 5 % of the card above what it was with none of ours there", () => {
    const { look } = memory();
    const left = (mib: number): number | null => {
      look(9_004, has(ours, 9_000));
      return look(mib);
    };
    assert.deepEqual([left(1_004), left(1_005), left(9_004), left(4)], [0, 1, 8_000, 0]);
  });

  test("follows what comes while none of ours is there, and not what one of ours left", () => {
    const { look } = memory();
    assert.equal(look(6_004), 0);
    look(15_004, has(ours, 9_000));
    assert.equal(look(6_904), 0);
    // Nine hundred each time are little; together they are told.
    look(15_904, has(ours, 9_000));
    assert.equal(look(7_804), 800);
  });

  test("is less again when what was there has gone", () => {
    const { look } = memory();
    look(6_004);
    look(4);
    look(9_004, has(ours, 9_000));
    assert.equal(look(6_004), 5_000);
  });

  test("is no less for a stranger that came between the figures and the list of processes", () => {
    const { look } = memory();
    look(4, has(1, 8_000));
    look(17_004, has(1, 8_000), has(ours, 9_000));
    assert.equal(look(8_004, has(1, 8_000)), 0);
  });

  test("is not what a stranger has, and unknown where the driver does not say how much that is", () => {
    const { look } = memory();
    assert.equal(look(8_004, has(1, 8_000)), 0);
    assert.equal(look(8_004, has(1, null)), null);
  });

  test("is not known before a look that found none of ours", () => {
    const card = new CardMemory([device]);
    card.learn(new Map([[uuid, 9_004]]), [has(ours, 9_000)], () => true);
    assert.ok(!card.isWaitedFor(uuid));
    card.learn(new Map([[uuid, 4]]), [], () => true);
    assert.ok(card.isWaitedFor(uuid));
  });

  test("is held against its card until it is back, or an operator has seen to it", () => {
    const { card, look } = memory();
    look(9_004, has(ours, 9_000));
    card.hold(uuid, new Map([[uuid, 9_004]]), [], 10_000);
    assert.ok(!card.isWaitedFor(uuid));
    look(9_004);
    assert.equal(card.held.size, 1);
    look(4);
    assert.equal(card.held.size, 0);
    card.hold(uuid, new Map([[uuid, 9_004]]), [], 10_000);
    card.forget();
    assert.equal(look(9_004), 0);
    assert.equal(card.held.size, 0);
  });
});
