/** The evidence store's thread: one writer. Batches that arrived together are stored in one commit. */
import { parentPort, workerData } from "node:worker_threads";
import { EvidenceDatabase } from "./evidence-database.ts";
import { earlierStarts, readCounted, readWork, workOf } from "./evidence-queries.ts";
import { readPassages } from "./evidence-passages.ts";
import { readSpan } from "./evidence-span.ts";
import { listCounts } from "./request-counts.ts";
import { followRequests, listRequests } from "./request-log.ts";
import { retain } from "./retention.ts";
import { answerStatus } from "./status-store.ts";
import type { StoreAnswer, StoreCall, StoreRequest } from "./store-protocol.ts";

/** Batches of one commit: bounds both the wait of a reader and the size of the write-ahead log between checkpoints. */
const groupMax = 64;

const port = parentPort;
if (!port) throw new Error("the evidence store's worker runs in a worker thread");
const store = new EvidenceDatabase((workerData as { path: string }).path);
let waiting: { readonly id: number; readonly call: Extract<StoreCall, { op: "ingest" }> }[] = [];

port.on("message", ({ id, call }: StoreRequest) => {
  if (call.op === "ingest") {
    waiting.push({ id, call });
    if (waiting.length === 1) setImmediate(commit);
    if (waiting.length >= groupMax) commit();
    return;
  }
  commit(); // a read sees every batch that was sent before it
  answer([id], () => [run(call)]);
  if (call.op === "close") port.close();
});

function commit(): void {
  if (waiting.length === 0) return;
  const group = waiting;
  waiting = [];
  answer(
    group.map(({ id }) => id),
    () => store.ingest(group.map(({ call }) => call)),
  );
}

function run(call: Exclude<StoreCall, { op: "ingest" }>): unknown {
  switch (call.op) {
    case "read-work":
      return readWork(store, call.work);
    case "work-of":
      return workOf(store, call);
    case "read-span":
      return readSpan(store, call.query);
    case "read-passages":
      return readPassages(store, call.query);
    case "earlier-starts":
      return earlierStarts(store, call.builds);
    case "list-requests":
      return listRequests(store, call.query);
    case "follow-requests":
      return followRequests(store, call.query);
    case "list-counts":
      return listCounts(store, call.query);
    case "count":
      return store.count(call.rows);
    case "read-counted":
      return readCounted(store, call.id);
    case "retain":
      return retain(store, call.retention);
    case "status":
      return answerStatus(store, call.ask);
    case "totals":
      return store.totals();
    case "close":
      return store.close();
  }
}

function answer(ids: readonly number[], values: () => readonly unknown[]): void {
  let answers: readonly StoreAnswer[];
  try {
    const all = values();
    answers = ids.map((id, index) => ({ id, ok: true, value: all[index] }));
  } catch (error) {
    answers = ids.map((id) => ({ id, ok: false, error }));
  }
  for (const one of answers) port?.postMessage(one);
}
