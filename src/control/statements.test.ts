import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { ReceiptWorld, refusedCall, settledCall } from "../../test/support/receipts.ts";
import { Catalog } from "../catalog/catalog.ts";
import { memorySql } from "../catalog/memory-sql.ts";
import { life, lived } from "../core/life.suite.ts";
import { Replay } from "../core/totals.ts";
import type { Receipt } from "../contract/receipts.ts";
import { costOf, csvLine, focusColumns, focusLine, focusRows, isPrice } from "../receipts/focus.ts";
import type { FocusRow } from "../receipts/focus.ts";
import { iso } from "../stdx/time.ts";
import { monthOf, Statements } from "./statements.ts";

const caughtUp = { caughtUp: async () => undefined };
const statementsOf = ({ receipts }: Catalog): Statements => new Statements({ rows: receipts, calls: caughtUp });

async function listed(statements: Statements, account: string, month: string, below?: number): Promise<Receipt[]> {
  const all: Receipt[] = [];
  for (let page: string | undefined; ;) {
    const found = await statements.list({ account, month, below, page, limit: 7 });
    assert.ok(found);
    all.push(...found.items);
    if (found.next === null) return all;
    page = found.next;
  }
}

const focus = {
  provider: "Waybill",
  price: "0.000512",
  currency: "EUR",
  from: "2026-11-01T00:00:00Z",
  until: "2026-12-01T00:00:00Z",
};
/** Exactly, whatever a column has of digits after its point. */
const sumOf = (rows: readonly FocusRow[], column: keyof FocusRow): bigint =>
  rows.reduce((sum, row) => sum + scaled(row[column]), 0n);
function scaled(text: string): bigint {
  const [whole = "", part = ""] = text.replace("-", "").split(".");
  const value = BigInt(whole + part.padEnd(15, "0"));
  return text.startsWith("-") ? -value : value;
}

describe("a statement of a month", () => {
  test("L38: statements, lists and FOCUS rows sum up to what the ledger charged, for each account and Space", async () => {
    let charged = 0;
    await fc.assert(
      fc.asyncProperty(life, async (run) => {
        const it = lived(run);
        const ids = it.records.flatMap(({ events }) =>
          events.flatMap((event) =>
            event.type === "call-admitted" || event.type === "call-refused" ? event.terms.call : [],
          ),
        );
        fc.pre(new Set(ids).size === ids.length); // Drawn names come again where calls were forgotten; real ones are random.
        const replay = new Replay();
        for (const record of it.records) replay.take(record);
        const catalog = await Catalog.open(memorySql(), { wall: () => it.now });
        await catalog.calls.project(it.records);
        const statements = statementsOf(catalog);
        const payers = await catalog.receipts.leaves().then(async (leaves) => {
          const receipts = await catalog.receipts.next(0, leaves + 1);
          return new Set(receipts.map(({ receipt: { account, paidBy } }) => paidBy ?? account));
        });
        const [from, to] = [it.records[0]?.at ?? it.now, it.now];
        const months = new Set<string>();
        for (let at = from; at <= to + 86_400_000; at = (at + 86_400_000) as never) months.add(iso(at).slice(0, 7));
        const bySpace = new Map<string, number>();
        for (const payer of payers)
          for (const month of months) {
            const statement = await statements.statement(payer, month);
            assert.ok(statement);
            const receipts = await listed(statements, payer, month, statement.below);
            assert.equal(receipts.length, statement.calls);
            const lines = statement.lines.reduce((sum, line) => sum + line.chargedMs, 0);
            assert.equal(lines, statement.chargedMs);
            const rows = receipts.flatMap((receipt) => focusRows(receipt, focus));
            const usage = rows.filter((row) => row.ChargeCategory === "Usage");
            assert.equal(sumOf(usage, "PricingQuantity"), scaled(costOf(statement.chargedMs, "1")));
            const paid = statement.chargedMs - statement.creditsMs;
            assert.equal(sumOf(rows, "BilledCost"), scaled(costOf(paid, focus.price)));
            for (const { space, chargedMs } of statement.lines) {
              const key = `${payer.startsWith("address:") ? "address:*" : payer} ${space}`;
              bySpace.set(key, (bySpace.get(key) ?? 0) + chargedMs);
              charged += chargedMs;
            }
          }
        const ledger = new Map<string, number>();
        for (const { account, space, chargedMs } of replay.counts()) {
          const key = `${account} ${space}`;
          ledger.set(key, (ledger.get(key) ?? 0) + chargedMs);
        }
        for (const [key, sum] of ledger) assert.equal(bySpace.get(key) ?? 0, sum, key);
        for (const key of bySpace.keys()) assert.ok(ledger.has(key), key);
      }),
      { numRuns: 20, endOnFailure: true },
    );
    assert.ok(charged > 0, "some call was charged");
  });

  test("has the calls that ended in it, first instant and not last, and those alone that the account pays", async () => {
    const world = await ReceiptWorld.open();
    world.now = Date.UTC(2026, 10, 30, 23, 59, 58);
    await world.records(settledCall("c_1", 5), settledCall("c_2", 7, { account: "bob" }), settledCall("c_3", 11));
    const statements = statementsOf(world.catalog);
    const november = await statements.statement("alice", "2026-11");
    const december = await statements.statement("alice", "2026-12");
    assert.deepEqual([november?.chargedMs, november?.calls, december?.chargedMs], [5, 1, 11]);
    assert.deepEqual([november?.from, november?.until], ["2026-11-01T00:00:00.000Z", "2026-12-01T00:00:00.000Z"]);
    assert.equal((await statements.statement("bob", "2026-12"))?.chargedMs, 7, "23:59:58 and two seconds");
    assert.deepEqual((await statements.statement("carol", "2026-12"))?.lines, []);
  });

  test("a sponsor's statement has what it paid for others, and theirs has not", async () => {
    const world = await ReceiptWorld.open();
    const [admitted, ...rest] = settledCall("c_1", 9, { account: "bob" });
    await world.records(
      [{ ...admitted, sponsor: "alice" } as never, ...rest],
      [refusedCall("c_2", { account: "bob" })],
    );
    const statements = statementsOf(world.catalog);
    assert.equal((await statements.statement("alice", "2026-11"))?.chargedMs, 9);
    const own = await statements.statement("bob", "2026-11");
    assert.deepEqual([own?.chargedMs, own?.calls], [0, 1], "the refused one");
    const [row] = (await listed(statements, "alice", "2026-11")).flatMap((receipt) => focusRows(receipt, focus));
    assert.deepEqual([row?.BillingAccountId, row?.SubAccountId], ["alice", "bob"]);
  });

  test("what ends while pages are read is in none of them", async () => {
    const world = await ReceiptWorld.open();
    await world.calls(10);
    const statements = statementsOf(world.catalog);
    const statement = await statements.statement("alice", "2026-11");
    await world.calls(5, 10);
    assert.equal((await listed(statements, "alice", "2026-11", statement?.below)).length, 10);
    assert.equal((await listed(statements, "alice", "2026-11")).length, 15);
  });

  test("says from when on it is whole, where a compaction has removed receipts of its month", async () => {
    const world = await ReceiptWorld.open();
    await world.calls(4);
    const statements = statementsOf(world.catalog);
    assert.equal((await statements.statement("alice", "2026-11"))?.removedUntil, null);
    const at = (world.now - 2_000) as never;
    await world.sql.transaction(world.catalog.calls.forgotten({ index: 2, at }));
    assert.equal((await statements.statement("alice", "2026-11"))?.removedUntil, iso(at));
    assert.equal((await statements.statement("alice", "2026-12"))?.removedUntil, null);
  });

  test("other texts are no month, and no page", async () => {
    for (const month of ["2026-13", "2026-00", "2026-1", "26-11", "2026-11-01", "", "1999-11"])
      assert.equal(monthOf(month), undefined, month);
    const statements = statementsOf((await ReceiptWorld.open()).catalog);
    assert.equal(await statements.statement("alice", "now"), undefined);
    assert.equal(
      await statements.list({ account: "alice", month: undefined, below: undefined, page: "x", limit: 5 }),
      undefined,
    );
  });
});

