/** Apps of other years with the packages of their time: the same ends, charges and verdicts; what differs is what `spaces` and Gradio say. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { readPlan } from "../../src/runtime/folder.ts";
import { needs } from "../support/needs.ts";
import { Platform } from "../support/platform.ts";
import { assertEnded, kindsWith, spaces030, spaces045, withoutExits } from "../support/zerogpu-kinds.ts";
import { ZeroGpuSpace } from "../support/zerogpu-world.ts";

const { skip } = await needs("gradio");
const { skip: noSandbox } = await needs("sandbox");
const { skip: noExits } = await needs("exits");

describe("ZeroGPU on other versions", { skip }, () => {
  let up: Platform;
  before(async () => {
    up = await Platform.start({ gpus: "1x2", sandbox: noSandbox === false ? "bubblewrap" : "none" });
    await up.account("owner");
  });
  after(() => up[Symbol.asyncDispose]());

  for (const { name, versions, spaces, otherwise } of [
    { name: "five", versions: { gradio: "5.50.0", spaces: "0.51.3" }, spaces: /^0\.51\.3$/, otherwise: {} },
    { name: "five-of-its-time", versions: { gradio: "5.50.0" }, spaces: /^0\.45\./, otherwise: spaces045 },
    { name: "four", versions: { gradio: "4.44.1" }, spaces: /^0\.30\./, otherwise: spaces030 },
  ] as const) {
    test(`Gradio ${versions.gradio}, ${name}`, async (t) => {
      await using space = await ZeroGpuSpace.deploy(up, await up.account("owner"), name, versions);
      const plan = readPlan((await up.replica(space.app.space)).folder);
      assert.equal(plan?.release.runtime?.gradio, versions.gradio);
      assert.match(plan?.release.runtime?.spaces ?? "", spaces);
      for (const kind of kindsWith({ ...otherwise, ...(noExits === false ? {} : withoutExits) })) {
        await t.test(`${kind.says} (${kind.api})`, async () => {
          for (const visitor of space.visitors) assertEnded(kind, await space.call(visitor, kind));
        });
      }
    });
  }
});
