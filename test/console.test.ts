// The console in a real browser: every screen in both themes, for its owner, for others and for strangers, over a restart of the platform.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import type { Browser, BrowserContext, Locator } from "playwright-core";
import { en } from "../src/console/words/en.ts";
import { needs } from "./support/needs.ts";
import { openChromium, signIn } from "./support/browser.ts";
import { violations, widerBy } from "./support/console-page.ts";
import { ReceiptWorld } from "./support/receipts.ts";
import { Platform, until, visit, type Account, type App } from "./support/platform.ts";

const chromiumNeeds = await needs("chromium");
const waybill = join(import.meta.dirname, "..", "bin", "waybill.js");
const built = join(import.meta.dirname, "..", "dist", "console");
const password = "correct horse battery";
/** All that a browser loads before the first page stands, packed by gzip. */
const firstLoadMax = 200_000;
const themes = ["light", "dark"] as const;
/** Colours are the theme's and what fits is the width's, so each of both is seen once. */
const widths = { light: 1_280, dark: 320 } as const;

describe("the console", chromiumNeeds, () => {
  let up: Platform;
  let browser: Browser;
  let alice: Account;
  let app: App;
  /** What no page of ours may do: ask elsewhere, be stopped by its own policy, throw. */
  const wrong: string[] = [];

  before(async () => {
    up = await Platform.start({ gpus: "1x2" });
    browser = await openChromium();
    alice = await up.account("alice");
    const bob = await up.account("bob");
    for (const { name } of [alice, bob]) await up.admin.setPassword(name, { password });
    await up.admin.createAccount({ name: "acme", organisation: true, admin: "alice" });
    app = await up.deploy(alice, "demo");
  });
  after(async () => {
    await browser?.close();
    await up?.[Symbol.asyncDispose]();
  });

  /** A browser of its own, signed in where an account is named. */
  async function visitor(
    account: string | null,
    options: Parameters<Browser["newContext"]>[0] = {},
  ): Promise<BrowserContext> {
    const context = await browser.newContext({ locale: "en-GB", ...options });
    context.on("request", (request) => {
      const { origin, protocol } = new URL(request.url());
      if (protocol !== "data:" && origin !== up.url) wrong.push(`asked elsewhere: ${request.url()}`);
    });
    context.on("console", (message) => {
      if (/Content Security Policy|Refused to/i.test(message.text())) wrong.push(message.text());
    });
    context.on("weberror", (error) => wrong.push(String(error.error())));
    if (account === null) return context;
    const page = await context.newPage();
    await page.goto(`${up.url}/login`);
    await signIn(page, { account, password });
    await page.getByText(`Signed in as ${account}`).waitFor();
    await page.close();
    return context;
  }

  /** Each screen, and a text that is there once it has all that it shows. */
  const screens = (): readonly (readonly [path: string, shows: string | RegExp])[] => [
    ["/", /alice\/demo/],
    [`/w/${app.deployed.build?.id}`, "replica.ready"],
    ["/w/c_never", "Nothing is here"],
    [`/spaces/${app.space}`, "Limits of a build"],
    [`/spaces/${app.space}/builds`, app.deployed.build?.id ?? ""],
    [`/spaces/${app.space}/logs`, /lines? so far/],
    [`/spaces/${app.space}/requests`, "Nobody has asked for this app yet"],
    [`/spaces/${app.space}/calls`, "No GPU call here yet"],
    [`/spaces/${app.space}/files`, "README.md"],
    [`/spaces/${app.space}/settings`, "What it may reach"],
    ["/gpu", "Nobody waits."],
    ["/me", /used \+ .* held \+ .* left/],
    ["/o/acme", "Add a webhook"],
    ["/status", "the way to the app"],
    ["/verify", "it works without a network"],
  ];

  for (const theme of themes)
    test(`has nothing that axe finds wrong on any screen, in ${theme} at ${widths[theme]} px`, async () => {
      await using context = await visitor("alice", { colorScheme: theme });
      const page = await context.newPage();
      const width = widths[theme];
      await page.setViewportSize({ width, height: 800 });
      for (const [path, shows] of screens()) {
        await page.goto(up.url + path);
        await page.locator("main").getByText(shows).first().waitFor();
        assert.deepEqual(await violations(page), [], path);
        const over = await widerBy(page);
        assert.ok(over <= 0, `${path} is ${over} px wider than ${width} px`);
      }
      assert.deepEqual(wrong, []);
    });

  test("puts on one line what stands beside one another, and no box where a log has no line", async () => {
    await alice.client.createSpace("alice/nothing", { private: false });
    await using context = await visitor("alice");
    const page = await context.newPage();
    const main = page.locator("main");
    const middleOf = async (of: Locator): Promise<number> => {
      const box = await of.boundingBox();
      assert.ok(box, String(of));
      return Math.round(box.y + box.height / 2);
    };
    await page.goto(`${up.url}/spaces/${app.space}/settings`);
    const [restart, pause] = [en.restart, en.pause].map((name) => main.getByRole("button", { name, exact: true }));
    assert.ok(restart && pause);
    assert.equal(await middleOf(restart), await middleOf(pause));
    await page.goto(`${up.url}/spaces/${app.space}/requests`);
    const [failed, live] = [en.failedAlone, en.asTheyEnd].map((name) => main.getByLabel(name));
    assert.ok(failed && live);
    assert.equal(await middleOf(failed), await middleOf(live));
    await page.goto(`${up.url}/spaces/alice/nothing/logs`);
    await main.getByText("has no replica yet").waitFor();
    assert.equal(await main.getByRole("region", { name: en.log }).count(), 0);
  });

  test("loads within its budget, and its files once", async () => {
    await using context = await visitor(null);
    const page = await context.newPage();
    const names: string[] = [];
    page.on("response", (response) => {
      const { pathname } = new URL(response.url());
      if (pathname.startsWith("/console/")) names.push(pathname.replace("/console/", ""));
    });
    await page.goto(up.url);
    await page.locator("main").getByText("alice/demo").waitFor();
    const bytes = ["index.html", ...names].map((name) => readFileSync(join(built, `${name}.gz`)).length);
    const sum = bytes.reduce((total, one) => total + one, 0);
    assert.ok(names.length >= 2 && sum <= firstLoadMax, `${names.join(", ")}: ${sum} bytes`);
  });

  test("is gone through by keyboard: an id in the search leads to its story, whose sentence lights what it rests on", async () => {
    await using context = await visitor("alice");
    const page = await context.newPage();
    await page.goto(up.url);
    await page.locator("main").getByText("alice/demo").waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type(app.deployed.build?.id ?? "");
    await page.keyboard.press("Enter");
    await page
      .getByRole("heading", { level: 1 })
      .getByText(app.deployed.build?.id ?? "")
      .waitFor();
    await page.getByText("build.publish").first().waitFor();
    assert.equal(await page.evaluate("document.activeElement?.tagName"), "MAIN");
    await page.keyboard.press("?");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
  });

  test("an id has one verdict: on the page that refuses a visit, on the console that it leads to, by the API and on the command line", async () => {
    const paused = await up.deploy(alice, "paused");
    await alice.client.pause(paused.space, { reason: "nobody visits it" });
    await using context = await browser.newContext({ locale: "en-GB" }); // The app's address is another origin.
    const page = await context.newPage();
    await page.goto(paused.url);
    const id = (await page.locator("dd code").textContent()) ?? "";
    const { verdict, ...told } = await up.admin.explain(id);
    assert.ok(verdict, JSON.stringify(told));
    const code = `${verdict.boundary}/${verdict.code}`;
    assert.equal(verdict.boundary, "route");
    const facts = page.locator("dl");
    await facts.getByText(code).waitFor();
    assert.equal(await facts.locator(`dd.${verdict.owner}`).count(), 1);
    assert.match((await facts.textContent()) ?? "", new RegExp(verdict.certainty));
    await page.getByRole("link", { name: "Evidence" }).click();
    await page.waitForURL((url) => url.pathname === `/w/${id}`);
    for (const says of [verdict.sentence, verdict.next])
      await page.locator("main").getByText(plain(says)).first().waitFor();
    await page.locator("main").getByText(`${code}, ${verdict.certainty}`).waitFor();
    const { stdout } = await promisify(execFile)(process.execPath, [waybill, "explain", id, "--json"], {
      env: { ...process.env, WAYBILL_URL: up.url, WAYBILL_TOKEN: up.operatorToken },
    });
    assert.deepEqual(JSON.parse(stdout).verdict, verdict);
  });

  test("tells a stranger the verdict of an id and not its proof, and knows no Space of others that is private", async () => {
    await alice.client.changeSpace(app.space, { private: "true" });
    await using context = await visitor(null);
    const page = await context.newPage();
    await page.goto(`${up.url}/w/${app.deployed.build?.id}`);
    await page.getByText("The proof is shown to the owner of the Space and to operators.").waitFor();
    await page.goto(`${up.url}/spaces/${app.space}`);
    await page.getByText("Nothing is here").waitFor();
    await using other = await visitor("bob");
    const theirs = await other.newPage();
    await theirs.goto(`${up.url}/`);
    await theirs.getByText("No Space yet.").waitFor();
    await alice.client.changeSpace(app.space, { private: "false" });
    await theirs.getByRole("link", { name: app.space }).waitFor();
  });

  test("says to who is no operator and owns nothing here what is not theirs to see, and shows all else", async () => {
    await using context = await visitor("bob");
    const page = await context.newPage();
    for (const [path, shows] of [
      [`/spaces/${app.space}`, "Limits of a build"],
      [`/spaces/${app.space}/files`, "README.md"],
      [`/spaces/${app.space}/calls`, "No GPU call here yet"],
      ["/gpu", "Nobody waits."],
      ["/me", "left"],
      [`/spaces/${app.space}/builds`, "It is for the owner"],
      [`/spaces/${app.space}/requests`, "It is for the owner"],
      [`/spaces/${app.space}/logs`, "It is for the owner"],
      ["/o/acme", "It is for the owner"],
    ] as const) {
      await page.goto(up.url + path);
      await page.locator("main").getByText(shows).first().waitFor();
    }
    await using stranger = await visitor(null);
    const theirs = await stranger.newPage();
    for (const path of ["/gpu", "/me", `/spaces/${app.space}/calls`, `/spaces/${app.space}/builds`]) {
      await theirs.goto(up.url + path);
      await theirs.getByText("Sign in to see this.").first().waitFor();
    }
    assert.deepEqual(wrong, []);
  });

  test("adds a webhook, whose secret it shows once, says how it was tried, and removes it", async () => {
    await using context = await visitor("alice");
    const page = await context.newPage();
    await page.goto(`${up.url}/me`);
    await page.locator("summary", { hasText: "Add a webhook" }).click();
    await page.getByLabel("Address, https://").fill("https://hooks.invalid/mine");
    await page.getByRole("button", { name: "Add a webhook" }).click();
    await page.getByText(/^whsec_/).waitFor();
    await page.getByRole("button", { name: "Try it" }).click();
    await page.locator("summary", { hasText: "Deliveries" }).click();
    await page.getByText(/could not be resolved/).waitFor();
    assert.deepEqual(await violations(page), []);
    await page.reload();
    await page.getByText("https://hooks.invalid/mine").waitFor();
    assert.equal(await page.getByText(/^whsec_/).count(), 0);
    await page.getByRole("button", { name: "Remove" }).click();
    await page.getByRole("button", { name: "Remove" }).click();
    await page.getByText("https://hooks.invalid/mine").waitFor({ state: "detached" });
    assert.deepEqual(wrong, []);
  });

  test("is live: two tabs hear of what another one set, by one stream", async () => {
    await using context = await visitor("alice");
    let streams = 0;
    context.on("request", (request) => {
      if (new URL(request.url()).pathname === "/api/events") streams += 1;
    });
    const [one, other] = [await context.newPage(), await context.newPage()];
    await one.goto(`${up.url}/spaces/${app.space}/settings`);
    await other.goto(`${up.url}/spaces/${app.space}/settings`);
    const form = one.getByRole("form", { name: "Set a variable" });
    await form.getByLabel("Name").fill("GREETING");
    await form.getByLabel("Value").fill("hello");
    await form.getByRole("button").click();
    await one.getByText("GREETING=hello").waitFor();
    await alice.client.changeSpace(app.space, { "sleep-after": "47m" });
    for (const page of [one, other])
      await until("it is shown", async () => (await page.getByLabel("sleep-after").inputValue()) === "47m");
    assert.equal(streams, 1);
  });

  test("shows requests as they end to whoever wishes it", async () => {
    await using context = await visitor("alice");
    const page = await context.newPage();
    await page.goto(`${up.url}/spaces/${app.space}/requests`);
    const main = page.locator("main");
    await main.getByLabel("As they end").check();
    await main.getByRole("button", { name: "Find" }).click();
    await page.waitForURL(/live=1/);
    await visit(`${app.url}/seen-live`);
    await main.getByText("/seen-live").waitFor();
  });

  test("takes a waiting call out of its queue, on the page of its Space", async () => {
    const leave = new AbortController();
    // Until somebody takes it out it waits, however slow this machine is.
    await up.admin.changePool("main", { queueLimitMs: 600_000 });
    const hold = (): Promise<unknown> =>
      visit(`${app.url}/gpu/hold?seconds=80&stop=1`, alice, { signal: leave.signal }).catch(() => undefined); // Left below.
    const held = [hold(), hold()];
    await until("both slots are taken", async () => (await up.admin.pool("main")).leased === 2);
    held.push(hold());
    await until("one waits", async () => (await up.admin.pool("main")).waiting === 1);
    await using context = await visitor("alice");
    const page = await context.newPage();
    await page.goto(`${up.url}/spaces/${app.space}/calls`);
    await page.getByRole("button", { name: "Cancel" }).click();
    await until("nobody waits", async () => (await up.admin.pool("main")).waiting === 0);
    await page.getByText("gpu/visitor-left").first().waitFor();
    // In the app's log too, beside what it prints itself.
    await page.goto(`${up.url}/spaces/${app.space}/logs`);
    await page
      .getByText(/^c_\w+: .*slots are leased/)
      .first()
      .waitFor();
    assert.equal((await up.admin.pool("main")).leased, 2, "the others go on");
    assert.deepEqual(await violations(page), []);
    leave.abort();
    await Promise.all(held);
  });

  test("shows a build's log from its address to the line, and finds in it", async () => {
    await using context = await visitor("alice");
    const page = await context.newPage();
    await page.goto(`${up.url}/w/${app.deployed.build?.id}#L2-3`);
    await page.getByText(/lines; the log has ended/).waitFor();
    await page.locator("#L2").waitFor();
    const rows = await page.evaluate<number>("document.querySelectorAll('[data-index]').length");
    assert.ok(rows > 0 && rows <= 200, `${rows} rows`);
    await page.getByLabel("Search in this log").fill("queued");
    await page.keyboard.press("Enter");
    await page.getByText(/lines? found/).waitFor();
  });

  test("has in an app's log what the edge could not bring to its end, where and when it happens, or alone", async () => {
    const server = `import { createServer } from "node:http";
      createServer((request, response) => {
        console.log("asked for " + request.url);
        if (!request.url.startsWith("/broken")) return response.end("well");
        response.writeHead(200, { "content-length": "100" });
        response.write("some", () => response.destroy());
      }).listen(Number(process.env.PORT));`;
    const broken = await up.deploy(alice, "broken", { "server.js": server });
    await visit(`${broken.url}/one`, alice);
    await assert.rejects(visit(`${broken.url}/broken/1`, alice));
    await visit(`${broken.url}/two`, alice);
    await using context = await visitor("alice");
    const page = await context.newPage();
    await page.goto(`${up.url}/spaces/${broken.space}/logs`);
    const box = page.getByRole("region", { name: "Log" });
    const rows = async (): Promise<string> => (await box.locator("[data-index]").allInnerTexts()).join("\n");
    await box.getByText("200 to GET /broken/1.").waitFor();
    assert.match(await rows(), /asked for \/broken\/1[^]*edge[^]*200 to GET \/broken\/1\.[^]*asked for \/two/);
    await assert.rejects(visit(`${broken.url}/broken/2`, alice));
    await box.getByText("200 to GET /broken/2.").waitFor();
    assert.deepEqual(await violations(page), []);
    const source = page.getByLabel("Who says it");
    await source.selectOption("edge");
    await page.getByText("2 lines found").waitFor();
    assert.doesNotMatch(await rows(), /asked for/);
    await source.selectOption("app");
    await box.getByText("asked for /broken/2").waitFor();
    assert.doesNotMatch(await rows(), /200 to/);
    // What comes is found too, as it comes.
    await visit(`${broken.url}/three`, alice);
    await box.getByText("asked for /three").waitFor();
    await source.selectOption("");
    await box.getByRole("link", { name: /^q_/ }).first().click();
    await page.waitForURL(/\/w\/q_/);
    assert.deepEqual(wrong, []);
  });

  test("tells everybody how the platform stands, each rate with what it is of; and what is out of use, with its names for who is signed in", async () => {
    await using context = await visitor(null);
    const page = await context.newPage();
    await page.goto(`${up.url}/status`);
    await page.locator("main").getByText("the way to the app").waitFor();
    assert.ok(!(await page.locator("main").innerText()).includes("Up to when the record is complete"));
    const { nodes } = await up.admin.nodes();
    const node = nodes[0]?.name ?? "";
    await up.admin.drain({ node }, { reason: "a driver" });
    await page.getByRole("heading", { name: "What is wrong now" }).waitFor();
    await page.locator("main").getByText("planned", { exact: true }).first().waitFor();
    assert.ok(!(await page.locator("main").innerText()).includes("a driver"), "a reason may hold names");
    assert.deepEqual(await violations(page), []);
    await page.close();
    await using known = await visitor("alice");
    const theirs = await known.newPage();
    await theirs.goto(`${up.url}/status`);
    await theirs.locator("main").getByText("a driver").first().waitFor();
    await up.admin.undrain({ node });
  });

  test("lets operators see to nodes, tiers and incidents, and tells everybody else which role that needs", async () => {
    await using others = await visitor("alice");
    const theirs = await others.newPage();
    await theirs.goto(`${up.url}/admin/accounts`);
    await theirs.getByText("accounts with the role operator").waitFor();
    assert.deepEqual(await violations(theirs), []);

    await up.admin.setPassword("admin", { password });
    await using context = await visitor("admin", { colorScheme: "dark" });
    const page = await context.newPage();
    const main = page.locator("main");
    await page.goto(`${up.url}/admin`);
    const { name = "" } = (await up.admin.nodes()).nodes[0] ?? {};
    await page.getByText(`Take node ${name} out of use`).first().click();
    const form = page.locator("details", { hasText: `Take node ${name} out of use` });
    await form.getByLabel("Reason").fill("a new driver");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: `Give node ${name} back` }).waitFor();
    await page.goto(`${up.url}/admin/incidents`);
    await page
      .getByText(/Say something beside/)
      .first()
      .click();
    await page.getByRole("textbox", { name: "Everybody can read it" }).first().fill("It takes an hour.");
    await page.getByRole("button", { name: "Put it beside" }).first().click();
    await main.locator("blockquote").getByText("It takes an hour.").waitFor();
    await page.goto(`${up.url}/admin`);
    await page.getByRole("button", { name: `Give node ${name} back` }).click();
    await page.getByText(`Take node ${name} out of use`).first().waitFor();

    await page.goto(`${up.url}/admin/policies`);
    const free = page.getByRole("region", { name: "free" });
    await free.getByText("Change free").click();
    await free.getByLabel("GPU time of a window").first().fill("");
    await free.getByRole("button", { name: "Save" }).click();
    await free.getByText("no limit", { exact: true }).first().waitFor();
    await until("the tier has no limit", async () => {
      const { tiers } = await up.admin.tiers();
      return tiers.find((tier) => tier.name === "free")?.windowLimitMs === null;
    });

    const pro = page.getByRole("region", { name: "pro" });
    await pro.getByText("Try pro on the record").click();
    await pro.getByLabel("GPU time of a window").last().fill("1");
    await pro.getByLabel("and before").fill(new Date(Date.now() - 60_000).toISOString().slice(0, 16));
    await pro.getByRole("button", { name: "Try it" }).click();
    await pro.getByRole("heading", { name: "What the replay does not know" }).waitFor();
    assert.deepEqual(await violations(page), []);
    assert.equal((await up.admin.tiers()).tiers.find(({ name: one }) => one === "pro")?.windowLimitMs, 2_400_000);

    await page.goto(`${up.url}/admin/webhooks`);
    await page.locator("summary", { hasText: "Add a webhook" }).click();
    await page.getByLabel("Address, https://").fill("https://hooks.invalid/all");
    await page.getByRole("button", { name: "Add a webhook" }).click();
    await page.getByText(/^whsec_/).waitFor();
    const [platforms] = (await up.admin.webhooks.list({ platform: true })).items;
    assert.deepEqual([platforms?.owner, platforms?.url], [null, "https://hooks.invalid/all"]);

    await page.goto(`${up.url}/admin/audit`);
    await page.getByLabel("Action").fill("tier.set");
    await page.keyboard.press("Enter");
    await page.waitForURL(/action=tier\.set/);
    await main.getByText("tier/free").waitFor();
    assert.equal(await main.getByText("node.drain").count(), 0);
    await page.setViewportSize({ width: 320, height: 800 });
    for (const [part, shows] of Object.entries({
      ...{
        nodes: "out of use",
        pools: "Rules of who",
        policies: "Change free",
        "accounts?account=alice": "Give alice more",
      },
      ...{ incidents: "Say something beside", webhooks: "https://hooks.invalid/all", audit: "tier/free" },
    })) {
      await page.goto(`${up.url}/admin/${part}`);
      await main.getByText(shows).first().waitFor();
      assert.deepEqual(await violations(page), [], part);
      const over = await widerBy(page);
      assert.ok(over <= 0, `${part} is ${over} px too wide`);
    }
    assert.deepEqual(wrong, []);
  });

  test("has the documentation at its foot, which any reader can use", async () => {
    await using context = await visitor(null);
    const page = await context.newPage();
    await page.goto(up.url);
    await page.getByRole("link", { name: "Documentation" }).click();
    await page.getByRole("link", { name: "Start", exact: true }).first().click();
    await page.getByRole("heading", { level: 1, name: "Start" }).waitFor();
    const picture = page.locator("main img").first();
    await picture.scrollIntoViewIfNeeded();
    await until("its picture is shown", () =>
      picture.evaluate((image) => (image as { readonly naturalWidth?: number }).naturalWidth !== 0),
    );
    for (const [width, colorScheme] of [
      [1_280, "light"],
      [320, "dark"],
    ] as const) {
      await page.setViewportSize({ width, height: 800 });
      await page.emulateMedia({ colorScheme });
      for (const path of ["/docs", "/docs/guide/start", "/docs/reference/codes"]) {
        await page.goto(up.url + path);
        assert.deepEqual(await violations(page), [], path);
        const over = await widerBy(page);
        assert.ok(over <= 0, `${path} is ${over} px wider than ${width} px`);
      }
    }
    assert.deepEqual(wrong, []);
  });

  test("checks a receipt without a network: what was charged to whom, its place in the log, and which check a changed byte fails", async () => {
    const world = await ReceiptWorld.open();
    const [, , call = ""] = await world.calls(3, 0, 412);
    const signed = await world.receipt(call);
    await using context = await visitor(null);
    const page = await context.newPage();
    await page.goto(`${up.url}/verify`);
    await page.getByText("it works without a network").waitFor();
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    await context.setOffline(true);
    const found = page.getByRole("region", { name: "What was found" });
    const choose = async (document: unknown): Promise<void> => {
      const buffer = Buffer.from(JSON.stringify(document));
      await page.getByLabel("Choose a receipt").setInputFiles({ name: "r.json", mimeType: "application/json", buffer });
    };
    await choose(signed);
    await found.getByRole("heading", { name: "Unchanged since it was signed" }).waitFor();
    for (const says of [
      "It is leaf 3 of 3 of that log.",
      "alice, known by token",
      "0.4 s of 10 s held; 9.6 s given back",
    ])
      await found.getByText(says).waitFor();
    await choose({ ...signed, receipt: { ...signed.receipt, chargedMs: 413, releasedMs: 9_587 } });
    await found.getByRole("heading", { name: "Not genuine" }).waitFor();
    const failed = await found.getByRole("listitem").filter({ hasText: "not so:" }).allInnerTexts();
    assert.match(failed.join(), /Content/);
    assert.doesNotMatch(failed.join(), /Amounts|Signature/);
    assert.deepEqual(await violations(page), []);
    await page.getByText("What it is compared with").click();
    const own = Buffer.from(JSON.stringify(world.keys.current.publicKey));
    await page
      .getByLabel("The platform's own keys")
      .setInputFiles({ name: "k.json", mimeType: "application/json", buffer: own });
    await page.getByText("1 key was read.").waitFor();
    await page.getByLabel("Or paste its text").fill(JSON.stringify(signed));
    await page.getByRole("button", { name: "Verify" }).click();
    await found.getByRole("heading", { name: "✓ Genuine" }).waitFor();
    await page.getByLabel("Or paste its text").fill("{");
    await page.getByRole("button", { name: "Verify" }).click();
    await page.getByText("It is not JSON").waitFor();
    // What the shell keeps asking by itself is not of the receipt.
    assert.deepEqual(
      asked.filter((url) => !/\/api\/(events|whoami-v2)\b/.test(url)),
      [],
    );
  });

  test("speaks German to who reads it, and English to who asks for that", async () => {
    await using context = await visitor(null, { locale: "de-DE" });
    const page = await context.newPage();
    await page.goto(up.url);
    await page.getByRole("link", { name: "Anmelden" }).waitFor();
    assert.equal(await page.locator("html").getAttribute("lang"), "de");
    await page.getByLabel("Sprache").selectOption("en");
    await page.getByRole("link", { name: "Sign in" }).waitFor();
    await page.reload();
    await page.getByRole("link", { name: "Sign in" }).waitFor();
  });

  const ends = { "was killed": () => up.kill(), "stopped in order": () => up.stop() };
  for (const [name, end] of Object.entries(ends))
    test(`goes on when the platform ${name} under open pages and is there again, a log among them`, async () => {
      await using context = await visitor("alice");
      const [page, log] = [await context.newPage(), await context.newPage()];
      await page.goto(`${up.url}/`);
      await page.locator("main").getByText("running").first().waitFor();
      await log.goto(`${up.url}/spaces/${app.space}/logs`);
      const isOpen = log.locator("main").getByText(/so far; more come by themselves\.$/);
      await isOpen.waitFor();
      await end();
      await page.getByText("Not updated since").waitFor(); // Once, though there are several lists.
      assert.ok(await page.locator("main").getByText("alice/demo").first().isVisible(), "what was known stays");
      await log.locator("main").getByText(en.logLost).waitFor();
      await up.up();
      await page.getByText("Not updated since").waitFor({ state: "detached" });
      await until("it is shown that it runs", () => page.locator("main").getByText("running").first().isVisible());
      await isOpen.waitFor();
      await visit(`${app.url}/say?line=after-it-${name.split(" ")[0]}`, alice);
      await log
        .locator("main")
        .getByText(`after-it-${name.split(" ")[0]}`)
        .waitFor();
    });
});

/** A sentence as it is shown: what stands between backticks is code. */
function plain(sentence: string): string {
  return sentence.replaceAll("`", "").slice(1); // It begins with a capital letter.
}