describe("a row of FOCUS", () => {
  test("has each mandatory column of 1.2 filled, but for the class, which is for corrections", async () => {
    const world = await ReceiptWorld.open();
    await world.records(settledCall("c_1", 412));
    const { receipt } = await world.receipt("c_1");
    const [usage, credit] = focusRows({ ...receipt, creditsMs: 400 }, focus);
    assert.ok(usage && credit);
    const mandatory = [
      "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory",
      "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost",
      "ProviderName", "PublisherName", "ServiceCategory", "ServiceName",
    ] as const; // prettier-ignore
    for (const row of [usage, credit]) for (const column of mandatory) assert.notEqual(row[column], "", column);
    assert.deepEqual([usage.PricingQuantity, usage.PricingUnit, usage.ChargeClass], ["0.412", "GPU-Seconds", ""]);
    assert.deepEqual(
      [usage.BilledCost, credit.BilledCost, credit.ChargeCategory],
      ["0.000210944", "-0.0002048", "Credit"],
    );
    assert.deepEqual([credit.PricingQuantity, credit.ConsumedQuantity], ["", ""]);
    assert.ok(usage.ChargePeriodStart < usage.ChargePeriodEnd);
    assert.deepEqual(focusRows({ ...receipt, chargedMs: 0 }, focus), []);
    const line = focusLine({ ...usage, ChargeDescription: 'a "b", c' });
    assert.match(line, /,"a ""b"", c",/);
    assert.ok(line.endsWith("\r\n"));
    assert.equal(csvLine(focusColumns).split(",").length, focusColumns.length);
  });

  test("a cost is exact, and a price has its bounds", () => {
    assert.equal(costOf(1, "0.000000000001"), "0.000000000000001");
    assert.equal(costOf(3_600_000, "0.1"), "360");
    assert.equal(costOf(0, "5"), "0");
    for (const price of ["", "1.", ".5", "-1", "1e3", "1,5", "0.0000000000001", "1234567890"])
      assert.equal(isPrice(price), false, price);
  });
});
