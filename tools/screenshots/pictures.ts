/** The guide's pictures: the console of a platform with the same accounts, Spaces and calls each time, as a browser shows it. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { deployFolder } from "../../src/client/deploy.ts";
import { openChromium, signIn } from "../../test/support/browser.ts";
import { Platform, until, visit, type Account } from "../../test/support/platform.ts";

const size = { width: 1_200, height: 780 };
/** An app and what stands above it. */
const tall = { width: 1_200, height: 1_050 };
const password = "a sentence is a good password";
const examples = join(import.meta.dirname, "..", "..", "examples");
/** Reached only where something has failed. */
const shownWithinMs = 180_000;
/** Longer than a picture takes, shorter than anybody waits. */
const holdSeconds = 90;

/** Their names, without the ending. */
export const pictures = ["home", "space", "build", "gpu", "refused", "me", "verify", "status", "admin"] as const;

/** Writes all of them into the folder. */
export async function makePictures(into: string): Promise<void> {
  mkdirSync(into, { recursive: true });
  await using world = await World.open();
  const file = (name: (typeof pictures)[number]): string => join(into, `${name}.png`);
  const alice = await world.visitor("alice");
  const page = await alice.newPage();
  const show = async (path: string, says: string | RegExp): Promise<void> => {
    await page.goto(world.up.url + path);
    await page.locator("main").getByText(says).first().waitFor();
  };

  const { failed } = await world.deployAll();
  await show("/spaces/alice/mandelbrot", "Limits of a build");
  await page.getByRole("button", { name: "Show it here" }).click();
  const app = page.frameLocator("iframe");
  await app.getByRole("button", { name: "Draw" }).click();
  await app.getByRole("img", { name: /Mandelbrot/ }).waitFor();
  await page.setViewportSize(tall);
  await page.evaluate("scrollTo(0, 0)");
  await page.screenshot({ path: file("space") });
  await page.setViewportSize(size);
  await show(`/w/${failed}`, /lines; the log has ended/);
  await page.screenshot({ path: file("build") });
  await show("/", "alice/mandelbrot");
  await page.screenshot({ path: file("home") });

  await world.fillPool();
  // Whose the others are, operators alone are told.
  const operator = await (await world.visitor("admin")).newPage();
  await operator.goto(`${world.up.url}/gpu`);
  await operator.locator("main").getByText("2 of 2 slots leased").first().waitFor();
  await operator.screenshot({ path: file("gpu") });
  const refused = await world.refusedCall();
  await show(`/w/${refused}`, /No GPU became free/);
  await page.screenshot({ path: file("refused") });
  await world.empty();
  await show("/me", /used \+ .* held \+ .* left/);
  await page.screenshot({ path: file("me") });

  await show("/verify", "it works without a network");
  const buffer = Buffer.from(JSON.stringify(await world.receipt()));
  const receipt = { name: "receipt.json", mimeType: "application/json", buffer };
  await page.getByLabel("Choose a receipt").setInputFiles(receipt);
  await page.getByRole("heading", { name: "Unchanged since it was signed" }).waitFor();
  await page.screenshot({ path: file("verify") });
  await show("/status", "the way to the app");
  await page.screenshot({ path: file("status") });

  await operator.goto(`${world.up.url}/admin`);
  await operator
    .getByText(/Take node .* out of use/)
    .first()
    .waitFor();
  await operator.screenshot({ path: file("admin") });
}

class World implements AsyncDisposable {
  readonly up: Platform;
  readonly #browser: Browser;
  readonly #alice: Account;
  readonly #bob: Account;
  #app = "";
  readonly #leave = new AbortController();
  #holding: readonly Promise<unknown>[] = [];

  private constructor(up: Platform, browser: Browser, alice: Account, bob: Account) {
    this.up = up;
    this.#browser = browser;
    this.#alice = alice;
    this.#bob = bob;
  }

  static async open(): Promise<World> {
    const up = await Platform.start({ gpus: "1x2", sandbox: "best" });
    const [alice, bob] = [await up.account("alice"), await up.account("bob", "pro")];
    for (const name of ["alice", "bob", "admin"]) await up.admin.setPassword(name, { password });
    return new World(up, await openChromium(), alice, bob);
  }

  /** A browser of the account's own, signed in at the console. */
  async visitor(account: string): Promise<BrowserContext> {
    const context = await this.#browser.newContext({
      ...{ viewport: size, locale: "en-GB", timezoneId: "UTC", colorScheme: "light", reducedMotion: "reduce" },
    });
    context.setDefaultTimeout(shownWithinMs);
    const page: Page = await context.newPage();
    await page.goto(`${this.up.url}/login`);
    await signIn(page, { account, password });
    await page.getByText(`Signed in as ${account}`).waitFor();
    await page.close();
    return context;
  }

  /** An app that borrows GPUs, a page, and a Space whose build fails; `failed` is that build. */
  async deployAll(): Promise<{ readonly failed: string }> {
    const deploy = (account: Account, folder: string, name: string) =>
      deployFolder(account.client, folder, `${account.name}/${name}`, { waitMs: shownWithinMs });
    const { space, ok, says } = await deploy(this.#alice, join(examples, "node-mandelbrot"), "mandelbrot");
    if (!ok) throw new Error(says);
    this.#app = space.addresses.at(-1) ?? "";
    await deploy(this.#bob, join(examples, "static"), "page");
    const wrong = "---\ntitle: Broken\nsdk: node\napp_port: many\n---\n";
    const { build } = await deploy(this.#alice, this.up.write({ "README.md": wrong, "package.json": "{}" }), "broken");
    for (const zoom of [1, 40]) await visit(`${this.#app}/api/render?zoom=${zoom}`, this.#alice);
    return { failed: build?.id ?? "" };
  }

  /** Both slots are taken, and two calls wait. */
  async fillPool(): Promise<void> {
    const url = `${this.#app}/api/hold?seconds=${holdSeconds}`;
    const hold = ({ token }: Account): Promise<unknown> =>
      fetch(url, { headers: { authorization: `Bearer ${token}` }, signal: this.#leave.signal }).catch(() => undefined); // Left below.
    this.#holding = [this.#alice, this.#bob].map(hold);
    await until("both slots are taken", async () => (await this.up.admin.pool("main")).leased === 2);
    this.#holding = [...this.#holding, hold(this.#bob), hold(this.#alice)];
    await until("two calls wait", async () => (await this.up.admin.pool("main")).waiting === 2);
  }

  /** One more call, which nobody lets wait for long. */
  async refusedCall(): Promise<string> {
    await this.up.admin.changePool("main", { queueLimitMs: 1_000 });
    return (await visit(`${this.#app}/api/render?zoom=2`, this.#bob)).call;
  }

  async empty(): Promise<void> {
    this.#leave.abort();
    await Promise.all(this.#holding);
    await until("all calls have ended", async () => {
      const { items } = await this.#alice.client.calls({ account: "alice" });
      return items.every(({ receipt }) => receipt !== null);
    });
  }

  /** Of Alice's first call. */
  async receipt(): Promise<unknown> {
    const { items } = await this.#alice.client.calls({ account: "alice" });
    return this.#alice.client.receipt(items.at(-1)?.receipt ?? "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#leave.abort();
    await this.#browser.close();
    await this.up[Symbol.asyncDispose]();
  }
}
