import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { behindMax, closeIncident, detect, detectionOf, isFailing, noted, notesMax, patience } from "./incidents.ts";
import type { Condition, Detection, Incident, Wrong } from "./incidents.ts";

const lookMs = 10_000;
const wrongs: Readonly<Record<Wrong, Condition>> = {
  failures: condition("failures/route", "failures"),
  "node-lost": condition("node/n1", "node-lost"),
  "card-trouble": condition("card/n1/0", "card-trouble"),
  drain: { ...condition("drain/n1", "drain"), planned: true },
  "evidence-behind": condition("evidence/n1", "evidence-behind"),
  journal: condition("journal", "journal"),
};

function condition(subject: string, wrong: Wrong): Condition {
  return { subject, boundary: "route", wrong, planned: false, says: "", since: null, counts: null, behind: [] };
}

/** Looks, one every ten seconds: what each saw. */
class Looking {
  detection: Detection = detectionOf([], []);
  now = 0;
  #ids = 0;
  readonly told: string[] = [];
  readonly all: Incident[] = [];

  look(...seen: readonly Condition[]): this {
    const { after, changed } = detect(this.detection, seen, this.now, () => `i_${++this.#ids}`);
    this.detection = after;
    for (const incident of changed) {
      this.all.push(incident);
      const isNew = !this.all.slice(0, -1).some(({ id }) => id === incident.id);
      if (isNew || incident.until !== null)
        this.told.push(`${isNew ? "open" : "close"} ${incident.id} at ${this.now / 1000} s`);
    }
    this.now += lookMs;
    return this;
  }

  /** The same look for so long. */
  for(ms: number, ...seen: readonly Condition[]): this {
    const end = this.now + ms;
    while (this.now < end) this.look(...seen);
    return this;
  }
}

describe("detection opens and closes", () => {
  /** Seen for ten minutes, then gone: what is told. */
  const rows: Readonly<Record<Wrong, readonly string[]>> = {
    failures: ["open i_1 at 0 s", "close i_1 at 900 s"],
    "node-lost": ["open i_1 at 30 s", "close i_1 at 660 s"],
    "card-trouble": ["open i_1 at 0 s", "close i_1 at 660 s"],
    drain: ["open i_1 at 0 s", "close i_1 at 600 s"],
    "evidence-behind": ["open i_1 at 30 s", "close i_1 at 660 s"],
    journal: ["open i_1 at 0 s", "close i_1 at 660 s"],
  };
  for (const [wrong, told] of Object.entries(rows))
    test(`${wrong}: ${told.join(", ")}`, () => {
      const looking = new Looking().for(600_000, wrongs[wrong as Wrong]).for(600_000);
      assert.deepEqual(looking.told, told);
    });

  test("a node that is back before it is waited out was never lost", () => {
    const looking = new Looking().for(30_000, wrongs["node-lost"]).for(120_000);
    assert.deepEqual(looking.told, []);
  });

  test("what is gone for a moment and seen again is one incident", () => {
    const looking = new Looking();
    for (let n = 0; n < 10; n += 1) looking.for(60_000, wrongs.failures).for(120_000);
    assert.deepEqual(looking.told, ["open i_1 at 0 s"]);
  });

  test("no subject opens and closes faster than its patience, whatever is seen", () => {
    const kinds = Object.keys(wrongs).filter((wrong) => wrong !== "drain") as Wrong[];
    const looks = fc.array(fc.subarray(kinds), { maxLength: 200 });
    fc.assert(
      fc.property(looks, (seen) => {
        const looking = new Looking();
        const last = new Map<string, number>();
        for (const some of seen) {
          const before = looking.detection.open;
          looking.look(...some.map((wrong) => wrongs[wrong]));
          const at = looking.now - lookMs;
          for (const wrong of kinds) {
            const { subject } = wrongs[wrong];
            const [was, is] = [before.has(subject), looking.detection.open.has(subject)];
            if (was === is) continue;
            const waits = is ? patience[wrong].openMs : patience[wrong].closeMs;
            assert.ok(at - (last.get(subject) ?? -waits) >= waits, `${subject} changed too soon`);
            last.set(subject, at);
          }
        }
        const open = [...looking.detection.open.values()];
        assert.ok(open.every(({ until }) => until === null));
        assert.equal(
          new Set(looking.all.map(({ id }) => id)).size,
          looking.told.filter((s) => s.startsWith("open")).length,
        );
      }),
    );
  });
});

