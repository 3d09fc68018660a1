/** A page of the console, as it stands in a browser. */
import axe from "axe-core";
import type { Page } from "playwright-core";
import { until } from "./platform.ts";

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
