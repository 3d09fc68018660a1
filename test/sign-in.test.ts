/** Signing in at the console of a real platform: by a browser, by the command line's password, and what an app sees of a session: nothing. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Browser, BrowserContext } from "playwright-core";
import { openChromium } from "./support/browser.ts";
import { needs } from "./support/needs.ts";
import { Platform, until, visit } from "./support/platform.ts";
import type { Account, App } from "./support/platform.ts";

const password = "correct horse battery staple";
const cookieName = "__Host-waybill-console";
const bin = resolve(import.meta.dirname, "../bin/waybill.js");
const chromiumNeeds = await needs("chromium");

/** Tells which cookies it was sent, and for whom the edge took its visitor. */
const mirror: Readonly<Record<string, string>> = {
  "README.md": "---\nsdk: node\n---\n",
  "package.json": JSON.stringify({ name: "mirror", type: "module", scripts: { start: "node server.js" } }),
  "server.js": [
    'import { createServer } from "node:http";',
    "createServer(({ headers }, response) => {",
    '  const payload = String(headers["x-ip-token"]).split(".")[1];',
    '  const claims = JSON.parse(Buffer.from(payload, "base64url"));',
    '  response.end(JSON.stringify({ cookie: headers.cookie ?? "", account: claims.sub }));',
    '}).listen(Number(process.env.PORT), "127.0.0.1");',
  ].join("\n"),
  ...{ "work.js": "", "gradio.js": "" },
};

