/** The page that a browser gets while its Space wakes up: shown by a real edge, with the start in the test's hand. */
import assert from "node:assert/strict";
import { connect } from "node:http2";
import { after, before, describe, test } from "node:test";
import type { Browser } from "playwright-core";
import type { SpaceRoute, Waking } from "../src/edge/ports.ts";
import { openChromium } from "./support/browser.ts";
import { answerOf, app, ask, open, problemIn, read } from "./support/edge-app.ts";
import type { Answer } from "./support/edge-app.ts";
import { appHost, edgeWorld } from "./support/edge-world.ts";
import type { EdgeWorld } from "./support/edge-world.ts";
import { eventually } from "./support/eventually.ts";
import { askH2 } from "./support/h2-client.ts";
import { needs } from "./support/needs.ts";

const html = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };
const navigation = { ...html, "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
const failed = { kind: "down", code: "app/not-listening", says: "it <b>does</b> not run" } as const;

interface Woken {
  readonly gone: AbortSignal;
  resolve(route: SpaceRoute | undefined): void;
}

class Sleepy {
  readonly world: EdgeWorld;
  readonly running: SpaceRoute;
  readonly woken: Woken[];

  private constructor(world: EdgeWorld, woken: Woken[]) {
    this.world = world;
    this.woken = woken;
    this.running = world.directory.get(appHost) as SpaceRoute;
    this.become({});
  }

  static async open(options: Parameters<typeof edgeWorld>[1] = {}): Promise<Sleepy> {
    const woken: Woken[] = [];
    const wake = (_space: string, _account: string | null, gone: AbortSignal) =>
      new Promise<SpaceRoute | undefined>((resolve) => woken.push({ gone, resolve }));
    return new Sleepy(await edgeWorld(app, { wake, limits: { wakeWithinMs: 4_000 }, ...options }), woken);
  }

  become(waking: Partial<Waking>, more: Partial<SpaceRoute> = {}): void {
    const told = { reached: {}, usual: {}, ended: 0, withinMs: null, ...waking };
    const route = { space: "alice/demo", owner: "alice", ...more };
    this.world.directory.set(appHost, { ...route, state: { kind: "asleep", waking: told } });
  }

  next(): Promise<Woken> {
    return eventually("somebody wakes it", () => this.woken.shift());
  }

  /** It answers. */
  wakes(woken: Woken, wokeMs?: number): void {
    const { state } = this.running;
    assert.ok(state.kind === "running");
    this.world.directory.set(appHost, this.running);
    woken.resolve({ ...this.running, state: { ...state, wokeMs } });
  }
}

/** What is there of an answer so far. */
async function begun(world: EdgeWorld, headers: Record<string, string> = navigation) {
  const request = open(world, "/", headers);
  request.end();
  const response = await answerOf(request);
  let text = "";
  response.setEncoding("utf8").on("data", (part: string) => (text += part));
  const whole = new Promise<void>((resolve) => response.on("close", resolve));
  const has = (what: RegExp) => eventually(`${what} on the page`, () => what.exec(text)?.[0]);
  return { request, response, has, whole: whole.then(() => text) };
}

const workOf = ({ headers }: Pick<Answer, "headers">): string => String(headers["x-waybill-id"]);
const endOf = (world: EdgeWorld, work: string) =>
  eventually("its end is recorded", () => world.emitter.of(work).find(({ hop }) => hop === "edge.deliver"));

describe("a browser that opens a Space that is asleep", () => {
  let sleepy: Sleepy;
  before(async () => (sleepy = await Sleepy.open()));
  after(() => sleepy.world.close());

  test("sees each stage as it comes, with its time and the usual one, and is sent to the app when that answers", async () => {
    const { world } = sleepy;
    sleepy.become({ reached: { placed: 40 }, usual: { started: 700, listening: 12_400 }, withinMs: 65_000 });
    const { response, has, whole } = await begun(world);
    const woken = await sleepy.next();
    const { headers, statusCode } = response;
    assert.equal(statusCode, 503);
    assert.deepEqual(
      [headers["content-type"], headers["cache-control"], headers["retry-after"], headers["content-length"]],
      ["text/html; charset=utf-8", "no-store", "5", undefined],
    );
    assert.match(String(headers["proxy-status"]), /error=destination_unavailable;details="route\/waking"/);
    assert.match(String(headers["content-security-policy"]), /^default-src 'none'; style-src 'sha256-/);
    await has(/It has 65 s for that\./);
    await has(/placed: a machine has it <span>\(usual time not known yet\)<\/span> <b>✓ after 0\.0 s/);
    await has(/started: its process runs <span>\(usually after 0\.7 s\)<\/span> $/);
    sleepy.become({ reached: { placed: 40, started: 800 }, usual: { listening: 12_400 } });
    await has(
      /✓ after 0\.8 s<\/b><\/li>\n<li>listening: it accepts connections <span>\(usually after 12 s\)<\/span> $/,
    );
    sleepy.become({ reached: { placed: 40, started: 800, listening: 2_100 } });
    await has(/✓ after 2\.1 s/);
    sleepy.wakes(woken, 2_600);
    const text = await whole;
    assert.match(text, /healthy: it answers .*<b>✓ after 2\.6 s<\/b><\/li>\n<\/ol>/);
    assert.match(text, /<meta http-equiv="refresh" content="0"><\/main><\/body>\n<\/html>\n$/);
    assert.ok(Buffer.byteLength(text) <= 10_000, `${Buffer.byteLength(text)} bytes`);
    const entries = world.emitter.of(workOf({ headers }));
    const wake = entries.filter(({ hop }) => hop === "edge.wake");
    assert.deepEqual(
      wake.map(({ mark, facts }) => [mark, facts["page"]]),
      [
        ["took", "waking"],
        ["done", undefined],
      ],
    );
    const { mark, facts } = await endOf(world, workOf({ headers }));
    assert.deepEqual([mark, facts["status"], facts["answeredBy"], facts["page"]], ["done", 503, "edge", "waking"]);
    assert.equal((await ask(world, "/", navigation)).status, 200, "and then the app answers");
  });

  test("gets the verdict on the same page where the start fails, and is not sent on", async () => {
    const { world } = sleepy;
    sleepy.become({ reached: { placed: 40, started: 800 } });
    const { response, has, whole } = await begun(world);
    const woken = await sleepy.next();
    await has(/listening: it accepts connections/);
    woken.resolve({ ...sleepy.running, state: failed });
    const text = await whole;
    const work = workOf(response);
    assert.match(text, /<b>✕ not reached<\/b><\/li>\n<\/ol>\n<h2>The app /);
    assert.match(text, /it &#60;b&#62;does&#60;\/b&#62; not run/i);
    assert.match(
      text,
      /<dt>owner<\/dt><dd class="app">● app<\/dd>\n<dt>certainty<\/dt><dd>proved<\/dd>\n<dt>code<\/dt><dd>app\/not-listening \(503\)/,
    );
    assert.match(text, /<dt>charged<\/dt><dd>nothing/);
    assert.ok(text.includes(`<a href="http://localhost/w/${work}">Evidence</a>`));
    assert.doesNotMatch(text, /http-equiv/);
    assert.ok(Buffer.byteLength(text) <= 10_000, `${Buffer.byteLength(text)} bytes`);
    const { mark, facts } = await endOf(world, work);
    assert.deepEqual(
      [mark, facts["code"], facts["status"], facts["page"]],
      ["refused", "app/not-listening", 503, "waking"],
    );
  });

  test("reads that a replica ended and the next one starts from the first stage", async () => {
    const { world } = sleepy;
    sleepy.become({ reached: { placed: 40, started: 800 } });
    const { has, whole } = await begun(world);
    const woken = await sleepy.next();
    await has(/listening: .*<span>.*<\/span> $/);
    sleepy.become({ reached: { placed: 1_500 }, ended: 1 });
    await has(/<b>✕ it ended, and is started again<\/b><\/li>\n<li>placed: .*<b>✓ after 1\.5 s/);
    sleepy.wakes(woken, 3_000);
    assert.equal((await whole).match(/<li>healthy/g)?.length, 1);
  });

  test("gets a verdict at the start's deadline where nothing more is heard of it", async () => {
    const { world } = sleepy;
    sleepy.become({ withinMs: 500 });
    const { response, whole } = await begun(world);
    await sleepy.next();
    assert.match(await whole, /<h2>The Space was asleep and is starting;.*<dt>code<\/dt><dd>route\/waking \(503\)/s);
    const { facts } = await endOf(world, workOf(response));
    assert.equal(facts["code"], "route/waking");
  });

  test("and leaves the page: whoever wakes the Space is told, and its record says what it saw", async () => {
    const { world } = sleepy;
    sleepy.become({});
    const { request, response } = await begun(world);
    const woken = await sleepy.next();
    assert.equal(woken.gone.aborted, false);
    request.destroy();
    await eventually("the wake is told", () => woken.gone.aborted);
    const { mark, facts } = await endOf(world, workOf(response));
    assert.deepEqual(
      [mark, facts["code"], facts["status"], facts["answeredBy"], facts["page"]],
      ["failed", "route/visitor-left", 503, "edge", "waking"],
    );
  });

  test("that is there within a second gets the app and nothing else", async () => {
    const { world } = sleepy;
    sleepy.become({});
    const answer = ask(world, "/", navigation);
    sleepy.wakes(await sleepy.next());
    assert.equal((await answer).status, 200);
  });

  test("over HTTP/2 sees the same", async () => {
    const { world } = sleepy;
    sleepy.become({ reached: { placed: 40 } });
    const before = world.emitter.entries.length;
    const session = connect(world.url);
    const answer = askH2(session, { ":path": "/", ...navigation });
    const woken = await sleepy.next();
    const since = () => world.emitter.entries.slice(before);
    await eventually("the page is shown", () =>
      since().some(({ hop, mark }) => hop === "edge.wake" && mark === "took"),
    );
    sleepy.wakes(woken, 1_200);
    const { status, text } = await answer;
    assert.equal(status, 503);
    assert.match(text, /✓ after 1\.2 s.*http-equiv="refresh"/s);
    session.close();
  });
});

const others = {
  "a program": { accept: "*/*" },
  "a program that wants JSON": { accept: "application/json" },
  "a page's own fetch": { ...html, "sec-fetch-mode": "cors", "sec-fetch-dest": "empty" },
  "a frame, whose content has to be the app's": { ...navigation, "sec-fetch-dest": "iframe" },
} as const;

describe("a Space that is asleep holds", () => {
  let sleepy: Sleepy;
  before(async () => (sleepy = await Sleepy.open({ limits: { wakeWithinMs: 2_000 } })));
  after(() => sleepy.world.close());

  for (const [who, headers] of Object.entries(others))
    test(who, async () => {
      sleepy.become({});
      const refused = await ask(sleepy.world, "/", headers);
      assert.deepEqual([refused.status, workOf(refused) === ""], [503, false]);
      if (!("sec-fetch-mode" in headers)) assert.equal(problemIn(refused).code, "waking");
      const { facts } = await endOf(sleepy.world, workOf(refused));
      assert.equal(facts["page"], undefined);
      assert.doesNotMatch(refused.text, /class="steps" aria-label/);
    });

  test("a form that is sent", async () => {
    sleepy.become({});
    const request = open(sleepy.world, "/", navigation, "POST");
    request.end("x=1");
    const refused = await read(await answerOf(request));
    assert.doesNotMatch(refused.text, /aria-label="How far/);
  });
});

test("of a private Space nobody sees the page who may not know of it", async () => {
  const hidden = { refused: "identity/private", detail: "", hidden: true } as const;
  const alice = { account: "alice", tier: "free", billedBy: "token", user: "alice" } as const;
  const sleepy = await Sleepy.open({
    identity: {
      resolve: ({ authorization }) => (authorization === "Bearer alice" ? alice : hidden),
      mint: () => "minted",
    },
  });
  sleepy.become({}, { private: true });
  assert.equal((await ask(sleepy.world, "/", navigation)).status, 404);
  assert.equal(sleepy.woken.length, 0, "and does not wake it");
  const { has, whole } = await begun(sleepy.world, { ...navigation, authorization: "Bearer alice" });
  await has(/placed/);
  sleepy.wakes(await sleepy.next());
  await whole;
  await sleepy.world.close();
});

test("an edge that closes ends the page with why", async () => {
  const sleepy = await Sleepy.open();
  const { has, whole } = await begun(sleepy.world);
  await has(/placed/);
  await sleepy.world.close();
  assert.match(await whole, /route\/control-down/);
});

const browserNeeded = await needs("chromium");

describe("in Chromium", browserNeeded, () => {
  let sleepy: Sleepy;
  let browser: Browser;
  before(async () => {
    sleepy = await Sleepy.open({ limits: { wakeWithinMs: 60_000 } });
    browser = await openChromium();
  });
  after(async () => {
    await browser?.close();
    await sleepy?.world.close();
  });

  test("the page grows as the start goes on, and opens the app by itself, without script", async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    sleepy.become({ reached: { placed: 40 }, usual: { placed: 30, started: 700 } });
    const seen: string[] = [];
    page.on("console", (message) => seen.push(message.text()));
    const address = `http://${appHost}:${sleepy.world.edge.port}/some/path?x=1`;
    await page.goto(address, { waitUntil: "commit" });
    const woken = await sleepy.next();
    await page.getByText("started: its process runs (usually after 0.7 s)").waitFor();
    sleepy.become({ reached: { placed: 40, started: 900 }, usual: { placed: 30, started: 700 } });
    await page.getByText("✓ after 0.9 s").waitFor();
    await page.getByText("listening: it accepts connections (usual time").waitFor();
    sleepy.wakes(woken, 2_400);
    await page.getByText('"method":"GET"').waitFor();
    assert.equal(page.url(), address);
    assert.deepEqual(
      seen.filter((text) => !text.includes("503")),
      [],
      "its policy allows all of it",
    );
    await context.close();
  });

  test("a start that fails ends in its verdict, and the page stays", async () => {
    const page = await browser.newPage();
    sleepy.become({ reached: { placed: 40, started: 900 } });
    await page.goto(`http://${appHost}:${sleepy.world.edge.port}/`, { waitUntil: "commit" });
    const woken = await sleepy.next();
    await page.getByText("listening: it accepts").waitFor();
    woken.resolve({ ...sleepy.running, state: failed });
    await page.getByRole("link", { name: "Evidence" }).waitFor();
    assert.match(await page.locator("dl").innerText(), /● app[\s\S]*app\/not-listening/);
    await page.waitForLoadState("load");
    assert.equal(await page.getByRole("heading", { level: 1 }).innerText(), "The Space is waking up");
  });
});
