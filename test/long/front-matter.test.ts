/** Each key of the front matter, on a Space of its own on a real platform: taken, done, or said by its name and line. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { frontMatterKeys, type FrontMatterKey, type KeyRow } from "../../src/build/front-matter-keys.ts";
import { Platform, visit, type Account, type App } from "../support/platform.ts";

/** One value of each key, as a line of a static Space's README.md. */
const examples: Record<FrontMatterKey, string> = {
  sdk: "static",
  sdk_version: "6.31.0",
  python_version: '"3.10"',
  app_file: "page.html",
  app_port: "8080",
  app_build_command: "mkdir made",
  static_folder: "site",
  startup_duration_timeout: "1h",
  preload_from_hub: "[team/model config.json]",
  custom_headers: "{cross-origin-opener-policy: same-origin}",
  disable_embedding: "true",
  title: "A title",
  emoji: "🚚",
  colorFrom: "red",
  colorTo: "blue",
  short_description: "Short",
  license: "mit",
  pinned: "true",
  suggested_hardware: "t4-small",
  suggested_storage: "small",
  base_path: "/deep",
  hf_oauth: "true",
  hf_oauth_scopes: "[email]",
  hf_oauth_expiration_minutes: "480",
  hf_oauth_authorized_org: "team",
  hf_oauth_redirect_path: "/login",
  fullWidth: "true",
  header: "mini",
  thumbnail: "https://example.test/a.png",
  models: "[team/model]",
  datasets: "[team/data]",
  tags: "[a, b]",
  language: "en",
  languages: "[en, de]",
  library_name: "gradio",
  pipeline_tag: "text-to-speech",
  base_model: "team/model",
  metrics: "[accuracy]",
  widget: "[{text: hello}]",
  arxiv: "1706.03762",
  license_name: "mine",
  license_link: "LICENSE",
  duplicated_from: "team/space",
  failure_strategy: "rollback",
  hardware: "t4-small",
};

describe("a key of the front matter", () => {
  let up: Platform;
  let alice: Account;
  before(async () => {
    up = await Platform.start();
    alice = await up.account("alice");
  });
  after(() => up[Symbol.asyncDispose]());

  const deploy = (name: string, ...lines: readonly string[]): Promise<App> =>
    up.deploy(alice, name, {
      ...{ "package.json": "", "server.js": "", "work.js": "", "render.js": "" },
      "README.md": `---\n${["sdk: static", ...lines].join("\n")}\n---\n`,
      ...{ "index.html": "usual", "page.html": "named", "site/index.html": "in site" },
    });
  const warnings = async ({ deployed }: App): Promise<readonly string[]> => {
    const found: string[] = [];
    for await (const { text } of alice.client.buildLog(deployed.build?.id ?? ""))
      if (text.startsWith("warning: ")) found.push(text);
    return found;
  };

  for (const [key, value] of Object.entries(examples)) {
    const row: KeyRow = frontMatterKeys[key as FrontMatterKey];
    test(`${key}: ${value} is ${row.use}, and the Space runs`, async () => {
      const app = await deploy(key.toLowerCase().replaceAll("_", "-"), ...(key === "sdk" ? [] : [`${key}: ${value}`]));
      assert.equal(app.deployed.ok, true, app.deployed.says);
      const says = `warning: README.md line 3: ${key} is not done here: ${row.does}`;
      assert.deepEqual(await warnings(app), row.use === "said" ? [says] : []);
      const { status, text } = await visit(app.url, alice);
      const page = { app_file: "named", static_folder: "in site" }[key] ?? "usual";
      assert.deepEqual([status, text.trim()], [200, page]);
    });
  }

  test("that puts headers on answers has them there, and custom_headers takes no other", async () => {
    const headers = { ...(await headersOf("custom-headers")), ...(await headersOf("disable-embedding")) };
    assert.equal(headers["cross-origin-opener-policy"], "same-origin");
    assert.equal(headers["content-security-policy"], "frame-ancestors 'self'");
    const { deployed } = await deploy("other-header", "custom_headers: {x-powered-by: me}");
    assert.equal(deployed.build?.code, "build/config-invalid");
    assert.match(deployed.says, /line 3: custom_headers has "x-powered-by"; here are cross-origin-embedder-policy/);
  });

  const headersOf = async (name: string): Promise<Record<string, string>> => {
    const address = (await up.admin.space(`alice/${name}`)).addresses.at(-1) ?? "";
    return Object.fromEntries((await fetch(address)).headers);
  };

  test("that nobody knows is a warning with the nearest that is known, and a wrong value ends the build with all of them", async () => {
    const [unknown] = await warnings(await deploy("slip", "app_prot: 8080"));
    assert.match(unknown ?? "", /line 3: app_prot is not a setting that is known here; did you mean app_port\?$/);
    const { deployed } = await deploy("wrong", "pinned: maybe", "header: huge", "startup_duration_timeout: soon");
    assert.equal(deployed.build?.code, "build/config-invalid");
    assert.match(deployed.says, /^3 problems: README\.md line 3: pinned is "maybe"/);
  });
});
