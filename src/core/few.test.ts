import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { FewMap, FewSet } from "./few.ts";

describe("a map and a set for few", () => {
  test("say what a Map and a Set say, whatever is put into them", () => {
    const key = fc.constantFrom(undefined, "a", "b", "c");
    fc.assert(
      fc.property(fc.array(fc.record({ key, value: fc.nat(3) })), (entries) => {
        const [few, fewKeys, map, keys] = [new FewMap(), new FewSet(), new Map(), new Set()];
        for (const { key: at, value } of [...entries, { key: "d", value: 0 }]) {
          for (const asked of [undefined, "a", "b", "c", "d"]) {
            assert.equal(few.get(asked), map.get(asked));
            assert.equal(few.has(asked), map.has(asked));
            assert.equal(fewKeys.has(asked), keys.has(asked));
          }
          assert.deepEqual([few.size, [...few], [...few.values()]], [map.size, [...map], [...map.values()]]);
          assert.deepEqual([fewKeys.size, [...fewKeys]], [keys.size, [...keys]]);
          few.set(at, value);
          map.set(at, value);
          fewKeys.add(at);
          keys.add(at);
        }
      }),
    );
  });
});
