import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { hiderOf } from "./doctor-secrets.ts";

test("the key that seals secrets is hidden as it stands in its file, and as the bytes that it is", async () => {
  const data = mkdtempSync(join(tmpdir(), "wb-secrets-"));
  try {
    const key = randomBytes(32);
    const secretsKeyFile = join(data, "secrets.key");
    writeFileSync(secretsKeyFile, `k_1 ${key.toString("base64")}\n`);
    const hide = await hiderOf({ data, secretsKeyFile, env: {}, tokens: [] });
    const hex = key.toString("hex");
    for (const form of [key.toString("base64"), hex, hex.toUpperCase()])
      assert.equal(hide(`it is ${form}.`), "it is ***.");
  } finally {
    rmSync(data, { recursive: true });
  }
});
