import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { LfsParts, partBytes, sweepParts } from "./lfs-parts.ts";
import { findObject, LfsStore } from "./lfs-store.ts";

const folder = mkdtempSync(join(tmpdir(), "wb-parts-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const random = (count: number): Uint8Array => crypto.getRandomValues(new Uint8Array(count));
const bytes = randomBytes(partBytes + 1_000);
const sha256 = (of: Uint8Array): string => createHash("sha256").update(of).digest("hex");
const pointer = { oid: sha256(bytes), size: bytes.length };
const [first, second] = [bytes.subarray(0, partBytes), bytes.subarray(partBytes)];

async function* whole(of: Uint8Array): AsyncGenerator<Uint8Array> {
  yield of;
}

let repositories = 0;
function fresh(repositoryMaxBytes = 2 ** 30) {
  const repository = join(folder, `r${++repositories}.git`);
  mkdirSync(repository);
  const store = new LfsStore(random, { freeMinBytes: 0, repositoryMaxBytes });
  return { repository, parts: new LfsParts({ store, random }) };
}

describe("a file in parts", () => {
  test("is the file when all have come, in whichever order; the parts are gone then", async () => {
    const { repository, parts } = fresh();
    assert.deepEqual(await parts.put(repository, pointer, 2, whole(second)), { ok: true, etag: `"${sha256(second)}"` });
    const early = await parts.join(repository, pointer, "alice");
    assert.ok(!early.ok && early.says === "its part 1 has not come");
    assert.ok((await parts.put(repository, pointer, 1, whole(first))).ok);
    assert.deepEqual(await parts.join(repository, pointer, "alice"), { ok: true });
    const found = await findObject(repository, pointer);
    assert.equal(sha256(readFileSync(found?.by === "lfs" ? found.file : "")), pointer.oid);
  });

  test("may be put together twice at once, and again: an answer that was lost costs nothing", async () => {
    const { repository, parts } = fresh();
    await parts.put(repository, pointer, 1, whole(first));
    await parts.put(repository, pointer, 2, whole(second));
    const both = await Promise.all([1, 2].map(() => parts.join(repository, pointer, "alice")));
    const all = [...both, await parts.join(repository, pointer, "bob")];
    assert.ok(all.every(({ ok }) => ok));
    const other = await parts.join(repository, { ...pointer, size: pointer.size + 1 }, "alice");
    assert.ok(!other.ok && other.says === "its part 1 has not come");
  });

  test("of which one is another's is refused when they are put together, and begins anew", async () => {
    const { repository, parts } = fresh();
    await parts.put(repository, pointer, 1, whole(first));
    await parts.put(repository, pointer, 2, whole(randomBytes(1_000)));
    const joined = await parts.join(repository, pointer, "alice");
    assert.ok(!joined.ok && /its SHA-256 is/.test(joined.says));
    assert.equal(await findObject(repository, pointer), undefined);
    const again = await parts.join(repository, pointer, "alice");
    assert.ok(!again.ok && /its part 1 has not come/.test(again.says));
  });

  test("takes no part of another length or number, and the last one that was sent counts", async () => {
    const { repository, parts } = fresh();
    for (const [number, content] of [
      [2, first],
      [2, second.subarray(1)],
      [3, second],
      [0, second],
    ] as const) {
      const taken = await parts.put(repository, pointer, number, whole(content));
      assert.ok(!taken.ok && taken.status === 422, `${number}`);
    }
    await parts.put(repository, pointer, 2, whole(randomBytes(1_000)));
    await parts.put(repository, pointer, 2, whole(second));
    await parts.put(repository, pointer, 1, whole(first));
    assert.deepEqual(await parts.join(repository, pointer, "alice"), { ok: true });
  });

  test("that are never put together have a bound, and go", async () => {
    const other = { oid: "1".repeat(64), size: pointer.size };
    const { repository: roomy, parts: few } = fresh(partBytes + 2_000);
    assert.ok((await few.put(roomy, other, 1, whole(first))).ok);
    const refused = await few.put(roomy, pointer, 1, whole(first));
    assert.ok(!refused.ok && refused.status === 413);
    await sweepParts(roomy, Infinity, random);
    assert.ok((await few.put(roomy, pointer, 1, whole(first))).ok);
  });
});
