/** Whom huggingface_hub in an app asks, and so shows the tokens of those who signed in: the platform, unless the app's author names another. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Platform, until, visit, type Account, type App } from "./support/platform.ts";

/** Tells of its environment what is asked. */
const program = `
  import { createServer } from "node:http";
  createServer((request, response) => {
    response.end(process.env[new URL(request.url, "http://a").searchParams.get("name")] ?? "none");
  }).listen(process.env.PORT);`;
const files = (frontMatter: string): Readonly<Record<string, string>> => ({
  "README.md": `---\nsdk: node\n${frontMatter}---\n`,
  "server.js": program,
});
const hub = "https://hub.example";

describe("HF_ENDPOINT of an app", () => {
  let up: Platform;
  let alice: Account;
  let app: App;
  const env = async ({ url }: App, name = "HF_ENDPOINT"): Promise<string> =>
    (await visit(`${url}/?name=${name}`, alice)).text;
  const becomes = (value: string): Promise<unknown> => until(`it is ${value}`, async () => (await env(app)) === value);
  /** What the log of its newest replica begins with. */
  const begins = async (): Promise<string> => {
    const texts: string[] = [];
    for await (const { source, text } of alice.client.logs(app.space)) if (source !== "app") texts.push(text);
    return texts.join("\n");
  };

  before(async () => {
    up = await Platform.start({ gpus: null });
    alice = await up.account("alice");
    app = await up.deploy(alice, "demo", files("hf_oauth: true\n"));
    assert.ok(app.deployed.ok, app.deployed.says);
  });
  after(() => up[Symbol.asyncDispose]());

  test("is the platform where people sign in to it, at the address of the OpenID provider, and its log says so", async () => {
    const endpoint = await env(app);
    assert.equal(endpoint, await env(app, "OPENID_PROVIDER_URL"));
    assert.equal((await fetch(`${endpoint}/api/whoami-v2`)).status, 401);
    assert.match(
      await begins(),
      /since people sign in to this app, huggingface_hub asks this platform \(HF_ENDPOINT\)/,
    );
  });

  test("is what the author sets, as a variable or as a secret, and the platform again without", async () => {
    const platform = await env(app);
    await alice.client.setVariable(app.space, { key: "HF_ENDPOINT", value: hub });
    await becomes(hub);
    assert.equal((await begins()).includes("huggingface_hub asks this platform"), false);
    await alice.client.unsetVariable(app.space, "HF_ENDPOINT");
    await becomes(platform);
    await alice.client.setSecret(app.space, { key: "HF_ENDPOINT", value: `${hub}/2` });
    await becomes(`${hub}/2`);
  });

  test("is not there where nobody signs in", async () => {
    const other = await up.deploy(alice, "other", files(""));
    assert.ok(other.deployed.ok, other.deployed.says);
    assert.equal(await env(other), "none");
  });
});