describe("the console of a platform", () => {
  let up: Platform;
  let alice: Account;
  let app: App;
  let browser: Browser | undefined;
  before(async () => {
    up = await Platform.start({ sandbox: "none" });
    alice = await up.account("alice");
    app = await up.deploy(alice, "mirror", mirror);
    if (!chromiumNeeds.skip) browser = await openChromium();
  });
  after(async () => {
    await browser?.close();
    await up[Symbol.asyncDispose]();
  });

  /** A browser of its own, with nothing in it. */
  async function fresh(options: Parameters<Browser["newContext"]>[0] = {}): Promise<BrowserContext> {
    assert.ok(browser, "there is a browser where these tests run");
    return browser.newContext(options);
  }

  async function waybill(
    args: readonly string[],
    input: string,
    token: string,
  ): Promise<{ code: number; said: string }> {
    const env = { ...process.env, WAYBILL_URL: up.url, WAYBILL_TOKEN: token };
    const child = spawn(process.execPath, [bin, ...args], { env });
    child.stdin.end(input);
    const [said, ended] = await Promise.all([
      Promise.all([text(child.stdout), text(child.stderr)]),
      once(child, "exit") as Promise<[number]>,
    ]);
    return { code: ended[0], said: said.join("") };
  }

  /** A form of the console as a page of it sends it. */
  function post(path: string, fields: Readonly<Record<string, string>>, cookie?: string): Promise<Response> {
    return fetch(`${up.url}${path}`, {
      ...{ method: "POST", redirect: "manual", body: new URLSearchParams(fields) },
      headers: { origin: up.url, ...(cookie !== undefined && { cookie }) },
    });
  }

  const whoami = async (cookie: string) =>
    fetch(`${up.url}/api/whoami-v2`, { headers: { cookie } }).then(async (answer) =>
      answer.ok ? ((await answer.json()) as { name: string }).name : answer.status,
    );

  test("signs in by a password that was set from standard input, and no edge passes the session on to an app", async () => {
    const set = await waybill(["account", "password", "alice"], `${password}\n`, alice.token);
    assert.deepEqual([set.code, /alice has a new password/.test(set.said)], [0, true], set.said);
    const entered = await post("/login", { name: "alice", password });
    const cookie = entered.headers.get("set-cookie")?.split(";")[0] ?? "";
    assert.equal(await whoami(cookie), "alice");
    // At the app's address and at its name: a page there has no cookie of the console's, but somebody may send one.
    const byName = await new Promise<string>((done, fail) => {
      const { port } = new URL(up.url);
      const asked = request(
        {
          host: "127.0.0.1",
          port,
          path: "/api/whoami-v2",
          headers: { host: `alice-mirror.localhost:${port}`, cookie: `a=1; ${cookie}; b=2` },
        },
        (answer) => void text(answer).then(done, fail),
      );
      asked.on("error", fail).end();
    });
    const { text: byAddress } = await visit(`${app.url}/settings`, undefined, {
      headers: { cookie: `a=1; ${cookie}; b=2` },
    });
    for (const seen of [byName, byAddress])
      assert.deepEqual(JSON.parse(seen), { cookie: "a=1; b=2", account: "address:127.0.0.1" });
    const { items } = await alice.client.sessions();
    assert.deepEqual(
      items.map(({ how, address }) => [how, address]),
      [["password", "127.0.0.1"]],
    );
    const ended = await waybill(["session", "end", items[0]?.id ?? ""], "", alice.token);
    assert.equal(ended.code, 0, ended.said);
    assert.equal(await whoami(cookie), 401);
  });

  test("keeps sessions over a restart, and ended ones ended", async () => {
    const cookies = await Promise.all(
      ["one", "two"].map(async () => {
        const entered = await post("/login", { name: "alice", password });
        return entered.headers.get("set-cookie")?.split(";")[0] ?? "";
      }),
    );
    const [kept = "", left = ""] = cookies;
    assert.equal((await post("/logout", {}, left)).status, 303);
    await up.restart();
    assert.deepEqual([await whoami(kept), await whoami(left)], ["alice", 401]);
  });

  test(
    "lets a real browser in by the link that it prints, once, and leaves nothing of it in the address",
    chromiumNeeds,
    async () => {
      await up.restart();
      const link = up.signInLink ?? "";
      assert.match(link, /^http:\/\/127\.0\.0\.1:\d+\/login#in=.{32}$/);
      await using context = await fresh();
      const page = await context.newPage();
      await page.goto(link);
      await page.getByText("Signed in as admin").waitFor();
      assert.equal(page.url(), `${up.url}/`);
      const [cookie, ...others] = await context.cookies();
      assert.deepEqual(others, []);
      assert.deepEqual(
        [cookie?.name, cookie?.httpOnly, cookie?.secure, cookie?.sameSite, cookie?.domain, cookie?.path],
        [cookieName, true, true, "Lax", "127.0.0.1", "/"],
      );
      await page.goBack().catch(() => undefined); // Where there is nothing to go back to, all the better.
      assert.doesNotMatch(page.url(), /in=/);
      await using second = await fresh();
      const again = await second.newPage();
      await again.goto(link);
      await again.getByText("This link was used before").waitFor();
      assert.deepEqual(await second.cookies(), []);
    },
  );

  test(
    "lets a browser without scripts in and out by forms, on localhost too, and shows its sessions",
    chromiumNeeds,
    async () => {
      await using context = await fresh({ javaScriptEnabled: false });
      const page = await context.newPage();
      const at = up.url.replace("127.0.0.1", "localhost");
      await page.goto(`${at}/settings`);
      await page.getByLabel("Account").fill("alice");
      await page.getByLabel("Password").fill(`not ${password}`);
      await page.getByRole("button", { name: "Sign in" }).first().click();
      await page.getByText("The name or the password is wrong").waitFor();
      await page.getByLabel("Password").fill(password);
      await page.getByRole("button", { name: "Sign in" }).first().click();
      await page.getByText("this one").waitFor();
      assert.equal(page.url(), `${at}/settings`);
      await page.getByRole("button", { name: "End all others" }).click();
      await page.getByText("have ended").waitFor();
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.waitForURL(`${at}/login`);
      assert.deepEqual(await context.cookies(), []);
    },
  );

  test(
    "is not moved by an app's page that its person visits, with all the cookies that a real browser sends",
    chromiumNeeds,
    async () => {
      await using context = await fresh();
      const page = await context.newPage();
      await page.goto(`${up.url}/login`);
      await page.getByLabel("Account").fill("alice");
      await page.getByLabel("Password").fill(password);
      await page.getByRole("button", { name: "Sign in" }).first().click();
      await page.getByText("Signed in as alice").waitFor();
      const before = (await alice.client.tokens()).items.length;
      // The same host's other port, as Spaces by ports have it: to browsers the same site.
      await using evil = await evilPage(up.url);
      await page.goto(evil.url);
      await until("the page has tried all that it knows", async () => (await page.title()) === "tried");
      const told = JSON.parse((await page.textContent("pre")) ?? "") as string[];
      assert.deepEqual(told, ["blocked", "blocked", "opaque", "opaque"]);
      await page.getByRole("button", { name: "form" }).click();
      await page.getByText("cross-site").first().waitFor();
      assert.equal((await alice.client.tokens()).items.length, before);
      await page.goto(up.url);
      await page.getByText("Signed in as alice").waitFor();
    },
  );
});

/** A page on another port that tries to write in the name of whoever opens it. */
async function evilPage(console: string): Promise<{ readonly url: string } & AsyncDisposable> {
  const script = `
    const ask = (path, options) => fetch("${console}" + path, { credentials: "include", ...options })
      .then((answer) => (answer.type === "opaque" ? "opaque" : "read " + answer.status), () => "blocked");
    const json = { method: "POST", headers: { "content-type": "application/json" }, body: "{}" };
    Promise.all([
      ask("/api/whoami-v2", {}),
      ask("/api/tokens", json),
      ask("/api/tokens", { method: "POST", mode: "no-cors", body: "{}" }),
      ask("/logout", { method: "POST", mode: "no-cors", body: new URLSearchParams() }),
    ]).then((told) => { document.querySelector("pre").textContent = JSON.stringify(told); document.title = "tried"; });`;
  const server = createServer((_request, response) => {
    response.setHeader("content-type", "text/html");
    const button = '<button style="font-size:0" aria-label="form"></button>';
    response.end(
      `<body><pre></pre><form method="post" action="${console}/logout">${button}</form><script>${script}</script></body>`,
    );
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
