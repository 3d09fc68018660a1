import assert from "node:assert/strict";
import { test } from "node:test";
import { GitFailure } from "./git.ts";
import { mainRef, refusePush } from "./receive-rules.ts";

const command = { from: "0".repeat(40), to: "1".repeat(40), ref: mainRef };

test("a push of more objects than can be listed is refused with what to do, and is no fault of the platform", async () => {
  const endless = (): Promise<never> => Promise.reject(new GitFailure("git-too-much", "said more than expected"));
  const refused = await refusePush(endless, [command], "/nowhere");
  assert.equal(refused?.code, "transfer/too-large");
  assert.match(
    refused.lines.join("\n"),
    /more files and folders, .* than can be looked through.*\nPush its history in parts/,
  );
});

test("git that fails for another reason is told as it is", async () => {
  const broken = (): Promise<never> => Promise.reject(new GitFailure("git-failed", "bad object"));
  await assert.rejects(refusePush(broken, [command], "/nowhere"), /bad object/);
});
