/** What a kept receipt proves of its place in the log, by the log that a server keeps. The signature alone: identity/receipt-signature.test.ts. */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import * as fc from "fast-check";
import type { SignedReceipt as PublishedSigned } from "../contract/receipts.ts";
import { createReceiptKeys, ReceiptWorld } from "../../test/support/receipts.ts";
import { verifyReceipt } from "./document.ts";
import type { SignedReceipt, Trusted } from "./document.ts";
import type { RememberedLog } from "./log-proof.ts";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : never;

const failed = async (document: unknown, trusted: Trusted = {}): Promise<readonly string[]> => {
  const { ok, checks } = await verifyReceipt(document, trusted);
  const names = checks.filter((check) => !check.ok).map(({ name }) => name);
  assert.equal(ok, names.length === 0);
  return names;
};
/** What somebody remembers who has verified that. */
const seenIn = async (document: SignedReceipt): Promise<RememberedLog> => {
  const { learned } = await verifyReceipt(document);
  assert.ok(learned);
  return { ...learned, at: "20 Nov" };
};
const remembering = (log: RememberedLog): Trusted => ({
  remembered: (origin) => (origin === log.origin ? log : undefined),
});
const with1 = (document: SignedReceipt, log: object): object => ({ ...document, log: { ...document.log, ...log } });

describe("a receipt in its log", () => {
  let world: ReceiptWorld;
  let first: SignedReceipt;
  let last: SignedReceipt;
  before(async () => {
    world = await ReceiptWorld.open();
    await world.calls(300);
    first = await world.receipt("c_0007");
    await world.calls(40, 300);
    await world.log.settle();
    last = await world.receipt("c_0339", 300);
  });

  test("is proved offline: signature, leaf and checkpoint, after a trip through JSON", async () => {
    const sameAsPublished: Same<SignedReceipt, PublishedSigned> = true;
    assert.equal(sameAsPublished, true);
    assert.deepEqual(await failed(JSON.parse(JSON.stringify(last))), []);
    const { checks, learned, isSeen } = await verifyReceipt(first);
    const says = (name: string): string | undefined => checks.find((check) => check.name === name)?.says;
    assert.equal(says("leaf"), "It is leaf 8 of 300 of that log.");
    assert.equal(says("checkpoint"), "The log waybill/log had 300 receipts, by its key's word.");
    assert.deepEqual([learned?.origin, learned?.size, isSeen], ["waybill/log", 300, false]);
  });

  test("without a proof, as older versions wrote it, holds and says what it lacks", async () => {
    const { log: _log, ...older } = first;
    assert.deepEqual(await failed(older), []);
    assert.match((await verifyReceipt(older)).checks.at(-1)?.says ?? "", /no proof of its place/);
  });

  test("another place, another proof, another log's checkpoint or a signer more is told as what it is", async () => {
    const other = await ReceiptWorld.open();
    await other.calls(300);
    const stranger = await other.receipt("c_0007");
    assert.deepEqual(await failed(with1(first, { leaf: 8 })), ["leaf"]);
    assert.deepEqual(await failed(with1(first, { proof: last.log?.proof })), ["leaf"]);
    assert.deepEqual(await failed(with1(first, { checkpoint: stranger.log?.checkpoint })), ["checkpoint"]);
    assert.deepEqual(await failed(with1(first, { checkpoint: "none" })), ["checkpoint"]);
    const twice = `${first.log?.checkpoint}${first.log?.checkpoint.split("\n\n")[1]}`;
    assert.deepEqual(await failed(with1(first, { checkpoint: `${twice.trimEnd()}\n— witness AAAAAAAA\n` })), [
      "checkpoint",
    ]);
    assert.deepEqual(await failed(with1(first, { successions: ["none"] })), ["keys", "checkpoint"]);
    for (const log of [null, [], { ...first.log, more: 1 }, { ...first.log, leaf: "7" }, { ...first.log, extends: {} }])
      assert.deepEqual(await failed({ ...first, log }), ["document"]);
  });

  test("L37: any changed byte of the document is caught", async () => {
    await world.log.rotate();
    await world.calls(5, 400);
    await world.log.settle();
    const bytes = Buffer.from(JSON.stringify(await world.receipt("c_0402", 300)));
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ flip;
        const document = parsed(changed.toString());
        if (document !== undefined) assert.notDeepEqual(await failed(document), [], changed.toString());
      }),
      { numRuns: 300 },
    );
  });
});

