/** What a whole log sums up to, wherever it begins. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { durationMs, after, instant } from "../stdx/time.ts";
import { ledger } from "./ledger.suite.ts";
import type { Ledger } from "./ledger.suite.ts";
import { decodeState, encodeState } from "./state.ts";
import type { LedgerRecord } from "./record.ts";
import { Replay } from "./totals.ts";
import type { Beginning, Count } from "./totals.ts";

const day = 24 * 3_600_000;
const terms = (address: number, space = "alice/demo") =>
  ({ account: `address:192.0.2.${address}`, tier: "anonymous", space }) as const;

/** Each of `addresses` calls once a day for so long, from the last day of November on; so does alice. */
function visited(days: number, addresses: number): Ledger {
  const it = ledger();
  it.now = instant(Date.UTC(2026, 10, 30, 12));
  for (let n = 0; n < days; n++) {
    it.do({ type: "hear-node", node: "n1" });
    it.tick();
    for (let address = 0; address < addresses; address++)
      it.run(`c_${n}_${address}`, 1_000, terms(n * addresses + address));
    it.schedule(`c_${n}_r`, { ...terms(n), declaredMs: durationMs(day) });
    it.run(`c_${n}_a`, 500);
    it.now = after(it.now, durationMs(day));
  }
  return it;
}

function replayed(records: readonly LedgerRecord[], beginning?: Beginning): Replay {
  const replay = new Replay(beginning);
  for (const record of records) replay.take(record);
  return replay;
}

test("all addresses on a Space are one count a month, however many there were; an account keeps one for each window", () => {
  const it = visited(3, 20);
  const counts = replayed(it.records).counts();
  const ofAddresses = counts.filter(({ account }) => account === "address:*");
  assert.deepEqual(ofAddresses, [
    {
      account: "address:*",
      space: "alice/demo",
      period: 0,
      month: "2026-11",
      settled: 20,
      voided: 0,
      refused: 1,
      chargedMs: 20_000,
    },
    {
      account: "address:*",
      space: "alice/demo",
      period: 0,
      month: "2026-12",
      settled: 40,
      voided: 0,
      refused: 2,
      chargedMs: 40_000,
    },
  ]);
  assert.deepEqual(
    counts.filter(({ account }) => account !== "address:*").map(({ period, chargedMs }) => [period, chargedMs]),
    [
      [0, 500],
      [1, 500],
      [2, 500],
    ],
  );
});

test("L38: with addresses too a log whose first records were removed sums up to the same, wherever it begins", () => {
  const it = visited(2, 3);
  const whole = replayed(it.records);
  for (const { index } of it.records) {
    const first = replayed(it.records.slice(0, index));
    const beginning = { state: decodeState(encodeState(first.state)), counts: first.counts() };
    const rest = replayed(it.records.slice(index), beginning);
    assert.deepEqual([rest.totals(), rest.counts(), rest.differences()], [whole.totals(), whole.counts(), []]);
  }
});

test("books keep no more than the state does, however many addresses came; those that come again count on", () => {
  const long = visited(30, 4);
  long.run("c_again", 1_000, terms(0));
  long.check();
  const replay = replayed(long.records);
  const { calls, accounts: known } = long.state;
  assert.ok(replay.size <= calls.size + 2 * known.size, `${replay.size} beside ${calls.size} and ${known.size}`);
  const { chargedMs, accounts, usedMs } = replay.totals();
  assert.deepEqual([chargedMs, accounts], [30 * 4 * 1_000 + 30 * 500 + 1_000, long.state.accounts.size]);
  assert.equal(
    usedMs,
    [...long.state.accounts.values()].reduce((sum, account) => sum + account.usedMs, 0),
  );
  assert.deepEqual(replay.differences(), []);
});

test("L38: counts by single addresses, as they once were written, join the month in which the log begins; no sum changes", () => {
  const it = visited(1, 2);
  const { state } = replayed(it.records);
  const none = { space: "alice/demo", voided: 1, refused: 0 };
  const kept: readonly Count[] = [
    { ...none, account: "address:192.0.2.1", period: 0, settled: 4, chargedMs: 900 },
    { ...none, account: "address:192.0.2.1", period: 1, settled: 5, chargedMs: 100 },
    { ...none, account: "alice", period: 7, settled: 1, chargedMs: 50 },
  ];
  const replay = new Replay({ state, counts: kept });
  assert.deepEqual(replay.counts(), [
    { ...none, account: "address:*", period: 0, month: "2026-11", settled: 9, voided: 2, chargedMs: 1_000 },
    kept[2],
  ]);
  const { settled, voided, chargedMs } = replay.totals();
  assert.deepEqual([settled, voided, chargedMs], [10, 3, 1_050]);
});
