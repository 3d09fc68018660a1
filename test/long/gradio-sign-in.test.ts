/**
 * An unmodified Gradio app signs people in with their account here: `gr.LoginButton`, `gr.OAuthProfile` and `gr.OAuthToken` in Debian's
 * Chromium, through a real `waybill up`.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import type { TokenView } from "../../src/contract/identity.ts";
import { newVisitor, openChromium, signIn } from "../support/browser.ts";
import { needs } from "../support/needs.ts";
import { Platform, until, type Account, type App } from "../support/platform.ts";
import { deployWithPackages } from "../support/run.ts";

const { skip } = await needs("gradio", "chromium");
const { skip: noSandbox } = await needs("sandbox");
const password = "correct horse battery staple";

const program = `
import gradio as gr
from huggingface_hub import whoami


def tell(profile: gr.OAuthProfile | None, token: gr.OAuthToken | None):
    if profile is None or token is None:
        return "a stranger"
    try:
        about = whoami(token.token)
    except Exception as error:
        return f"{profile.name} is refused: {error.response.status_code}"
    return f"{profile.name} ({token.scope}) is {about['name']} to the platform"


with gr.Blocks() as demo:
    gr.LoginButton()
    said = gr.Textbox(label="said")
    demo.load(tell, None, said)

demo.launch()
`;
const files = (frontMatter: string): Readonly<Record<string, string>> => ({
  "README.md": `---\nsdk: gradio\nsdk_version: 6.31.0\ntitle: Who are you\nhf_oauth: true\n${frontMatter}---\n`,
  "app.py": program,
  // None of the fixture app's.
  ...{ "package.json": "", "server.js": "", "gradio.js": "", "work.js": "" },
});

describe("signing in to a Gradio app", { skip }, () => {
  let up: Platform;
  let browser: Browser;
  let alice: Account;
  let bob: Account;
  const apps = new Map<string, string>();
  const addressOf = (name: string): string => apps.get(name) ?? assert.fail(`${name} is not deployed`);

  before(async () => {
    up = await Platform.start({ sandbox: noSandbox === false ? "best" : "none" });
    [alice, bob] = [await up.account("alice"), await up.account("bob")];
    await up.admin.setPassword("bob", { password });
    await up.admin.createAccount({ name: "acme", organisation: true, admin: "alice" });
    await deploy("who", "hf_oauth_scopes: [read-repos]\n");
    await deploy("members", "hf_oauth_authorized_org: acme\nhf_oauth_expiration_minutes: 1\n");
    browser = await openChromium("--ignore-certificate-errors");
  });
  after(async () => {
    await browser?.close();
    await up?.[Symbol.asyncDispose]();
  });

  async function deploy(name: string, frontMatter: string): Promise<void> {
    const { deployed }: App = await deployWithPackages(up, alice, name, files(frontMatter));
    assert.ok(deployed.ok, deployed.says);
    apps.set(name, deployed.space.addresses[0] ?? "");
  }

  /** Presses the app's button, and signs in at the console where it asks. */
  async function press(page: Page): Promise<void> {
    await page.getByRole("button", { name: "Sign in with Hugging Face" }).click();
    await page.waitForURL(new RegExp(`^https?://localhost:${new URL(up.url).port}/login\\?next=`));
    await signIn(page, { account: "bob", password });
  }

  /** What the app's function gave when the page was opened. */
  async function said(page: Page): Promise<unknown> {
    const value = `document.querySelector('textarea')?.value`;
    await page.waitForFunction(`${value} !== "" && ${value} !== undefined`);
    return page.evaluate(value);
  }

  const says = async (page: Page, wanted: string): Promise<void> => assert.equal(await said(page), wanted);

  const appTokens = async (of = "alice/who"): Promise<readonly TokenView[]> =>
    (await bob.client.tokens()).items.filter(({ app, revokedAt }) => app === of && revokedAt === null);

  const known = "bob (openid profile read-repos) is bob to the platform";

  test("the button leads to the console, what is allowed comes back, and the app calls the platform as who it is", async () => {
    await using context = await newVisitor(browser);
    const page = await context.newPage();
    await page.goto(addressOf("who"));
    await says(page, "a stranger");
    await press(page);
    await page.getByRole("heading", { name: "Let the app alice/who know who you are?" }).waitFor();
    await page.getByRole("button", { name: "Allow" }).click();
    await page.getByRole("button", { name: "Logout (bob)" }).waitFor();
    await says(page, known);
    assert.equal(page.url(), `${addressOf("who")}/`);
    assert.deepEqual(
      (await appTokens()).map(({ scopes }) => scopes),
      [["read"]],
    );
    // What the app has of the browser is its own session, and none of the console's.
    const cookies = (await context.cookies(addressOf("who"))).map(({ name }) => name);
    assert.deepEqual(cookies, ["session"]);

    await page.getByRole("button", { name: "Logout (bob)" }).click();
    await page.getByRole("button", { name: "Sign in with Hugging Face" }).waitFor();
    await says(page, "a stranger");

    // Still signed in at the console, and what was allowed is remembered: nothing is asked.
    await page.getByRole("button", { name: "Sign in with Hugging Face" }).click();
    await page.getByRole("button", { name: "Logout (bob)" }).waitFor();
    await says(page, known);
  });

  test("a token that its person revoked is refused, and the app has to ask again", async () => {
    await using context = await newVisitor(browser);
    const page = await context.newPage();
    await page.goto(addressOf("who"));
    await press(page);
    await page.getByRole("button", { name: "Logout (bob)" }).waitFor();
    await says(page, known);
    // The newest is this page's; with any of them bob takes back what he allowed the app, so the others go too.
    await bob.client.revokeToken((await appTokens())[0]?.id ?? "");
    assert.deepEqual(await appTokens(), []);
    await page.reload();
    await says(page, "bob is refused: 401");
    await page.getByRole("button", { name: "Logout (bob)" }).click();
    await page.getByRole("button", { name: "Sign in with Hugging Face" }).click();
    await page.getByRole("button", { name: "Allow" }).waitFor();
    assert.deepEqual(await appTokens(), []);
  });

  test("who says no is a stranger to the app, as before", async () => {
    await using context = await newVisitor(browser);
    const page = await context.newPage();
    await page.goto(addressOf("who"));
    await press(page);
    await page.getByRole("button", { name: "Deny" }).click();
    await page.waitForURL(/\/login\/callback\?.*error=access_denied/);
    assert.equal(new URL(page.url()).origin, addressOf("who"));
    await page.goto(addressOf("who"));
    await page.getByRole("button", { name: "Sign in with Hugging Face" }).waitFor();
    await says(page, "a stranger");
    assert.deepEqual(await appTokens(), []);
  });

  test("who is no member of the organisation is told so by the console, and comes in as soon as they are one", async () => {
    await using context = await newVisitor(browser);
    const page = await context.newPage();
    await page.goto(addressOf("members"));
    await press(page);
    await page.getByText("Only members of acme may sign in to alice/members, and bob is none.").waitFor();
    await page.goto(addressOf("members"));
    await says(page, "a stranger");
    await up.admin.addMember("acme", { account: "bob", role: "read" });
    await page.getByRole("button", { name: "Sign in with Hugging Face" }).click();
    await page.getByRole("button", { name: "Allow" }).click();
    await page.getByRole("button", { name: "Logout (bob)" }).waitFor();
    await says(page, "bob (openid profile) is bob to the platform");

    // Its token holds for the minute that the front matter has; then bob is a stranger to the app.
    const [token] = await appTokens("alice/members");
    const { createdAt, expiresAt } = token ?? assert.fail("the app has no token");
    // OAuth counts whole seconds.
    const lastsMs = Date.parse(expiresAt ?? "") - Date.parse(createdAt);
    assert.ok(lastsMs > 59_000 && lastsMs <= 60_000, String(lastsMs));
    await until("the app knows bob no more", async () => {
      await page.reload();
      return (await said(page)) === "a stranger";
    });
    assert.ok(Date.now() >= Date.parse(expiresAt ?? ""));
  });

  test("with TLS all of it goes by https, in the same way", async () => {
    await up.stop();
    await up.up({ env: { WAYBILL_TLS: "ca" } });
    await until("the app runs again", async () => (await up.admin.space("alice/who")).state === "running");
    const [address = ""] = (await up.admin.space("alice/who")).addresses;
    assert.match(address, /^https:/);
    await using context = await newVisitor(browser);
    const page = await context.newPage();
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    await page.goto(address);
    await press(page);
    await page.getByRole("button", { name: "Allow" }).click();
    await page.getByRole("button", { name: "Logout (bob)" }).waitFor();
    await says(page, known);
    assert.equal(page.url(), `${address}/`);
    assert.deepEqual(
      asked.filter((url) => url.startsWith("http:")),
      [],
    );
  });
});
