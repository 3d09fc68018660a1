import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Heap } from "./heap.ts";
import type { Held } from "./heap.ts";

test("a heap gives its values in order, whatever came, left or moved before", () => {
  const steps = fc.array(fc.tuple(fc.constantFrom("add", "add", "remove", "move"), fc.nat(50), fc.nat()));
  fc.assert(
    fc.property(steps, (run) => {
      const heap = new Heap<{ key: number }>((a, b) => a.key < b.key);
      const held: Held<{ key: number }>[] = [];
      for (const [what, key, which] of run) {
        const one = held[which % Math.max(1, held.length)];
        if (what === "add" || one === undefined) held.push(heap.add({ key }));
        else if (what === "remove") heap.remove(held.splice(held.indexOf(one), 1)[0] as typeof one);
        else {
          one.value.key = key;
          heap.moved(one);
        }
      }
      const sorted = held.map(({ value }) => value.key).sort((a, b) => a - b);
      assert.equal(heap.size, sorted.length);
      assert.deepEqual(
        Array.from(heap.inOrder(), ({ key }) => key),
        sorted,
      );
      assert.deepEqual(
        Array.from(sorted, () => heap.take()?.key),
        sorted,
      );
      assert.equal(heap.first, undefined);
    }),
  );
});