describe("a log that was seen before", () => {
  test("is the same while it only grows: by the proof in the file, or by the server's", async () => {
    const world = await ReceiptWorld.open();
    await world.calls(10);
    const early = await world.receipt("c_0001");
    const seen = await seenIn(early);
    assert.deepEqual(await failed(early, remembering(seen)), []);
    await world.calls(30, 10);
    await world.log.settle();
    const told = await verifyReceipt(await world.receipt("c_0020", 10), remembering(seen));
    assert.deepEqual([told.ok, told.isSeen, told.learned?.size], [true, true, 40]);
    assert.equal(
      told.checks.at(-1)?.says,
      "The log extends the checkpoint of 20 Nov that you have seen, of 10 receipts.",
    );
    const asked = {
      ...remembering(seen),
      extension: (_origin: string, a: number, b: number) => world.log.consistency(a, b),
    };
    const without = await verifyReceipt(await world.receipt("c_0020"), asked);
    assert.deepEqual([without.ok, without.learned?.size], [true, 40]);
    const later = { ...told.learned, at: "21 Nov" } as RememberedLog;
    const earlier = await verifyReceipt(early, { ...asked, ...remembering(later) });
    assert.deepEqual([earlier.ok, earlier.learned], [true, null]);
    assert.match(earlier.checks.at(-1)?.says ?? "", /went on from here to the checkpoint of 21 Nov/);
  });

  test("is not compared where nobody can prove it, which is said, and nothing is learned then", async () => {
    const world = await ReceiptWorld.open();
    await world.calls(3);
    const seen = await seenIn(await world.receipt("c_0001"));
    await world.calls(3, 3);
    const told = await verifyReceipt(await world.receipt("c_0005"), remembering(seen));
    assert.deepEqual([told.ok, told.learned], [true, null]);
    assert.match(told.checks.at(-1)?.says ?? "", /was not compared/);
  });

  test("L37: is told from one that was rewritten by the same key, larger, as large, or smaller", async () => {
    const keys = await createReceiptKeys();
    const world = await ReceiptWorld.open(keys);
    await world.calls(20);
    const seen = await seenIn(await world.receipt("c_0001"));
    const forged = await ReceiptWorld.open(keys);
    await forged.calls(10, 0, 2);
    const extension = (_origin: string, a: number, b: number) => forged.log.consistency(a, b);
    const smaller = await forged.receipt("c_0001");
    assert.deepEqual(await failed(smaller, { ...remembering(seen), extension: async () => [] }), ["extends"]);
    await forged.calls(10, 10);
    await forged.log.settle();
    assert.deepEqual(await failed(await forged.receipt("c_0001"), remembering(seen)), ["extends"]);
    await forged.calls(10, 20);
    await forged.log.settle();
    assert.deepEqual(await failed(await forged.receipt("c_0001"), { ...remembering(seen), extension }), ["extends"]);
    const claimed = await forged.receipt("c_0001", 20);
    assert.deepEqual(await failed(claimed, remembering(seen)), ["extends"]);
    const bent = with1(claimed, { extends: { ...claimed.log?.extends, root: seen.root } });
    assert.deepEqual(await failed(bent, remembering(seen)), ["extends"]);
    assert.deepEqual(await failed(bent), ["extends"], "also for whoever has seen nothing");
  });
});

describe("a log whose key was changed", () => {
  test("is trusted on by whoever knew the key before, and receipts from before still verify", async () => {
    const world = await ReceiptWorld.open();
    await world.calls(5);
    const early = await world.receipt("c_0001");
    const seen = await seenIn(early);
    await world.log.rotate();
    const same = await world.receipt("c_0001");
    assert.notEqual(same.key.x, early.key.x);
    assert.deepEqual(await failed(same, remembering(seen)), []);
    await world.calls(5, 5);
    await world.log.rotate();
    await world.calls(5, 10);
    await world.log.settle();
    const late = await world.receipt("c_0012", 5);
    assert.equal(late.log?.successions.length, 2);
    assert.deepEqual(await failed(late, remembering(seen)), []);
    const learned = await seenIn(late);
    assert.equal(learned.keys.length, 3);
    assert.deepEqual(
      await failed(early, { ...remembering(learned), extension: (_o, a, b) => world.log.consistency(a, b) }),
      [],
    );
    const published = await world.keys.published();
    assert.deepEqual(
      published.map(({ from, until }) => [from, until]),
      [
        [0, 5],
        [5, 10],
        [10, null],
      ],
    );
    for (const document of [early, same, late]) assert.deepEqual(await failed(document, { keys: published }), []);
  });

  test("is not that of another key that nobody vouched for, nor of a key that speaks beyond its end", async () => {
    const keys = await createReceiptKeys();
    const world = await ReceiptWorld.open(keys);
    await world.calls(5);
    const seen = await seenIn(await world.receipt("c_0001"));
    const other = await ReceiptWorld.open();
    await other.calls(5);
    assert.deepEqual(await failed(await other.receipt("c_0001"), remembering(seen)), ["trust", "keys"]);
  });

  test("is not followed by a key that was changed and goes on signing: whoever knows of the change refuses it", async () => {
    const kept = new Map<string, string>();
    const world = await ReceiptWorld.open(await createReceiptKeys(kept));
    const thief = await ReceiptWorld.open(await createReceiptKeys(new Map(kept)));
    for (const one of [world, thief]) await one.calls(5);
    const honest = await thief.receipt("c_0001");
    await world.log.rotate();
    await world.calls(5, 5);
    await world.log.settle();
    const seen = await seenIn(await world.receipt("c_0006"));
    await thief.calls(6, 5, 9);
    await thief.log.settle();
    const forged = await thief.receipt("c_0006");
    assert.deepEqual(await failed(forged), [], "to whoever knows nothing");
    assert.deepEqual(await failed(forged, remembering(seen)), ["trust", "keys"]);
    assert.deepEqual(await failed(forged, { keys: await world.keys.published() }), ["trust"]);
    assert.deepEqual(await failed(honest, remembering(seen)), [], "what it signed before its end holds");
  });
});

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // no JSON: caught by whoever reads the file
  }
}
