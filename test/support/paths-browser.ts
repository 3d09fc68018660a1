/** The browsers of the table of paths: Debian's Chromium at the console, at an app, and at pages of another site. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type * as gradio from "@gradio/client";
import type { Browser, BrowserContext, Frame, Page } from "playwright-core";
import { newVisitor, openChromium, signIn, type Person } from "./browser.ts";

/** As a page has it that needs no bundler. */
const clientFolder = dirname(fileURLToPath(import.meta.resolve("@gradio/client")));

export class PathsBrowser implements AsyncDisposable {
  readonly #browser: Browser;
  readonly #elsewhere: Server;
  /** Where people sign in. */
  readonly #console: string;

  private constructor(browser: Browser, elsewhere: Server, console: string) {
    this.#browser = browser;
    this.#elsewhere = elsewhere;
    this.#console = console;
  }

  static async open(console: string): Promise<PathsBrowser> {
    const elsewhere = createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? "/", "http://a");
      if (pathname.endsWith(".js")) {
        response.writeHead(200, { "content-type": "text/javascript" });
        return void response.end(readFileSync(join(clientFolder, pathname)));
      }
      response.writeHead(200, { "content-type": "text/html" });
      const frame = searchParams.get("frame");
      response.end(frame === null ? "A page." : `A page with <iframe src="${frame}"></iframe>`);
    });
    await new Promise<void>((ready) => elsewhere.listen(0, "127.0.0.1", ready));
    return new PathsBrowser(await openChromium(), elsewhere, console);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
    await new Promise((closed) => this.#elsewhere.close(closed));
  }

  /** Signs in at the console and follows the Space's link there. */
  async fromConsole(person: Person, address: string): Promise<string> {
    await using context = await this.#signedIn(person);
    const page = await context.newPage();
    await page.goto(this.#console);
    await page.getByRole("link", { name: address, exact: true }).click();
    await page.waitForURL(`${address}/**`);
    return await press(page);
  }

  /** Signs in by the app's own address, and asks what `ask` asks on its page. */
  async atApp(person: Person, address: string, ask: (page: Page) => Promise<string> = press): Promise<string> {
    await using context = await this.#signedIn(person);
    const page = await context.newPage();
    await page.goto(`${address}/.waybill/sign-in`);
    assert.equal(new URL(page.url()).origin, address);
    return await ask(page);
  }

  /** Signs in at the console, whose page of the Space shows the app in a frame. */
  async framed(person: Person, space: string, address: string): Promise<string> {
    await using context = await this.#signedIn(person);
    const page = await context.newPage();
    await page.goto(`${this.#console}/spaces/${space}`);
    await page.getByRole("button", { name: "Show it here" }).click();
    await page.frameLocator("iframe").getByRole("button", { name: "works", exact: true }).waitFor();
    const frame = page.frames().find((one) => one.url().startsWith(address));
    return await press(frame ?? assert.fail("the frame is not there"));
  }

  async stranger(address: string): Promise<string> {
    await using context = await newVisitor(this.#browser);
    const page = await context.newPage();
    await page.goto(address);
    return await press(page);
  }

  /** In a frame of a page of another site, once the browser is signed in at the app too. */
  async embedded(person: Person, address: string): Promise<string> {
    await using context = await this.#signedIn(person);
    const page = await context.newPage();
    await page.goto(`${address}/.waybill/sign-in`);
    await page.goto(`${this.#other}/?frame=${encodeURIComponent(address)}`);
    const frame = page.frames().find((one) => one.url().startsWith(address));
    return await press(frame ?? assert.fail("the frame is not there"));
  }

  /** A page of somebody's own with Gradio's client. */
  async customPage(token: string, address: string): Promise<string> {
    await using context = await newVisitor(this.#browser);
    const page = await context.newPage();
    await page.goto(this.#other);
    return await page.evaluate(
      async ([url, by]) => {
        const from = "/browser.js";
        const { Client } = (await import(from)) as Pick<typeof gradio, "Client">;
        const client = await Client.connect(url ?? "", { token: by as `hf_${string}` });
        const { data } = await client.predict("/works", [21]);
        return String((data as unknown[])[0]);
      },
      [address, token],
    );
  }

  /** Another site than all of the platform's names. */
  get #other(): string {
    return `http://127.0.0.1:${(this.#elsewhere.address() as AddressInfo).port}`;
  }

  async #signedIn(person: Person): Promise<BrowserContext> {
    const context = await newVisitor(this.#browser);
    const page = await context.newPage();
    await page.goto(`${this.#console}/login`);
    await signIn(page, person);
    await page.getByText(`Signed in as ${person.account}`).waitFor();
    await page.close();
    return context;
  }
}

/** Gradio's page: its button, and what its function gave. */
async function press(page: Page | Frame): Promise<string> {
  await page.getByRole("button", { name: "works", exact: true }).click();
  return filled(page, `document.querySelector('textarea')?.value`);
}

/** The button of a component that asks a function of the server's. */
export async function pressServed(page: Page): Promise<string> {
  await page.getByRole("button", { name: "serves", exact: true }).click();
  return filled(page, `document.querySelector('.served')?.textContent`);
}

async function filled(page: Page | Frame, value: string): Promise<string> {
  await page.waitForFunction(`(${value} ?? "") !== ""`);
  return String(await page.evaluate(value));
}
