/** What discussions are called, and the words for no. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { titleMaxLength, titleOf } from "./discussion-rules.ts";

test("a pull request that begins with a commit has a title as each other: one line without control characters, which git takes for the merge", () => {
  assert.equal(titleOf("Mend it"), "Mend it");
  assert.equal(titleOf("Mend\0 it\n\u001b[2Jnow"), "Mend  it [2Jnow");
  assert.equal(titleOf("half \ud800"), "half");
  assert.equal(titleOf("\u0001"), "Pull request");
  const long = titleOf(`${"x".repeat(titleMaxLength - 2)}\u{1f600}${"y".repeat(900)}`);
  assert.equal(long, `${"x".repeat(titleMaxLength - 2)}…`);
});
