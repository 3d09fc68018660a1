/** A page of the console, as it stands in a browser. */
import axe from "axe-core";
import type { Browser, BrowserContext, CDPSession, Page } from "playwright-core";
import { signIn } from "./browser.ts";
import { until } from "./platform.ts";

export interface Visit {
  readonly browser: Browser;
  /** The console's. */
  readonly url: string;
  readonly account: string;
  readonly password: string;
  /** Takes what no page of ours may do: be stopped by its own policy, throw. */
  readonly wrong: string[];
  readonly options?: Parameters<Browser["newContext"]>[0];
}

/** A browser of its own, signed in. */
export async function signedIn({ browser, url, account, password, wrong, options }: Visit): Promise<BrowserContext> {
  const context = await browser.newContext({ locale: "en-GB", ...options });
  context.on("weberror", (error) => wrong.push(String(error.error())));
  context.on("console", (message) => {
    if (/Content Security Policy|Refused to/i.test(message.text())) wrong.push(message.text());
  });
  const page = await context.newPage();
  await page.goto(`${url}/login`);
  await signIn(page, { account, password });
  await page.getByRole("banner").getByRole("link", { name: account, exact: true }).waitFor();
  await page.close();
  return context;
}

/** A page on a processor that is four times slower; `globalThis.tasks` has when each long task began, and how long it took, in milliseconds. */
export async function slowPage(
  context: BrowserContext,
): Promise<{ readonly page: Page; readonly machine: CDPSession }> {
  const page = await context.newPage();
  const machine = await context.newCDPSession(page);
  await machine.send("Emulation.setCPUThrottlingRate", { rate: 4 });
  await page.addInitScript(
    "globalThis.tasks = []; new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration, startTime }) => [Math.round(startTime), duration]))).observe({ type: 'longtask' })",
  );
  return { page, machine };
}

/** All that the page asked for at first is there. */
export async function settled(page: Page): Promise<void> {
  await page.locator("main h1").waitFor();
  const waits = page.locator("main p[role=status]").filter({ hasText: /…$/ });
  await until("nothing is waited for", async () => (await waits.count()) === 0);
  const lines = page.locator("main [data-index]").filter({ hasText: /…$/ });
  await until("the lines in view are there", async () => (await lines.count()) === 0);
}

/** What axe finds wrong, up to WCAG 2.2 AA. */
export async function violations(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source);
  return page.evaluate<readonly string[]>(
    `axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }).then(({ violations }) => violations.map(({ id, nodes }) => id + " " + nodes[0].html))`,
  );
}

/** By how many pixels it is wider than its window. */
export async function widerBy(page: Page): Promise<number> {
  return page.evaluate<number>("Math.max(0, document.documentElement.scrollWidth - innerWidth)");
}
