import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { whyNoBlake3 } from "./native.ts";

test("that BLAKE3 has no native code here is known before it is loaded", () => {
  assert.equal(whyNoBlake3(), undefined);
  const folder = mkdtempSync(join(tmpdir(), "wb-native-"));
  try {
    const library = join(folder, "node_modules", "@napi-rs", "blake-hash");
    const none = { name: "@napi-rs/blake-hash", main: "index.js" };
    mkdirSync(library, { recursive: true });
    writeFileSync(join(library, "index.js"), "throw new Error('it is not loaded')");
    const of = { "@napi-rs/blake-hash-of-another": "1.0.0" };
    writeFileSync(join(library, "package.json"), JSON.stringify({ ...none, optionalDependencies: of }));
    const says = whyNoBlake3(pathToFileURL(join(folder, "here.js")).href);
    assert.match(says ?? "", /nothing installed for .* no large file is taken by Xet/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
