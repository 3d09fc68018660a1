import assert from "node:assert/strict";
import { describe, test } from "node:test";

import fc from "fast-check";

import { addNumber, missing } from "./spans.ts";
import type { Span } from "./spans.ts";

describe("spans", () => {
  test("hold exactly the numbers added, in whatever order they come, as few spans as possible", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 })), (numbers) => {
        const spans = numbers.reduce<readonly Span[]>(addNumber, []);
        const held = spans.flatMap(([first, last]) =>
          Array.from({ length: last - first + 1 }, (_, index) => first + index),
        );
        assert.deepEqual(
          held,
          [...new Set(numbers)].sort((a, b) => a - b),
        );
        assert.ok(spans.every(([first], index) => index === 0 || first > (spans[index - 1]?.[1] ?? 0) + 1));
      }),
    );
  });

  test("a number held already changes nothing, and the same array says so", () => {
    const spans: readonly Span[] = [
      [1, 3],
      [7, 9],
    ];
    assert.equal(addNumber(spans, 8), spans);
  });

  test("what lies between is missing, from 1 on", () => {
    assert.deepEqual(
      missing([
        [3, 4],
        [6, 6],
      ]),
      [
        [1, 2],
        [5, 5],
      ],
    );
    assert.deepEqual(missing([[1, 9]]), []);
  });
});
