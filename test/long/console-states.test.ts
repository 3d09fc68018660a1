// Each screen of the console where nothing is there yet, and where the platform went away under it: with its words, a way on, and nothing that axe finds wrong.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Browser, BrowserContext, Locator, Page } from "playwright-core";
import { de } from "../../src/console/words/de.ts";
import { en, type Words } from "../../src/console/words/en.ts";
import { needs } from "../support/needs.ts";
import { openChromium } from "../support/browser.ts";
import { settled, signedIn, violations, widerBy } from "../support/console-page.ts";
import type { Visit } from "../support/console-page.ts";
import { Platform, until, visit } from "../support/platform.ts";

const chromiumNeeds = await needs("chromium");
const password = "correct horse battery";
/** Colours are the theme's, what fits is the width's, words are the language's: each of them is seen once. */
const readers = [
  { theme: "light", width: 1_280, locale: "en-GB", words: en },
  { theme: "dark", width: 320, locale: "de-DE", words: de },
] as const;
/** Reached only where something has failed. */
const hangsAfterMs = 180_000;
/** Most of the time is waited. */
const screensAtOnce = 6;

describe("the console's screens", chromiumNeeds, () => {
  let up: Platform;
  let browser: Browser;
  const wrong: string[] = [];

  before(async () => {
    up = await Platform.start({ gpus: null });
    browser = await openChromium();
    await up.admin.createAccount({ name: "alice" }); // Without a token.
    await up.admin.createAccount({ name: "acme", organisation: true, admin: "alice" });
    await (await up.account("bob")).client.createSpace("bob/empty", { private: true });
    for (const name of ["alice", "admin"]) await up.admin.setPassword(name, { password });
  });
  after(async () => {
    await browser?.close();
    await up?.[Symbol.asyncDispose]();
  });

  async function visitor(account: string, options: Visit["options"] = {}): Promise<BrowserContext> {
    const context = await signedIn({ browser, url: up.url, account, password, wrong, options });
    context.setDefaultTimeout(hangsAfterMs);
    return context;
  }

  /** Each screen, and what it says where nothing is, with the command, the link or the form by which one goes on from there. */
  type Empty = readonly [path: string, ...says: readonly (string | RegExp)[]];
  const ofAlice = (words: Words): readonly Empty[] => [
    ["/", words.nothingNeedsMe, words.noOtherSpaces, `${words.noSpaces} waybill deploy ./my-app --space alice/my-app`],
    ["/?find=nothing-like-that", words.noMatch("nothing-like-that")],
    ["/gpu", `${words.noSlots} waybill up --simulate-gpus 2x2`, words.nobodyWaits],
    ["/me", `${words.noCalls} waybill call OWNER/NAME /FUNCTION`],
    ["/me", `${words.newToken} waybill token create`, isAlone(words.none), words.ofWebhooks.add],
    ["/o/acme", `${words.noSpaces} waybill deploy ./my-app --space acme/my-app`, words.ofWebhooks.add],
    ["/w/c_never", words.notFoundTitle, "No work here has the id c_never.", "ids are shown whole: check it."],
    ["/status", words.ofStatus.noIncidents],
    ["/verify", words.ofVerify.offline, `${words.ofVerify.where} waybill receipt show ID --json`],
  ];
  const deploy = "waybill deploy ./my-app --space bob/empty";
  const ofAdmin = (words: Words): readonly Empty[] => [
    ["/spaces/bob/empty", `${words.deployHere} ${deploy}`],
    ["/spaces/bob/empty/builds", `${words.noBuilds} ${deploy}`, words.noReleases],
    ["/spaces/bob/empty/logs", "bob/empty has no replica yet", `${words.deployHere} ${deploy}`],
    ["/spaces/bob/empty/requests", `${words.noRequests} http://bob-empty.`],
    ["/spaces/bob/empty/requests?status=5xx", words.noSuchRequests, words.find],
    ["/spaces/bob/empty/calls", `${words.noCallsHere} waybill call bob/empty /FUNCTION`],
    ["/spaces/bob/empty/files", `${words.noFiles} ${deploy}`],
    ["/spaces/bob/empty/settings", isAlone(words.none), words.newVariable, words.newSecret, words.newDomain],
    ["/admin/nodes", `${words.ofAdmin.noCards} waybill doctor`],
    ["/admin/pools", `${words.ofAdmin.noRules} waybill pool rule ACCOUNT POOL`],
    ["/admin/policies", words.ofAdmin.change("free")],
    ["/admin/accounts?account=alice", words.ofAdmin.noAllowances, words.ofAdmin.give("alice")],
    ["/admin/incidents", `${words.ofAdmin.noIncidents} ${words.ofAdmin.parts.nodes}`],
    ["/admin/webhooks", isAlone(words.none), words.ofWebhooks.add],
    ["/admin/audit?action=never", words.ofAdmin.noEntries, words.ofAdmin.all],
  ];

  for (const { theme, width, locale, words } of readers)
    test(`each say why nothing is there yet, and what goes on from there, in ${theme} at ${width} px, in ${locale}`, async () => {
      for (const [account, screens] of [
        ["alice", ofAlice(words)],
        ["admin", ofAdmin(words)],
      ] as const) {
        await using context = await visitor(account, { colorScheme: theme, locale });
        const page = await context.newPage();
        await page.setViewportSize({ width, height: 800 });
        for (const [path, ...says] of screens) {
          await page.goto(up.url + path);
          await settled(page);
          for (const text of says) await page.locator("main").getByText(text).first().waitFor();
          assert.deepEqual(await violations(page), [], path);
          assert.equal(await widerBy(page), 0, path);
        }
      }
      assert.deepEqual(wrong, []);
    });

  test("each keep what they knew when the platform is killed, say since when and that it does not answer, in both themes, and go on by themselves", async () => {
    await up.stop();
    await up.up({ gpus: "1x2" });
    const alice = await up.account("alice");
    const app = await up.deploy(alice, "demo");
    await visit(`${app.url}/gpu/hold?seconds=0.1`, alice);
    await visit(`${app.url}/say?line=kept-in-mind`, alice);
    const build = app.deployed.build?.id ?? "";
    const space = `/spaces/${app.space}`;
    /** Each screen, and something that it knows. */
    const screens: readonly (readonly [path: string, knows: string | RegExp])[] = [
      ["/", app.space],
      [`/w/${build}`, "replica.ready"],
      ["/gpu", en.nobodyWaits],
      ["/me", /^Tier /],
      ["/o/acme", /^since .*, added by /],
      ["/status", en.ofStatus.names.route],
      [space, en.limitsOfBuild],
      [`${space}/builds`, build],
      [`${space}/logs`, "kept-in-mind"],
      [`${space}/requests?live=1`, "/say"],
      [`${space}/calls`, /^c_/],
      [`${space}/files`, "README.md"],
      [`${space}/settings`, "sleep-after"],
      ["/admin/nodes", en.ofAdmin.lookAgain],
      ["/admin/pools", en.ofAdmin.noRules],
      ["/admin/policies", en.ofAdmin.change("free")],
      ["/admin/accounts?account=alice", en.ofAdmin.noAllowances],
      ["/admin/incidents", isAlone(en.ofAdmin.parts.incidents)],
      ["/admin/webhooks", isAlone(en.none)],
      ["/admin/audit", isAlone(en.ofAdmin.outcomes.done)],
    ];
    /** They ask nobody for what they show, or were refused it. */
    const asking: readonly (readonly [path: string, knows: string | RegExp])[] = [
      ["/verify", en.ofVerify.offline],
      ["/w/c_never", en.notFoundTitle],
    ];
    await using context = await visitor("admin");
    const open = async ([path, knows]: (typeof screens)[number]): Promise<Page> => {
      const page = await context.newPage();
      await page.goto(up.url + path);
      await settled(page);
      await page.locator("main").getByText(knows).first().waitFor();
      return page;
    };
    const all = [...screens, ...asking];
    const pages: Page[] = [];
    for (let at = 0; at < all.length; at += screensAtOnce)
      pages.push(...(await Promise.all(all.slice(at, at + screensAtOnce).map(open))));
    const stale = (page: Page): Locator =>
      page.locator("main").getByText(/^Not updated since .*: the platform does not answer\.$/);
    const away = (page: Page): Locator =>
      page.getByText(/^No connection to the platform since .*; it is tried again by itself\.$/);
    await up.kill();
    for (const [at, page] of pages.entries()) {
      const [path, knows] = all[at] ?? ["", ""];
      await away(page).waitFor();
      if (at < screens.length) await stale(page).waitFor(); // Once, however much of the page is old.
      if (path.endsWith("/logs")) await page.locator("main").getByText(en.logLost).waitFor();
      assert.ok(await page.locator("main").getByText(knows).first().isVisible(), `${path} keeps what it knew`);
      for (const { theme } of readers) {
        await page.emulateMedia({ colorScheme: theme });
        assert.deepEqual(await violations(page), [], `${path} in ${theme}`);
      }
    }
    await up.up();
    for (const [at, page] of pages.entries()) {
      const [path, knows] = all[at] ?? ["", ""];
      await away(page).waitFor({ state: "detached" });
      await until(`${path} is as new`, async () => (await stale(page).count()) === 0);
      if (path.endsWith("/logs")) await page.locator("main").getByText(isOpen).waitFor();
      await page.locator("main").getByText(knows).first().waitFor();
    }
    const log = pages[all.findIndex(([path]) => path.endsWith("/logs"))];
    await visit(`${app.url}/say?line=after-the-restart`, alice);
    await log?.locator("main").getByText("after-the-restart").waitFor();
    const numbers = (await log?.locator("main [data-index] a[id^=L]").allTextContents())?.map(Number) ?? [];
    const inTurn = numbers.map((_, at) => Number(numbers[0]) + at);
    assert.deepEqual(numbers, inTurn, "no line is lost, and none is there twice");
    assert.ok(numbers.length > 1);
    assert.deepEqual(wrong, []);
  });

  test("say what the platform says where it answers and yet gives nothing new, and are there by themselves once it does", async () => {
    await using context = await visitor("admin");
    const page = await context.newPage();
    const detail = "The ledger is being read again.";
    const away = { status: 503, contentType: "application/problem+json", body: JSON.stringify({ detail }) };
    const main = page.locator("main");
    await page.goto(`${up.url}/gpu`);
    await main.getByText(en.nobodyWaits).waitFor();
    await page.route("**/api/gpu/queue", (route) => route.fulfill(away));
    await main.getByText(`: ${detail}`).waitFor();
    assert.ok(await main.getByText(en.nobodyWaits).isVisible());
    await page.unroute("**/api/gpu/queue");
    await main.getByText(detail).waitFor({ state: "detached" });
    // No event tells of it.
    await page.route("**/api/quota", (route) => route.fulfill(away));
    await page.goto(`${up.url}/me`);
    await page.getByRole("alert").getByText(detail).waitFor();
    await page.unroute("**/api/quota");
    await main.getByText(/^Tier /).waitFor();
    assert.deepEqual(wrong, []);
  });
});

/** How a log says that it is followed. */
const isOpen = /so far; more come by themselves\.$/;

/** The whole of a text. */
function isAlone(text: string): RegExp {
  return new RegExp(`^${text}$`);
}
