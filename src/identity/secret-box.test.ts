import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { appendFileSync, chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { openSecretBox } from "./secret-box.ts";

const random = (count: number): Uint8Array => randomBytes(count);

function keyFile(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "wb-keys-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return join(folder, "made", "secrets.key");
}

describe("SecretBox", () => {
  test("what is sealed opens again, also by the next process, and is not the text", async (t) => {
    const file = keyFile(t);
    const first = await openSecretBox(file, { needed: [], random });
    const sealed = first.seal("tränen lügen nicht", "alice/app KEY");
    assert.doesNotMatch(Buffer.from(sealed.sealed, "base64").toString("latin1"), /nicht/);
    const next = await openSecretBox(file, { needed: [sealed.key], random });
    assert.equal(next.open(sealed, "alice/app KEY"), "tränen lügen nicht");
  });

  test("the same text sealed twice looks different", async (t) => {
    const box = await openSecretBox(keyFile(t), { needed: [], random });
    assert.notEqual(box.seal("again", "").sealed, box.seal("again", "").sealed);
  });

  test("what was changed, or belongs to another place, does not open", async (t) => {
    const box = await openSecretBox(keyFile(t), { needed: [], random });
    const { key, sealed } = box.seal("value", "alice/app KEY");
    assert.throws(() => box.open({ key, sealed }, "bob/app KEY"));
    const bytes = Buffer.from(sealed, "base64");
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] as number) ^ 1;
      assert.throws(() => box.open({ key, sealed: changed.toString("base64") }, "alice/app KEY"), `byte ${at}`);
    }
  });

  test("the file is made for this user alone, and closed again where it is open to others", async (t) => {
    const file = keyFile(t);
    await openSecretBox(file, { needed: [], random });
    assert.equal(statSync(file).mode & 0o777, 0o600);
    chmodSync(file, 0o644);
    await openSecretBox(file, { needed: [], random });
    assert.equal(statSync(file).mode & 0o777, 0o600);
  });

  test("a file that is gone, or has not the key, is told with its name, and none is made", async (t) => {
    const file = keyFile(t);
    await assert.rejects(openSecretBox(file, { needed: ["k_1"], random }), /secrets\.key is not there, and secrets/);
    await openSecretBox(file, { needed: [], random });
    const before = readFileSync(file, "utf8");
    await assert.rejects(openSecretBox(file, { needed: ["k_1"], random }), /has not the key k_1/);
    assert.equal(readFileSync(file, "utf8"), before);
  });

  test("a key that is added seals from then on, and what the one before it sealed opens", async (t) => {
    const file = keyFile(t);
    const old = (await openSecretBox(file, { needed: [], random })).seal("kept", "p");
    appendFileSync(file, `k_second ${randomBytes(32).toString("base64")}\n`);
    const box = await openSecretBox(file, { needed: [old.key], random });
    assert.equal(box.current, "k_second");
    assert.deepEqual([box.open(old, "p"), box.seal("kept", "p").key], ["kept", "k_second"]);
  });

  test("a line that is no key is told by its number", async (t) => {
    const file = keyFile(t);
    await openSecretBox(file, { needed: [], random });
    writeFileSync(file, "k_1 short\n");
    await assert.rejects(openSecretBox(file, { needed: [], random }), /line 1: a key is written k_NAME/);
  });
});
