import assert from "node:assert/strict";
import { test } from "node:test";
import { journalSuite, record } from "./journal.suite.ts";
import { MemoryJournal, MemoryStore } from "./memory.ts";

journalSuite("MemoryJournal", async () => {
  const store = new MemoryStore();
  return { open: async () => new MemoryJournal(store), [Symbol.asyncDispose]: async () => {} };
});

test("MemoryJournal: a crash loses what was not durable, and only that", async () => {
  const store = new MemoryStore();
  const gate = Promise.withResolvers<void>();
  await using first = new MemoryJournal(store);
  await first.append(record(1), []);
  first.crash();
  const second = new MemoryJournal(store, { beforeCommit: () => gate.promise });
  void second.append(record(2), []);
  second.crash();
  gate.resolve();
  await using third = new MemoryJournal(store);
  assert.equal(third.head.index, 1);
});
