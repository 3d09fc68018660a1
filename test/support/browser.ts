/** A person at a browser: Debian's Chromium, driven over a page's own words. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import type { Asked, GradioCaller, Said } from "./gradio-callers.ts";
import { chromiumNames, programOnPath } from "./needs.ts";

/** A page that has not come to an end by then hangs, and so would its visitor. */
const endWithinMs = 300_000;
const pageWithinMs = 180_000;
/** Half of the ten seconds after which a page takes its toasts away: those that are no errors are to be read too. */
const toastWithinMs = 5_000;

export function openChromium(...options: readonly string[]): Promise<Browser> {
  // Chromium's own sandbox refuses root.
  const args = process.getuid?.() === 0 ? ["--no-sandbox", ...options] : [...options];
  return chromium.launch({ executablePath: programOnPath(chromiumNames) ?? "", args });
}

/** A browser of somebody's own, with nothing in it. */
export async function newVisitor(browser: Browser): Promise<BrowserContext> {
  const context = await browser.newContext();
  context.setDefaultTimeout(pageWithinMs);
  // Fonts and the hosted service's pages: nothing outside of this machine is part of a test.
  await context.route(
    ({ hostname }) => !/(^|\.)localhost$|^127\./.test(hostname),
    (route) => route.abort(),
  );
  return context;
}

/** On the console's page, by a password. */
export async function signIn(page: Page, { account, password }: Person): Promise<void> {
  await page.getByLabel("Account").fill(account);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
}

export interface Person {
  readonly account: string;
  readonly password: string;
}

/** Opens the Space's page anew for each call, as a visitor without an account. */
export async function browserCaller(): Promise<GradioCaller> {
  const browser = await openChromium();
  return {
    name: "a browser",
    call: (asked) => callIn(browser, asked),
    [Symbol.asyncDispose]: () => browser.close(),
  };
}

async function callIn(browser: Browser, { url, api, x }: Asked): Promise<Said> {
  const page = await browser.newPage();
  try {
    // Fonts and the hosted service's own API, which Gradio's page asks for: nothing outside of this machine is part of a test.
    await page.route(
      (asked) => asked.host !== new URL(url).host,
      (route) => route.abort(),
    );
    await page.goto(url, { timeout: pageWithinMs });
    await page.getByLabel("x", { exact: true }).fill(String(x), { timeout: pageWithinMs });
    await page.getByRole("button", { name: api, exact: true }).click();
    return await endOf(page);
  } catch (error) {
    const picture = join(mkdtempSync(join(tmpdir(), "wb-page-")), `${api}.png`);
    await page.screenshot({ path: picture, fullPage: true });
    throw new Error(`${api} in a browser; ${picture} shows the page`, { cause: error });
  } finally {
    await page.close();
  }
}

async function endOf(page: Page): Promise<Said> {
  const status = page.getByTestId("status-tracker").last();
  const failed = status.locator(".error");
  const said = page.getByLabel("said", { exact: true });
  await page.waitForFunction(
    ([tracker, text]) => {
      if (tracker?.querySelector(".error")) return true;
      return (
        tracker?.classList.contains("hide") === true && (text as { readonly value?: string } | undefined)?.value !== ""
      );
    },
    [await status.elementHandle(), await said.elementHandle()] as const,
    { timeout: endWithinMs },
  );
  const isFailed = (await failed.count()) > 0;
  // A page that failed says why a moment later, in a corner; of some failures it says no more than that.
  if (isFailed)
    await page
      .locator(".toast-body.error")
      .first()
      .waitFor({ timeout: toastWithinMs })
      .catch(() => undefined);
  const toasts = await page.getByTestId("toast-body").evaluateAll((all) =>
    all.map((one) => ({
      isError: one.classList.contains("error"),
      // Below its title and the cross that closes it.
      text: (one as { readonly innerText?: string }).innerText?.split("×").at(-1)?.trim() ?? "",
    })),
  );
  const error = toasts.find(({ isError }) => isError)?.text;
  return {
    updates: undefined,
    result: isFailed ? undefined : await said.inputValue(),
    error: isFailed ? (error ?? (await failed.first().textContent()) ?? "") : undefined,
    toasts: toasts.filter(({ isError }) => !isError).map(({ text }) => text),
  };
}
