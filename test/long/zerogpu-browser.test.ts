/** Functions of every kind as a person at a browser meets them. */
import { after, before, describe, test } from "node:test";
import { browserCaller } from "../support/browser.ts";
import type { GradioCaller } from "../support/gradio-callers.ts";
import { needs } from "../support/needs.ts";
import { Platform } from "../support/platform.ts";
import { assertEnded, kindsWith, withoutExits } from "../support/zerogpu-kinds.ts";
import { ZeroGpuSpace } from "../support/zerogpu-world.ts";

const { skip } = await needs("gradio", "chromium");
const { skip: noSandbox } = await needs("sandbox");
const { skip: noExits } = await needs("exits");

describe("ZeroGPU at a browser", { skip }, () => {
  let up: Platform;
  let space: ZeroGpuSpace;
  let browser: GradioCaller;
  before(async () => {
    up = await Platform.start({ gpus: "1x2", sandbox: noSandbox === false ? "bubblewrap" : "none" });
    space = await ZeroGpuSpace.deploy(up, await up.account("owner"), "kinds", { gradio: "6.31.0" });
    browser = await browserCaller();
  });
  after(async () => {
    await browser?.[Symbol.asyncDispose]();
    await space?.[Symbol.asyncDispose]();
    await up?.[Symbol.asyncDispose]();
  });

  for (const kind of kindsWith(noExits === false ? {} : withoutExits)) {
    test(`${kind.says} (${kind.api})`, async () => {
      assertEnded(kind, await space.call(space.stranger(browser), kind), "address");
    });
  }
});
