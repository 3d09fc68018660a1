/** A person who is signed in at the console visits apps with Debian's Chromium: with an edge in the server's process, and with one apart. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, test } from "node:test";
import { decodeJwt } from "jose";
import type { Browser, BrowserContext, Frame, Page } from "playwright-core";
import { openChromium } from "../support/browser.ts";
import { endedCall } from "../support/calls.ts";
import { Role } from "../support/cluster.ts";
import { freePort } from "../support/free-port.ts";
import { needs } from "../support/needs.ts";
import { Platform, until, type Account } from "../support/platform.ts";

const { skip } = await needs("chromium");

const secret = `wbs_${"a".repeat(32)}`;
/** A session of alice's, as a sign-in makes one. */
const addSession = `INSERT INTO sessions (id, account, hash, how, createdAt, usedAt, expiresAt, endedAt, address, agent)
  VALUES ('s_alices', 'alice', ?, 'password', ?, ?, ?, NULL, NULL, NULL)`;

for (const apart of [false, true]) {
  describe(apart ? "a browser at an edge apart" : "a browser", { skip }, () => {
    let up: Platform;
    let edge: Role | undefined;
    let browser: Browser;
    let alice: Account;
    let bob: Account;
    const port = (): string => new URL(up.url).port;
    const closed = (): string => `http://alice-closed.localhost:${port()}`;
    const open = (): string => `http://bob-open.localhost:${port()}`;
    const database = (statement: string, ...values: (string | number)[]): void => {
      using rows = new DatabaseSync(join(up.data, "journal.db"));
      rows.prepare(statement).run(...values);
    };

    before(async () => {
      up = await Platform.start({ gpus: "1x1", ...(apart && { apart: await freePort() }) });
      edge = apart ? new Role("edge", ["edge", "--data", up.data, "--workers", "2", "--drain", "60"], {}) : undefined;
      await edge?.start().ready;
      [alice, bob] = [await up.account("alice"), await up.account("bob")];
      await alice.client.createSpace("alice/closed", { private: true });
      const apps = [await up.deploy(alice, "closed"), await up.deploy(bob, "open")];
      for (const { deployed } of apps) assert.ok(deployed.ok, deployed.says);
      await up.stop();
      const now = Date.now();
      database(addSession, createHash("sha256").update(secret).digest("hex"), now, now, now + 3_600_000);
      await up.up();
      await until("the app runs again", async () => (await up.admin.space("alice/closed")).state === "running");
      browser = await openChromium();
    });
    after(async () => {
      await browser?.close();
      await edge?.end("SIGTERM");
      await up?.[Symbol.asyncDispose]();
    });

    const signedIn = async (): Promise<BrowserContext> => {
      const context = await browser.newContext();
      const cookie = { name: "__Host-waybill-console", value: secret, domain: "localhost", path: "/" };
      await context.addCookies([{ ...cookie, secure: true, httpOnly: true, sameSite: "Lax" }]);
      return context;
    };
    const field = async (answer: Awaited<ReturnType<Page["goto"]>>): Promise<string> =>
      `${answer?.status()} ${(await answer?.headerValue("x-waybill-account")) ?? null}`;
    const frameOf = (at: string): string =>
      `document.body.append(Object.assign(document.createElement("iframe"), { src: "${at}" }))`;
    const fetched = (page: Page | Frame, path: string): Promise<string> =>
      page.evaluate(async (at) => {
        const answer = await fetch(at);
        return `${answer.status} ${answer.headers.get("x-waybill-account")} ${await answer.text()}`;
      }, path);
    const userOf = (answer: string): unknown => decodeJwt(answer.split(" ").at(-1) ?? "")["user"];

    test("opens a private Space by its address, and is the person at the console there, unseen by the app", async () => {
      await using context = await signedIn();
      const page = await context.newPage();
      const seen: string[] = [];
      page.on("request", (request) => seen.push(new URL(request.url()).host));
      assert.equal(await field(await page.goto(`${closed()}/?x=1`)), "200 alice;by=session");
      assert.equal(page.url(), `${closed()}/?x=1`);
      assert.deepEqual([...new Set(seen)].toSorted(), [`alice-closed.localhost:${port()}`, `localhost:${port()}`]);
      assert.equal(await page.evaluate("document.cookie"), "");
      assert.equal(userOf(await fetched(page, "/token")), "alice");
      const cookies = (await context.cookies(closed())).map(({ name, httpOnly, secure, sameSite }) => [
        name,
        httpOnly,
        secure,
        sameSite,
      ]);
      assert.deepEqual(cookies, [["__Host-waybill-visit", true, true, "Lax"]]);
      // Once it is there nothing goes by the console.
      seen.length = 0;
      await page.reload();
      assert.ok(seen.every((host) => host !== `localhost:${port()}`));
    });

    test("its calls are its session's", async () => {
      await using context = await signedIn();
      const page = await context.newPage();
      await page.goto(closed());
      assert.match(await fetched(page, "/gpu/hold?seconds=0.05"), /^200 alice;by=session/);
      const [call] = (await alice.client.calls({ account: "alice" })).items;
      assert.ok(call);
      await endedCall(alice.client, call.id);
      const { receipt } = await until("its receipt", async () => alice.client.receipt(call.id).catch(() => undefined));
      assert.deepEqual([receipt.account, receipt.billedBy], ["alice", "session"]);
    });

    test("visits a public Space as a stranger until it asks to sign in there, and again when it has signed out", async () => {
      await using context = await signedIn();
      const page = await context.newPage();
      assert.equal(await field(await page.goto(open())), "200 address:127.0.0.1;by=address");
      assert.equal(await field(await page.goto(`${open()}/.waybill/sign-in?to=/pid`)), "200 alice;by=session");
      assert.equal(page.url(), `${open()}/pid`);
      assert.equal(await field(await page.goto(`${open()}/.waybill/sign-out`)), "200 address:127.0.0.1;by=address");
    });

    test("a page of another Space does nothing in its name", async () => {
      await using context = await signedIn();
      const page = await context.newPage();
      await page.goto(closed());
      await page.goto(open());
      const reached = await page.evaluate(async (at) => {
        const socket = new Promise<string>((resolve) => {
          const opened = new WebSocket(at.replace("http", "ws"));
          opened.addEventListener("open", () => resolve("open"));
          opened.addEventListener("error", () => resolve("refused"));
        });
        const read = await fetch(`${at}/token`, { credentials: "include" }).then(
          (answer) => String(answer.status),
          () => "refused",
        );
        return [await socket, read];
      }, closed());
      assert.deepEqual(reached, ["refused", "refused"]);
      const { items } = await alice.client.requests("alice/closed");
      const theirs = items.filter(({ path, status }) => path === "/token" && status !== 200);
      assert.ok(theirs.length > 0 && theirs.every(({ account }) => account !== "alice"), JSON.stringify(theirs));
    });

    test("an app in the console's frame knows who is signed in there, and nobody else's frame does in their name", async () => {
      await using context = await signedIn();
      const page = await context.newPage();
      const atConsole = `http://localhost:${port()}`;
      const shown = async (space: string, path: string): Promise<string> => {
        await page.goto(`${atConsole}/spaces/${space}`);
        await page.getByRole("button", { name: "Show it here" }).click();
        const frame = await until("the app is in its frame", async () =>
          page.frames().find((one) => /^http:..(alice-closed|bob-open)[^/]*.$/.test(one.url())),
        );
        return fetched(frame, path);
      };
      assert.match(await shown("alice/closed", "/gpu/hold?seconds=0.05"), /^200 alice;by=session/);
      await page.getByText("knows you as alice").waitFor();
      const [call] = (await alice.client.calls({ account: "alice" })).items;
      await page.getByRole("link", { name: call?.id ?? "" }).waitFor();
      const cookies = (await context.cookies()).filter(({ domain }) => domain === "alice-closed.localhost");
      assert.deepEqual(
        cookies.map(({ name, secure, httpOnly, sameSite }) => [name, secure, httpOnly, sameSite]),
        [["__Host-waybill-frame", true, true, "None"]],
      );
      // In a window of its own the frame's cookie is not there, and a public app is asked as a stranger.
      assert.match(await shown("bob/open", "/pid"), /^200 alice;by=session/);
      const other = await context.newPage();
      assert.equal(await field(await other.goto(open())), "200 address:127.0.0.1;by=address");
      // Bob's app, in the console's frame, has alice's in a frame of its own, and asks it: it is the console's partition, where her cookie is.
      const bobs = page.frames().find((one) => one.url().startsWith(open()));
      const nested = page.waitForResponse((answer) => answer.url() === `${closed()}/`);
      await bobs?.evaluate(
        `${frameOf(`${closed()}/`)}; void fetch("${closed()}/", { mode: "no-cors", credentials: "include" })`,
      );
      assert.equal((await nested).status(), 403);
      const { items } = await until("both were refused", async () => {
        const seen = await alice.client.requests("alice/closed");
        return seen.items.filter(({ code }) => code === "identity/cross-site").length >= 2 && seen;
      });
      assert.ok(items.length > 0);
      // On a page of another site there is no such cookie.
      await page.goto(`${open()}/?elsewhere`);
      const elsewhere = page.waitForResponse((answer) => answer.url() === `${closed()}/elsewhere`);
      await page.evaluate(frameOf(`${closed()}/elsewhere`));
      assert.equal((await elsewhere).status(), 404, "a private Space is nowhere for a stranger");
    });

    test("who is nobody at the console is sent there to sign in, at an address where nothing is too", async () => {
      await using context = await browser.newContext();
      const page = await context.newPage();
      const ways = [];
      for (const name of ["alice-closed", "nobody-there"]) {
        await page.goto(`http://${name}.localhost:${port()}/a`);
        const at = new URL(page.url());
        const back = new URL(at.searchParams.get("next") ?? "", at);
        back.searchParams.set("state", "STATE");
        ways.push(`${at.host}${at.pathname} ${back.href}`.replaceAll(name, "NAME"));
      }
      assert.match(ways[0] ?? "", new RegExp(`^localhost:${port()}/login http://localhost:${port()}/hand-over`));
      assert.equal(ways[0], ways[1]);
    });

    test("a session that has ended is refused, and its browser told how to go on", async () => {
      await using context = await signedIn();
      const page = await context.newPage();
      await page.goto(closed());
      await up.stop();
      database("UPDATE sessions SET endedAt = ? WHERE id = 's_alices'", Date.now());
      await up.up();
      await until("the app runs again", async () => (await up.admin.space("alice/closed")).state === "running");
      const answer = await until("an answer of the edge's", async () => {
        const got = await page.goto(closed());
        return got?.status() !== 503 && got;
      });
      assert.equal(await field(answer), "401 null");
      await page.getByRole("link", { name: "/.waybill/sign-in" }).click();
      await page.waitForURL(/\/login/);
    });
  });
}
