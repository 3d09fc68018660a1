/** What every journal must do. Each implementation's test file calls this. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { LedgerRecord } from "../core/record.ts";
import type { Instant } from "../stdx/time.ts";
import type { Journal } from "./port.ts";
import { genesisHash } from "./port.ts";

/** One place where records live; it can be opened again and again, by one at a time. */
export interface Place extends AsyncDisposable {
  open(): Promise<Journal>;
}

/** A record like those of the core: one event that names `call`. */
export function record(index: number, call = `c_${index}`): LedgerRecord {
  return { index, at: (1_000 + index) as Instant, events: [{ v: 1, type: "call-attached", call, pid: index }] };
}

export function journalSuite(name: string, place: () => Promise<Place>): void {
  describe(name, () => {
    test("is empty at first: index 0 and 64 zeros", async () => {
      await using here = await place();
      await using journal = await here.open();
      assert.deepEqual({ ...journal.head }, { index: 0, at: 0, hash: genesisHash });
      assert.deepEqual(await journal.read(1, 10), []);
      assert.equal(await journal.latestSnapshot(), null);
    });

    test("an append resolves when the record is durable, and the head has moved by then", async () => {
      await using here = await place();
      await using journal = await here.open();
      await journal.append(record(1), ["c_1"]);
      assert.equal(journal.head.index, 1);
      assert.equal(journal.head.at, 1_001);
      assert.notEqual(journal.head.hash, genesisHash);
    });

    test("appends made together resolve in their order, and share commits", async () => {
      await using here = await place();
      await using journal = await here.open();
      const order: number[] = [];
      await Promise.all(
        Array.from({ length: 200 }, async (_, i) => {
          await journal.append(record(i + 1), []);
          order.push(i + 1);
        }),
      );
      assert.deepEqual(
        order,
        Array.from({ length: 200 }, (_, i) => i + 1),
      );
      assert.equal(journal.counters.records, 200);
      assert.ok(journal.counters.commits < 20, `${journal.counters.commits} commits`);
    });

    test("records read back as they were appended, from any index, at most as many as asked", async () => {
      await using here = await place();
      await using journal = await here.open();
      const records = [1, 2, 3, 4, 5].map((i) => record(i, `c_é${i}`));
      await Promise.all(records.map((r) => journal.append(r, [])));
      assert.deepEqual(await journal.read(1, 100), records);
      assert.deepEqual(await journal.read(3, 2), records.slice(2, 4));
      assert.deepEqual(await journal.read(6, 2), []);
    });

    test("a work finds its records in order, and nobody else's", async () => {
      await using here = await place();
      await using journal = await here.open();
      const works = ["a", "b", "a", "c", "a"];
      await Promise.all(works.map((work, i) => journal.append(record(i + 1, work), [work, "all"])));
      assert.deepEqual(
        (await journal.readWork("a")).map((r) => r.index),
        [1, 3, 5],
      );
      assert.deepEqual(
        (await journal.readWork("all")).map((r) => r.index),
        [1, 2, 3, 4, 5],
      );
      assert.deepEqual(await journal.readWork("nobody"), []);
    });

    test("L14: an index out of turn or a time that goes back is our bug", async () => {
      await using here = await place();
      await using journal = await here.open();
      await journal.append(record(1), []);
      assert.throws(() => void journal.append(record(3), []), /L14/);
      assert.throws(() => void journal.append({ ...record(2), at: 5 as Instant }, []), /L14/);
      await journal.append(record(2), []);
    });

    test("L24, L26: another journal on the same place goes on where the first ended, in one chain", async () => {
      await using here = await place();
      const first = await here.open();
      await first.append(record(1), []);
      await first.append(record(2), []);
      const head = first.head;
      await first[Symbol.asyncDispose]();
      await using second = await here.open();
      assert.deepEqual({ ...second.head }, { ...head });
      await second.append(record(3), []);
      assert.deepEqual(await second.verify(), { records: 3, hash: second.head.hash });
    });

    test("an end waits for what was appended before it", async () => {
      await using here = await place();
      const first = await here.open();
      const appended = Promise.all([1, 2, 3].map((i) => first.append(record(i), [])));
      await first[Symbol.asyncDispose]();
      await appended;
      await using second = await here.open();
      assert.equal(second.head.index, 3);
    });

    test("L29: a second writer is refused while the first lives", async () => {
      await using here = await place();
      const first = await here.open();
      await assert.rejects(here.open(), { code: /^(data-folder|database)-busy$/ });
      await first.append(record(1), []);
      await first[Symbol.asyncDispose]();
      await using second = await here.open();
      assert.equal(second.head.index, 1);
    });

    test("the latest snapshot comes back whole, after another start too", async () => {
      await using here = await place();
      const first = await here.open();
      for (const index of [1, 2, 3]) {
        await first.append(record(index), []);
        await first.saveSnapshot({ index, stateHash: `h${index}`, body: `{"é":${index}}` });
      }
      await first[Symbol.asyncDispose]();
      await using second = await here.open();
      assert.deepEqual({ ...(await second.latestSnapshot()) }, { index: 3, stateHash: "h3", body: '{"é":3}' });
    });

    test("a snapshot may be handed over while its record is on its way", async () => {
      await using here = await place();
      await using journal = await here.open();
      const appended = journal.append(record(1), []);
      const saved = journal.saveSnapshot({ index: 1, stateHash: "h", body: "{}" });
      await Promise.all([appended, saved]);
      assert.equal((await journal.latestSnapshot())?.index, 1);
    });

    test("an event of a version that nobody knows here is refused by name", async () => {
      await using here = await place();
      await using journal = await here.open();
      const later = { v: 2, type: "call-attached", call: "c", pid: 1 };
      await journal.append({ ...record(1), events: [later as never] }, []);
      await assert.rejects(journal.read(1, 1), {
        code: "event-version-unknown",
        message: /record 1 .*call-attached.*version 2/,
      });
    });
  });
}