describe("an incident", () => {
  test("is told anew where something else is known of it, and only then", () => {
    const looking = new Looking().for(30_000, wrongs.failures);
    assert.equal(looking.all.length, 1);
    const more = { ...wrongs.failures, counts: { works: 10, failed: 6 }, behind: ["q_1", "q_2"] };
    looking
      .look(more)
      .look(more)
      .look({ ...more, behind: ["q_3", "q_1"] });
    assert.deepEqual(
      looking.all.map(({ behind }) => behind),
      [[], ["q_1", "q_2"], ["q_3", "q_1", "q_2"]],
    );
    assert.deepEqual(looking.all.at(-1)?.counts, { works: 10, failed: 6 });
  });

  test("keeps a bounded number of works and of notes, the newest", () => {
    const looking = new Looking();
    for (let n = 0; n < 50; n += 1) looking.look({ ...wrongs.failures, behind: [`q_${n}`] });
    let last = looking.all.at(-1);
    assert.ok(last);
    assert.deepEqual([last.behind.length, last.behind[0]], [behindMax, "q_49"]);
    for (let at = 0; at < notesMax + 5; at += 1) last = noted(last, { at, by: "admin", says: "" });
    assert.deepEqual([last.notes.length, last.notes[0]?.at], [notesMax, 5]);
  });

  test("that an operator closed is not opened again before it was gone", () => {
    const looking = new Looking().for(60_000, wrongs.failures);
    const { after, closed } = closeIncident(looking.detection, "failures/route", { by: "admin", now: looking.now });
    assert.deepEqual([closed?.closedBy, closed?.until], ["admin", 60_000]);
    looking.detection = after;
    looking.for(60_000, wrongs.failures);
    assert.deepEqual(looking.told, ["open i_1 at 0 s"]);
    looking.look().look(wrongs.failures);
    assert.deepEqual(looking.told, ["open i_1 at 0 s", "open i_2 at 130 s"]);
    assert.equal(closeIncident(looking.detection, "node/n9", { by: "admin", now: 0 }).closed, undefined);
  });

  test("is found again after a restart, and what an operator closed stays closed", () => {
    const open = new Looking().look(wrongs.failures).all;
    const looking = new Looking();
    looking.detection = detectionOf(open, ["card/n1/0"]);
    looking.for(30_000, wrongs.failures, wrongs["card-trouble"]);
    assert.deepEqual(looking.all, []);
    looking.for(600_000);
    assert.deepEqual(
      looking.all.map(({ id, until, closedBy }) => [id, until, closedBy]),
      [["i_1", 330_000, "detection"]],
    );
  });
});

describe("isFailing", () => {
  const of = (works: number, platform: number) => ({ works, failedBy: { platform, app: 0, visitor: 0, outside: 0 } });
  const rows: readonly (readonly [works: number, platform: number, isOpen: boolean, failing: boolean])[] = [
    [0, 0, false, false],
    [100, 4, false, false],
    [9, 9, false, false],
    [10, 5, false, true],
    [100, 5, false, true],
    [101, 5, false, false],
    [1_000, 49, false, false],
    [1_000, 10, true, true],
    [1_000, 9, true, false],
    [0, 0, true, false],
    [5, 1, true, true],
  ];
  for (const [works, platform, isOpen, failing] of rows)
    test(`${platform} of ${works} by the platform's fault, ${isOpen ? "open" : "not open"}: ${failing}`, () =>
      assert.equal(isFailing(of(works, platform), isOpen), failing));
});
