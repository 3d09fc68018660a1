import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { writeLargeFiles, type LargeFile } from "./lfs-tree.ts";

test("a file that lies in parts is written as it is read: each piece before the next takes its memory", async () => {
  const folder = mkdtempSync(join(tmpdir(), "wb-large-"));
  const [pieces, pieceBytes] = [200, 1_000];
  async function* used(): AsyncGenerator<Uint8Array> {
    const memory = Buffer.alloc(pieceBytes);
    for (let n = 0; n < pieces; n++) yield memory.fill(n);
    memory.fill(255);
  }
  const pointer = { oid: "a".repeat(64), size: pieces * pieceBytes };
  const file: LargeFile = {
    entry: { path: "w.bin", mode: "100644", oid: "b".repeat(40), size: 130 },
    pointer,
    object: { ...pointer, by: "xet", hash: "c".repeat(64), terms: [] },
  };
  try {
    await writeLargeFiles([file], folder, { signal: undefined, open: used });
    const whole = Buffer.concat(Array.from({ length: pieces }, (_, n) => Buffer.alloc(pieceBytes, n)));
    assert.ok(readFileSync(join(folder, "w.bin")).equals(whole));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
