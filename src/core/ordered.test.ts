import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Ordered } from "./ordered.ts";
import type { Place } from "./ordered.ts";

test("values come in order, whether they came in order or not, and whatever left or moved before", () => {
  const steps = fc.array(fc.tuple(fc.constantFrom("next", "next", "add", "remove", "move"), fc.nat(50), fc.nat()));
  fc.assert(
    fc.property(steps, (run) => {
      const values = new Ordered<{ key: number }>((a, b) => a.key < b.key);
      const places: Place<{ key: number }>[] = [];
      let latest = 0;
      for (const [what, key, which] of run) {
        const one = places[which % Math.max(1, places.length)];
        if (what === "next") places.push(values.add({ key: (latest += key) }));
        else if (what === "add" || one === undefined) places.push(values.add({ key }));
        else if (what === "remove") values.remove(places.splice(places.indexOf(one), 1)[0] as typeof one);
        else {
          one.value.key = key;
          values.moved(one);
        }
        const sorted = places.map(({ value }) => value.key).sort((a, b) => a - b);
        assert.equal(values.first?.key, sorted[0]);
        assert.deepEqual(
          Array.from(values.inOrder(), (each) => each.key),
          sorted,
        );
      }
    }),
  );
});
