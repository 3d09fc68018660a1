/**
 * Two verifiers of receipts, the product's and one in another language that was written from docs/receipts.md: they say the same of each
 * document, genuine or not, and of what is not genuine by which check.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import * as fc from "fast-check";
import { verifyReceipt } from "../src/receipts/document.ts";
import type { SignedReceipt } from "../src/receipts/document.ts";
import { needs } from "./support/needs.ts";
import { ReceiptWorld } from "./support/receipts.ts";

interface Told {
  readonly ok: boolean;
  readonly failed: readonly string[];
}

const python = "/usr/bin/python3";
const program = join(import.meta.dirname, "../tools/verify_receipt.py");

function pythonSays(lines: readonly Buffer[], ...more: readonly string[]): readonly Told[] {
  const input = Buffer.concat(lines.map((line) => Buffer.concat([line, Buffer.from("\n")])));
  const { stdout, stderr, status } = spawnSync(python, [program, "--lines", ...more], { input, maxBuffer: 64 << 20 });
  assert.equal(status, 0, stderr.toString());
  return stdout
    .toString()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Told);
}

async function productSays(line: Buffer): Promise<Told> {
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(line));
  } catch {
    return { ok: false, failed: ["json"] }; // As the other one says it.
  }
  const { ok, checks } = await verifyReceipt(document);
  return { ok, failed: checks.filter((check) => !check.ok).map(({ name }) => name) };
}

async function compare(lines: readonly Buffer[], ...more: readonly string[]): Promise<readonly Told[]> {
  const theirs = pythonSays(lines, ...more);
  const ours = await Promise.all(lines.map(productSays));
  for (const [at, told] of ours.entries()) assert.deepEqual(theirs[at], told, String(lines[at]));
  return ours;
}

const lineOf = (document: object): Buffer => Buffer.from(JSON.stringify(document));

describe("two verifiers of receipts", await needs("python3"), () => {
  let folder: string;
  let world: ReceiptWorld;
  let documents: readonly SignedReceipt[];
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "waybill-verifiers-"));
    world = await ReceiptWorld.open();
    const made: SignedReceipt[] = [];
    for (const [count, from] of [
      [1, 0],
      [2, 1],
      [5, 3],
      [260, 8],
    ] as const) {
      // prettier-ignore
      await world.calls(count, from);
      await world.log.settle();
      for (const n of [from, from + count - 1])
        made.push(await world.receipt(`c_${String(n).padStart(4, "0")}`, Math.max(0, from - 1)));
      if (count > 2) await world.log.rotate();
    }
    const [first] = made;
    assert.ok(first);
    const { log: _log, ...older } = first;
    documents = [...made, older, await world.receipt("c_0100", 3)];
  });
  after(() => rmSync(folder, { recursive: true }));

  test("say of genuine ones that they are, with the library's signatures and with their own", async () => {
    for (const more of [[], ["--pure"]])
      assert.ok((await compare(documents.map(lineOf), ...more)).every(({ ok }) => ok));
  });

  test("L37: say of corrupted ones that they are not, and by which check: a byte, a part of another one, a part left out", async () => {
    const flips = fc.sample(fc.tuple(fc.nat(documents.length - 1), fc.nat(), fc.integer({ min: 1, max: 255 })), {
      numRuns: 400,
      seed: 78,
    });
    const flipped = flips.flatMap(([which, at, flip]) => {
      const bytes = lineOf(documents[which] as SignedReceipt);
      const place = at % bytes.length;
      bytes[place] = (bytes[place] ?? 0) ^ flip;
      return bytes.includes(0x0a) ? [] : bytes; // Two lines are no document.
    });
    const mixed = documents.flatMap((document, n) => {
      const other = documents[(n + 1) % documents.length] as SignedReceipt;
      const log = { ...document.log };
      return [
        { ...document, receipt: other.receipt },
        { ...document, jws: other.jws },
        { ...document, key: other.key },
        { ...document, log: other.log },
        { ...document, log: { ...log, proof: other.log?.proof ?? [] } },
        { ...document, log: { ...log, checkpoint: other.log?.checkpoint ?? "" } },
        { ...document, log: { ...log, successions: [] } },
        { ...document, log: { ...log, successions: [...(log.successions ?? []), ...(log.successions ?? [])] } },
        { ...document, log: { ...log, leaf: (log.leaf ?? 0) + 1 } },
        { ...document, log: { ...log, extends: { size: 1, root: "", proof: [] } } },
        { ...document, receipt: { ...document.receipt, chargedMs: document.receipt.chargedMs + 1 } },
        { ...document, receipt: { ...document.receipt, account: "\ud800" } },
        { ...document, more: 1 },
      ];
    });
    const same = new Set(documents.map((document) => JSON.stringify(document)));
    const lines = [...flipped, ...mixed.map(lineOf)].filter((line) => !same.has(line.toString()));
    const told = await compare(lines);
    const genuine = told.flatMap(({ ok }, at) => (ok ? [lines[at]?.toString()] : []));
    assert.deepEqual(
      genuine.filter((line) => line?.includes('"successions":["')),
      [],
      "one without keys that followed may lose what says so",
    );
    assert.ok(lines.length > 400);
    await compare(lines.slice(0, 40), "--pure");
  });

  test("the other one's command line has the keys, a checkpoint from before, and exit codes of its own", async () => {
    const file = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const run = (...args: readonly string[]): number | null => spawnSync(python, [program, ...args]).status;
    const last = documents.at(-1) as SignedReceipt;
    const receipt = file("r.json", JSON.stringify(last, null, 2));
    const keys = file("keys.json", JSON.stringify({ keys: await world.keys.published() }));
    const other = await ReceiptWorld.open();
    await other.calls(3, 0, 2);
    const seen = documents.find(({ log }) => log?.checkpoint.split("\n")[1] === "3")?.log?.checkpoint ?? "";
    const rewritten = (await other.receipt("c_0001")).log?.checkpoint ?? "";
    assert.equal(run(receipt, "--key", keys, "--earlier", file("seen.txt", seen)), 0);
    assert.equal(run(receipt, "--earlier", file("other.txt", rewritten)), 1);
    assert.equal(run(receipt, "--key", file("others.json", JSON.stringify({ keys: await other.keys.published() }))), 1);
    assert.equal(run(file("bad.json", "{")), 2);
    assert.equal(run(receipt, "--earlier", file("none.txt", "none")), 2);
    assert.equal(run(join(folder, "absent.json")), 2);
  });
});
