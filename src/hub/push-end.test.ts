import assert from "node:assert/strict";
import { test } from "node:test";
import { pushEnd } from "./push-end.ts";

const failed = (said: string, unpack = "unpack index-pack abnormal exit") =>
  pushEnd({ report: [unpack, "ng refs/heads/main unpacker error"], said });

test("what git says of a push that it did not take, and what each is", () => {
  for (const [said, code] of [
    ["fatal: write error: No space left on device", "transfer/disk-full"],
    ["fatal: sha1 file '<stdin>' write error. Out of diskspace", "transfer/disk-full"],
    [
      "error: object 2c0fbb: missingEmail: invalid author\nfatal: fsck error in packed object",
      "transfer/object-refused",
    ],
    ["fatal: pack exceeds maximum allowed size (1.00 MiB)", "transfer/too-large"],
    ["fatal: pack is corrupted (SHA1 mismatch)", "transfer/pack-broken"],
    ["fatal: early EOF", "transfer/pack-broken"],
    ["fatal: pack has 2 unresolved deltas", "transfer/pack-broken"],
    ["fatal: write error: Input/output error", "transfer/failed"],
    ["fatal: out of memory, malloc failed", "transfer/failed"],
    ["", "transfer/failed"],
  ] as const)
    assert.equal(failed(said)?.code, code, said);
});

test("its words are those of errors, without what only tells how far it came", () => {
  const said = "Unpacking objects:  50% (1/2)\rremote: error: inflate: data stream error\nfatal: inflate returned -3\n";
  assert.equal(failed(said)?.says, "error: inflate: data stream error; fatal: inflate returned -3");
  assert.equal(failed("")?.says, "unpack index-pack abnormal exit");
  assert.equal(failed(`fatal: ${"x".repeat(9_000)}`)?.says.length, 501);
});

test("a reference that another changed first, and one that git refuses, are told apart", () => {
  const refused = (why: string) => pushEnd({ report: ["unpack ok", `ng refs/heads/main ${why}`], said: "" });
  assert.equal(refused("failed to update ref")?.code, "transfer/conflict");
  assert.equal(refused("missing necessary objects")?.code, "transfer/pack-broken");
  assert.deepEqual(refused("deletion prohibited"), {
    ...{ code: "transfer/push-refused", says: "refs/heads/main deletion prohibited" },
  });
});

test("one that git did, or of which it said nothing, has no such end", () => {
  assert.equal(pushEnd({ report: ["unpack ok", "ok refs/heads/main"], said: "warning: x" }), undefined);
  assert.equal(pushEnd({ report: [], said: "" }), undefined);
});
