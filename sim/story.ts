/**
 * What a run's log tells people, by the product's own code, judged at its end: verdicts (L36), receipts and their proofs (L37),
 * and totals (L38).
 */
import { project } from "../src/catalog/projection.ts";
import type { Audit } from "../src/core/audit.ts";
import type { LedgerRecord } from "../src/core/record.ts";
import { callOutcomes } from "../src/evidence/call-outcomes.ts";
import type { CallCause } from "../src/evidence/call-outcomes.ts";
import type { Entry } from "../src/evidence/entry.ts";
import { explain } from "../src/evidence/explain.ts";
import type { Receipt } from "../src/evidence/receipt.ts";
import { ReceiptKeys } from "../src/identity/receipt-key.ts";
import type { ReceiptKey } from "../src/identity/receipt-key.ts";
import { signReceipt } from "../src/identity/receipt-signature.ts";
import { verifyReceipt } from "../src/receipts/document.ts";
import { entriesOfRecord } from "../src/record/scheduler-view.ts";
import type { Prng } from "../src/stdx/prng.ts";
import type { Watch } from "./watch.ts";

/** Calls of a run that are explained, and receipts that are signed: more tell the same. */
const explainedMax = 12;
const signedMax = 3;
/** A key and its signatures cost as much as half a run. */
const signedRuns = 0.1;

type Rows = ReturnType<typeof project>["calls"];
type Row = Rows extends Map<string, infer R> ? R : never;

export async function judgeStory(watch: Watch, records: readonly LedgerRecord[], random: Prng): Promise<void> {
  const { calls } = project({ cursor: 0, leaves: 0, open: new Map(), nodes: new Map() }, records);
  judgeTotals(watch, calls);
  const ended = [...calls.values()].filter(({ stage }) => stage === "ended");
  const causes = causesIn(records);
  for (const [call, cause] of causes) judgeReceipt(watch, call, calls.get(call), cause);
  const entries = entriesByWork(records);
  for (const row of sample(ended, explainedMax, random)) judgeVerdict(watch, row, entries.get(row.id) ?? []);
  if (ended.length === 0 || !random.chance(signedRuns)) return;
  const key = await newKey();
  for (const { document } of sample(ended, signedMax, random))
    await judgeProof(watch, JSON.parse(document ?? "null") as Receipt, key, random);
}

/** L38: what all receipts together charge an account is what the ledger charged it. */
function judgeTotals(watch: Watch, rows: Rows): void {
  const told = new Map<string, number>();
  for (const { account, chargedMs } of rows.values()) told.set(account, (told.get(account) ?? 0) + chargedMs);
  for (const [account, charged] of chargedBy(watch.audit)) {
    watch.look("L38");
    if ((told.get(account) ?? 0) !== charged)
      watch.fail("L38", `the receipts of ${account} charge ${told.get(account)}, its ledger ${charged}`);
  }
}

function chargedBy(audit: Audit): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { terms, chargedMs } of audit.holds.values())
    sums.set(terms.account, (sums.get(terms.account) ?? 0) + (chargedMs ?? 0));
  return sums;
}

/** L37: whatever ended has a receipt, which says why it ended. */
function judgeReceipt(watch: Watch, call: string, row: Row | undefined, cause: CallCause): void {
  watch.look("L37");
  const receipt = typeof row?.document === "string" ? (JSON.parse(row.document) as Receipt) : null;
  const due = callOutcomes[cause];
  if (receipt === null || row?.receipt !== receipt.id) return watch.fail("L37", `${call} has ended and has no receipt`);
  if (due.code !== receipt.code || due.outcome !== receipt.outcome)
    watch.fail("L37", `${call} ended by ${cause}, its receipt says ${receipt.outcome} ${receipt.code}`);
}

/** L36: one verdict for what went wrong, none for what went well, and never another than the record's. */
function judgeVerdict(watch: Watch, row: Row, entries: readonly Entry[]): void {
  watch.look("L36");
  const { verdict } = explain({
    id: row.id,
    kind: "call",
    entries,
    gaps: [],
    watermarks: [],
    epochs: [],
    links: [],
    charge: null,
    read: { journal: row.journalIndex, evidence: 0 },
  });
  // It was asked again when the day had passed for which answers are kept: an id that lived twice has two stories.
  if (entries.filter(({ hop, mark }) => hop === "gpu.schedule" && mark === "took").length > 1) return;
  if (verdict?.certainty === "unknown") return;
  const code = verdict && `${verdict.boundary}/${verdict.code}`;
  if (row.outcome === "ok" ? verdict !== null : verdict === null)
    return watch.fail("L36", `${row.id} is ${row.outcome}, its verdict ${code ?? "none"}`);
  if (verdict?.certainty === "proved" && code !== row.code)
    watch.fail("L36", `${row.id} has proved to be ${code}, its record says ${row.code}`);
  if (verdict?.facts.some((fact) => !entries.some(({ id }) => id === fact)))
    watch.fail("L36", `the verdict on ${row.id} rests on what is not in its record`);
}

/** L37: a receipt's proof verifies, and not with one character changed. */
async function judgeProof(watch: Watch, receipt: Receipt, key: ReceiptKey, random: Prng): Promise<void> {
  watch.look("L37");
  const signed = await signReceipt(receipt, key);
  if (!(await verifyReceipt(signed)).ok) watch.fail("L37", `the receipt of ${receipt.call} does not verify`);
  const text = JSON.stringify(signed);
  const at = random.int(text.length);
  const other = `${text.slice(0, at)}${String.fromCharCode(text.charCodeAt(at) ^ 1)}${text.slice(at + 1)}`;
  const changed = parsed(other);
  if (changed !== undefined && JSON.stringify(changed) !== text && (await verifyReceipt(changed)).ok)
    watch.fail("L37", `the receipt of ${receipt.call} verifies with its character ${at} changed`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // no longer a document: nobody can take it for a receipt
  }
}

/** A key for this run: what is signed with it does not depend on which one it is. */
async function newKey(): Promise<ReceiptKey> {
  const kept = new Map<string, string>();
  const settings = {
    get: async (name: string) => kept.get(name) ?? null,
    set: async (name: string, value: string) => void kept.set(name, value),
    setOnce: async (name: string, value: string) => kept.getOrInsert(name, value),
  };
  return (await ReceiptKeys.open(settings, "waybill/sim")).current;
}

function causesIn(records: readonly LedgerRecord[]): Map<string, CallCause> {
  const causes = new Map<string, CallCause>();
  for (const { events } of records) {
    for (const event of events) {
      if (event.type === "call-refused") causes.set(event.terms.call, event.refusal.code);
      if (event.type === "call-voided" || event.type === "call-settled") causes.set(event.call, event.cause);
    }
  }
  return causes;
}

function entriesByWork(records: readonly LedgerRecord[]): Map<string, Entry[]> {
  const byWork = new Map<string, Entry[]>();
  for (const entry of records.flatMap(entriesOfRecord)) {
    const known = byWork.get(entry.work);
    if (known) known.push(entry);
    else byWork.set(entry.work, [entry]);
  }
  return byWork;
}

function sample<T>(all: readonly T[], most: number, random: Prng): T[] {
  if (all.length <= most) return [...all];
  return Array.from({ length: most }, () => random.pick(all));
}
