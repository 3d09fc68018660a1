/** What a page of one Space can do to another Space and to the console in a real browser, by an exact table. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { openChromium } from "../support/browser.ts";
import { appHost, edgeWorld } from "../support/edge-world.ts";
import type { EdgeWorld } from "../support/edge-world.ts";
import { needs } from "../support/needs.ts";

const otherHost = "bob-other.localhost";
const browserNeeded = await needs("chromium");

describe("a page of a Space", browserNeeded, () => {
  let world: EdgeWorld;
  let browser: Browser;
  let page: Page;
  /** The cookies with which a host's root was asked for last. */
  const cookies = new Map<string, string>();
  let other: string;
  let consoleUrl: string;

  before(async () => {
    world = await edgeWorld(
      (request, response) => {
        const { host = "", cookie = "" } = request.headers;
        if (request.url === "/") cookies.set(host, cookie);
        response.setHeader("content-type", request.url === "/sw.js" ? "text/javascript" : "text/html");
        if (request.url === "/wide")
          response.setHeader("set-cookie", ["header=1; Domain=localhost", `header2=1; Domain=${otherHost}`]);
        if (request.url === "/" && host.startsWith("bob")) response.setHeader("set-cookie", "bobs=1; Path=/");
        response.end(request.url === "/sw.js" ? "" : "<title>app</title>");
      },
      {
        console: (request, response) => {
          cookies.set("console", request.headers.cookie ?? "");
          response.setHeader("set-cookie", "__Host-waybill-console=mine; Secure; HttpOnly; SameSite=Strict; Path=/");
          response.setHeader("content-type", "text/html").end("<title>console</title>");
        },
      },
    );
    const space = world.directory.get(appHost);
    assert.ok(space);
    world.directory.set(otherHost, { ...space, space: "bob/other", owner: "bob" });
    browser = await openChromium();
    const context = await browser.newContext();
    const { port } = world.edge;
    other = `http://${otherHost}:${port}`;
    consoleUrl = `http://localhost:${port}`;
    // Both are known to the browser before.
    const first = await context.newPage();
    await first.goto(consoleUrl);
    await first.goto(other);
    await first.evaluate("localStorage.setItem('bobs', '1'); caches.open('bobs')");
    page = await context.newPage();
    await page.goto(`http://${appHost}:${port}/wide`);
  });
  after(async () => {
    await browser?.close();
    await world?.close();
  });

  /** What the expression gives, or the name of what it throws. */
  const tried = (expression: string): Promise<unknown> =>
    page.evaluate(`(async () => { try { return await (${expression}) } catch (error) { return error.name } })()`);

  const table: Record<string, { readonly tries: (to: string) => string; readonly gets: unknown }> = {
    "read its cookies": {
      tries: () => "document.cookie.includes('bobs') || document.cookie.includes('console')",
      gets: false,
    },
    "read its storage": { tries: () => "localStorage.getItem('bobs')", gets: null },
    "read its caches": { tries: () => "caches.has('bobs')", gets: false },
    "read its answers": {
      tries: (to) => `fetch('${to}/', { credentials: 'include' }).then((r) => r.text())`,
      gets: "TypeError",
    },
    "see more than that there is an answer": {
      tries: (to) =>
        `fetch('${to}/', { mode: 'no-cors', credentials: 'include' }).then(async (r) => r.type + (await r.text()))`,
      gets: "opaque",
    },
    "send it a method or header that is not simple": {
      tries: (to) => `fetch('${to}/', { method: 'PUT', headers: { 'x-waybill-csrf': '1' } }).then((r) => r.status)`,
      gets: "TypeError",
    },
    "read a frame of it": {
      tries: (to) => `new Promise((done) => {
        const frame = document.createElement('iframe');
        frame.onload = () => { try { done(frame.contentWindow.document.title) } catch (error) { done(error.name) } };
        frame.src = '${to}/'; document.body.append(frame);
      })`,
      gets: "SecurityError",
    },
    "read a window of it": {
      tries: (to) => `new Promise((done) => {
        const opened = window.open('${to}/');
        const look = setInterval(() => {
          try { if (opened.location.href === 'about:blank') return; done(opened.document.title) } catch (error) { done(error.name) }
          clearInterval(look); opened.close();
        }, 20);
      })`,
      gets: "SecurityError",
    },
    "put a service worker before it": {
      tries: (to) => `navigator.serviceWorker.register('${to}/sw.js', { scope: '${to}/' })`,
      gets: "SecurityError",
    },
    "widen a service worker of its own to it": {
      tries: (to) => `navigator.serviceWorker.register('/sw.js', { scope: '${to}/' })`,
      gets: "SecurityError",
    },
    "share its process by a worker": {
      tries: (to) =>
        `new Promise((done) => { const w = new SharedWorker('${to}/sw.js'); w.onerror = () => done('error'); })`,
      gets: "SecurityError",
    },
    "share its origin by document.domain": {
      tries: () => "(() => { document.domain = 'localhost'; return document.domain })()",
      gets: "SecurityError",
    },
  };
  for (const [what, { tries, gets }] of Object.entries(table))
    for (const whose of ["another Space", "the console"])
      test(`cannot ${what}: ${whose}`, async () => {
        assert.deepEqual(await tried(tries(whose === "the console" ? consoleUrl : other)), gets);
      });

  test("sets no cookie that another Space or the console gets, by script or by header", async () => {
    await page.evaluate(
      [
        ...["script=1; Domain=localhost", "script=1; Domain=.localhost", `script=1; Domain=${otherHost}`, "own=1"],
        ...["__Host-waybill-console=script; Secure; Path=/", "waybill_session=script", "script=1; Domain=127.0.0.1"],
      ]
        .map((cookie) => `document.cookie = ${JSON.stringify(cookie)};`)
        .join("\n"),
    );
    const context = page.context();
    const next = await context.newPage();
    for (const url of [other, consoleUrl, `http://${appHost}:${world.edge.port}`]) await next.goto(`${url}/`);
    assert.equal(cookies.get(`${otherHost}:${world.edge.port}`), "bobs=1");
    assert.equal(cookies.get("console"), "__Host-waybill-console=mine");
    // Of its own, the app gets what is not called like the console's.
    assert.equal(cookies.get(`${appHost}:${world.edge.port}`), "own=1");
  });

  test("whose frame or request asks another Space does so without that one's cookies", async () => {
    await page.evaluate(`fetch('${other}/', { mode: 'no-cors', credentials: 'include' })`);
    assert.equal(cookies.get(`${otherHost}:${world.edge.port}`), "");
  });

  test("cannot show a page of ours in a frame: its policy forbids it", async () => {
    const framed = await tried(`new Promise((done) => {
      const frame = document.createElement('iframe');
      frame.onload = () => done(frame.contentDocument === null ? 'another origin' : 'readable');
      frame.src = 'http://nobody.localhost:${world.edge.port}/'; document.body.append(frame);
    })`);
    assert.equal(framed, "another origin");
    const answer = await fetch(`http://127.0.0.1:${world.edge.port}/`, { headers: { accept: "text/html", host: "x" } });
    assert.match(answer.headers.get("content-security-policy") ?? "", /frame-ancestors 'self'/);
  });
});
