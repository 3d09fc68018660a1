/** The Streamlit example as it is: built by its sdk_version, and used by a person at a browser. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { deployFolder } from "../../src/client/deploy.ts";
import { openChromium } from "../support/browser.ts";
import { needs } from "../support/needs.ts";
import { Platform, until, visit } from "../support/platform.ts";

const { skip } = await needs("gradio");
const { skip: noSandbox } = await needs("sandbox");
const { skip: noBrowser } = await needs("chromium");
const space = "demo/daylight";
const example = resolve(import.meta.dirname, "../../examples/streamlit");
const buildsWithinMs = 600_000;
const pageWithinMs = 180_000;

describe("the Streamlit example", { skip }, () => {
  let up: Platform;
  let url = "";

  before(async () => {
    up = await Platform.start({ sandbox: noSandbox === false ? "bubblewrap" : "none" });
    const { client } = await up.account("demo");
    const deployed = await deployFolder(client, example, space, { waitMs: buildsWithinMs });
    assert.equal(deployed.ok, true, `${deployed.says}\n${(await up.logTexts(space)).join("\n")}`);
    url = deployed.space.addresses.at(-1) ?? "";
  });
  after(async () => {
    await up?.[Symbol.asyncDispose]();
  });

  test("is well by its own word, and opens the websocket that its page lives on", async () => {
    await until("Streamlit says that it is well", async () => (await visit(`${url}/_stcore/health`)).text === "ok");
    const socket = new WebSocket(`${url.replace("http", "ws")}/_stcore/stream`, ["streamlit"]);
    await once(socket, "open");
    assert.equal(socket.protocol, "streamlit");
    socket.close();
  });

  test(
    "answers a person who picks another place, and its log has what the script printed",
    { skip: noBrowser },
    async () => {
      const browser = await openChromium();
      try {
        const page = await browser.newPage();
        await page.goto(url, { timeout: pageWithinMs });
        await page.getByText("12.1 h").first().waitFor({ timeout: pageWithinMs });
        await page.getByRole("combobox").fill("Longyearbyen");
        await page.keyboard.press("Enter");
        await page.getByText("days without a sunrise").waitFor({ timeout: pageWithinMs });
      } finally {
        await browser.close();
      }
      await until("the app's log", async () =>
        (await up.logTexts(space)).some((line) => line.includes("Longyearbyen 78.2: 0.0 to 24.0 hours")),
      );
    },
  );
});
