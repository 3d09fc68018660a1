// The lists of the fault matrix: what `npm run faults` causes has to be all that can be said.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { codes } from "../src/evidence/codes.ts";
import { faults, nameOf } from "./faults/cases/all.ts";
import { controls } from "./faults/controls.ts";
import { notCaused } from "./faults/not-caused.ts";

test("each code is caused by a case, or says why none does", () => {
  const caused = new Set<string>(faults.map(({ code }) => code));
  const reasons = Object.keys(notCaused);
  assert.deepEqual(
    Object.keys(codes).filter((code) => !caused.has(code) && !reasons.includes(code)),
    [],
    "write a case in test/faults/cases/, or the reason in test/faults/not-caused.ts",
  );
  assert.deepEqual(
    reasons.filter((code) => caused.has(code)),
    [],
    "a code that is caused needs no reason",
  );
});

test("cases and controls are called differently, so that each can be asked for", () => {
  const names = [...faults.map(nameOf), ...controls.map(({ name }) => name)];
  assert.deepEqual(
    names.filter((name, at) => names.indexOf(name) !== at),
    [],
  );
});

test("what is kept of a fault is of one that is still caused, under its name and its code", () => {
  const kept = readFileSync(join(import.meta.dirname, "faults/recorded/waybills.jsonl"), "utf8")
    .trimEnd()
    .split("\n");
  const known = new Map<string, string | null>([
    ...faults.map((fault) => [nameOf(fault), fault.code] as const),
    ...controls.map(({ name }) => [`control: ${name}`, null] as const),
  ]);
  const gone = kept
    .map((line) => JSON.parse(line) as { readonly name: string; readonly code: string | null })
    .filter(({ name, code }) => known.get(name) !== code);
  assert.deepEqual(gone, [], "record it again: npm run faults -- --alone --keep FILE");
});
