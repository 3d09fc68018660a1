import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { attemptOutcomes } from "../../contract/webhooks.ts";
import type { AttemptOutcome } from "../../contract/webhooks.ts";
import { instant } from "../../stdx/time.ts";
import { failsAtMostMs, followsFrom, pauseAfter, retryAfterMs, retryDelaysMs } from "./retries.ts";
import type { Follows, Try, Tried } from "./retries.ts";

const now = instant(Date.UTC(2026, 10, 30, 12));
const busy: Try = { outcome: "answered", status: 503, detail: "", retryAfterMs: null };
const follows = (one: Partial<Try>, tried: Partial<Tried> = {}): Follows =>
  followsFrom({ ...busy, ...one }, { tries: 0, failingSince: null, now, chance: 0, ...tried });

describe("what follows from a try", () => {
  test("any 2xx ends it, and the webhook's failures with it", () => {
    assert.deepEqual(follows({ outcome: "delivered", status: 204 }, { tries: 4, failingSince: instant(1) }), {
      delivery: { state: "delivered", dueAt: null, endedAt: now, says: "it was answered by 204" },
      ...{ failingSince: null, off: null },
    });
  });

  test("ten tries are spread over three days as the specification advises, and the tenth is the last", () => {
    const waits = retryDelaysMs.map((_delay, tries) => (follows({}, { tries }).delivery.dueAt ?? now) - now);
    assert.deepEqual(waits, retryDelaysMs);
    assert.equal(
      waits.reduce((sum, wait) => sum + wait, 0),
      (75 * 3_600 + 35 * 60 + 5) * 1_000,
    );
    const { delivery } = follows({}, { tries: 9 });
    assert.deepEqual(delivery, {
      ...{ state: "failed", dueAt: null, endedAt: now },
      says: "given up after 10 tries: it was answered by 503",
    });
  });

  test("chance makes a wait longer by a fifth at most, and never shorter", () => {
    fc.assert(
      fc.property(fc.nat(8), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (tries, chance) => {
        const wait = (follows({}, { tries, chance }).delivery.dueAt ?? now) - now;
        const delay = retryDelaysMs[tries] ?? 0;
        assert(wait >= delay && wait <= delay * 1.2);
      }),
    );
  });

  test("a receiver that says when to come back is not asked before, up to a day", () => {
    const wait = (ms: number) => (follows({ status: 429, retryAfterMs: ms }).delivery.dueAt ?? now) - now;
    assert.deepEqual([wait(90_000), wait(1), wait(10 * 86_400_000)], [90_000, 5_000, 86_400_000]);
  });

  test("410 ends it at once and switches the webhook off", () => {
    const { delivery, off } = follows({ outcome: "gone", status: 410 });
    assert.deepEqual([delivery.state, off], ["failed", "it was answered by 410"]);
  });

  test("a webhook of which no try went well for three days is switched off at the try that finds it so", () => {
    const tried = (ms: number) => follows({}, { failingSince: instant(now - ms) });
    assert.equal(tried(failsAtMostMs - 1).off, null);
    assert.match(tried(failsAtMostMs).off ?? "", /^no try since 2026-11-27T12:00:00.000Z went well; the last: .*503$/);
    assert.equal(follows({}).failingSince, now);
  });

  test("each outcome has its row: what is told, and whether it is tried again", () => {
    const table: Record<AttemptOutcome, [status: number | null, state: string, says: string]> = {
      delivered: [200, "delivered", "it was answered by 200"],
      answered: [500, "waiting", "it was answered by 500"],
      redirected: [302, "waiting", "it was answered by 302; redirects are not followed"],
      gone: [410, "failed", "it was answered by 410"],
      unresolved: [null, "waiting", attemptOutcomes.unresolved],
      denied: [null, "waiting", attemptOutcomes.denied],
      unconnected: [null, "waiting", attemptOutcomes.unconnected],
      untrusted: [null, "waiting", attemptOutcomes.untrusted],
      late: [null, "waiting", attemptOutcomes.late],
      broken: [null, "waiting", attemptOutcomes.broken],
    };
    for (const [outcome, [status, state, says]] of Object.entries(table)) {
      const { delivery } = follows({ outcome: outcome as AttemptOutcome, status });
      assert.deepEqual([delivery.state, delivery.says], [state, says]);
    }
    assert.equal(
      follows({ outcome: "unresolved", status: null, detail: "ENOTFOUND" }).delivery.says,
      "the name could not be resolved (ENOTFOUND)",
    );
  });

  test("after failures in a row the webhook's other deliveries wait longer and longer, up to five minutes", () => {
    assert.deepEqual([0, 1, 2, 3, 7, 50].map(pauseAfter), [0, 5_000, 10_000, 20_000, 300_000, 300_000]);
  });
});

describe("Retry-After", () => {
  test("is read as seconds and as a date, and as nothing where it is neither", () => {
    const read = (text: string) => retryAfterMs(text, now);
    assert.deepEqual(
      [read("120"), read("Mon, 30 Nov 2026 12:01:00 GMT"), read("Mon, 30 Nov 2026 11:00:00 GMT")],
      [120_000, 60_000, 0],
    );
    assert.deepEqual([read("soon"), read("-1"), read("1e9"), read("")], [null, null, null, null]);
    assert.equal(retryAfterMs(undefined, now), null);
  });
});
