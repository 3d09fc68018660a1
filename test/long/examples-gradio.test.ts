/** The Gradio examples as they are: deployed through the platform, in the sandbox where there is one, and used as their visitors use them. */
import assert from "node:assert/strict";
import { resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { Client } from "@gradio/client";
import { deployFolder } from "../../src/client/deploy.ts";
import type { CallView } from "../../src/contract/api.ts";
import { needs } from "../support/needs.ts";
import { Platform, until, visit, type Account, type App } from "../support/platform.ts";
import { findPackages } from "../support/run.ts";

const { skip } = await needs("gradio");
const { skip: noSandbox } = await needs("sandbox");
const examples = resolve(import.meta.dirname, "../../examples");
/** A cold install of the largest takes a minute on a slow line. */
const runsWithinMs = 600_000;

describe("Gradio examples", { skip }, () => {
  let up: Platform;
  let author: Account;
  let visitor: Account;

  before(async () => {
    up = await Platform.start({ sandbox: noSandbox === false ? "bubblewrap" : "none" });
    author = await up.account("demo");
    await findPackages(up, author);
    visitor = await up.account("visitor");
  });
  after(async () => {
    await up[Symbol.asyncDispose]();
  });

  async function deploy(name: string): Promise<App> {
    const space = `demo/${name}`;
    const deployed = await deployFolder(author.client, resolve(examples, name), space, { waitMs: runsWithinMs });
    assert.equal(deployed.ok, true, `${deployed.says}\n${(await up.logTexts(space)).join("\n")}`);
    return { space, deployed, url: deployed.space.addresses.at(-1) ?? "" };
  }

  const connect = ({ url }: App): Promise<Client> => Client.connect(url, { token: visitor.token as `hf_${string}` });

  /** The visitor's calls of a Space, all ended: each charged to them for what it used. */
  async function charged({ space }: App, count: number): Promise<readonly CallView[]> {
    const calls = await until(`${count} calls of ${space} have their receipts`, async () => {
      const { items } = await visitor.client.calls({ account: visitor.name });
      const mine = items.filter((call) => call.space === space);
      return mine.length === count && mine.every(({ receipt }) => receipt !== null) && mine;
    });
    for (const call of calls) {
      assert.deepEqual([call.outcome, call.account], ["ok", visitor.name]);
      assert.ok(
        call.chargedMs > 0 && call.chargedMs === call.usedMs && call.usedMs <= call.heldMs,
        JSON.stringify(call),
      );
    }
    return calls;
  }

  test("image-filter takes an uploaded picture and gives both, before and after", async () => {
    const app = await deploy("image-filter");
    const client = await connect(app);
    const { data } = await client.predict("/apply", [new Blob([gradientPng()], { type: "image/png" }), "Glow", 0.5]);
    const [pair] = data as [[{ url: string }, { url: string }]];
    const [before_, after_] = await Promise.all(pair.map(({ url }) => bytesOf(url, visitor)));
    assert.equal(before_?.subarray(8, 12).toString(), "WEBP");
    assert.notDeepEqual(before_, after_);
    const [call] = await charged(app, 1);
    assert.equal(call?.declaredMs, 10_000);
  });

  test("chat streams its answer word by word, and costs no GPU time", async () => {
    const app = await deploy("chat");
    const client = await connect(app);
    const said: string[] = [];
    for await (const event of client.submit("/chat", ["Was there fog last night?"]))
      if (event.type === "data") said.push(String((event.data as unknown[])[0]));
    assert.ok(said.length > 10, `${said.length} updates`);
    said.reduce((shorter, longer) => (assert.ok(longer.startsWith(shorter), `${shorter} | ${longer}`), longer));
    assert.match(said.at(-1) ?? "", /\w+ \w+ .*\.$/);
    await charged(app, 0);
  });

  test("fastapi-gradio serves its own routes beside its page, and its function borrows a GPU without a launch()", async () => {
    const app = await deploy("fastapi-gradio");
    assert.deepEqual(JSON.parse((await visit(`${app.url}/api/health`)).text), { ok: true });
    const client = await connect(app);
    const { data } = await client.predict("/throw", [2, 50_000]);
    assert.match(String((data as [{ label: string }])[0].label), /^[678]$/);
    assert.deepEqual(JSON.parse((await visit(`${app.url}/api/history`)).text).length, 1);
    await charged(app, 1);
  });

  test(
    "space-to-space has another Space draw, and the GPU time there is its visitor's",
    { skip: noSandbox },
    async () => {
      const painter = await deploy("mandelbrot");
      const client = await connect(await deploy("space-to-space"));
      const { data } = await client.predict("/postcard", ["Hello", 2]);
      const card = await bytesOf((data as [{ url: string }])[0].url, visitor);
      assert.equal(card?.subarray(8, 12).toString(), "WEBP");
      const [call] = await charged(painter, 1);
      assert.equal(call?.declaredMs, 11_000);
    },
  );

  test("speech reads a text with a voice that a package brought", async () => {
    const app = await deploy("speech");
    const client = await connect(app);
    const speak = async (): Promise<Buffer | undefined> => {
      const { data } = await client.predict("/speak", ["The lamp was lit at dusk. It burned clear.", 1]);
      return bytesOf((data as [{ url: string }])[0].url, visitor);
    };
    const wave = await speak();
    assert.equal(wave?.subarray(0, 4).toString(), "RIFF");
    assert.ok((wave?.length ?? 0) > 22_050 * 2, `${wave?.length} bytes are less than a second`);
    await speak();
    const calls = await charged(app, 2);
    assert.deepEqual(
      calls.map(({ declaredMs }) => declaredMs),
      [10_000, 10_000],
    );
  });
});

async function bytesOf(url: string, { token }: Account): Promise<Buffer> {
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(response.status, 200, url);
  return Buffer.from(await response.arrayBuffer());
}

/** 8 × 8 pixels, from black to white. */
function gradientPng(): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(
    Buffer.from(
      "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAAHElEQVR42mMUZIAAFjkYQxHGUMDNgKlhfA9lAAAt/gHbLIhG5QAAAABJRU5ErkJggg==",
      "base64",
    ),
  );
}
