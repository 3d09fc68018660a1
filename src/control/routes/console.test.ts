import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { brotliCompressSync, brotliDecompressSync } from "node:zlib";
import type { Hono } from "hono";
import type { ApiEnv } from "../api.ts";
import { createChecked } from "../described/checked.suite.ts";
import { ConsoleFiles } from "../console-files.ts";
import { ControlWorld } from "../control.suite.ts";

const folder = mkdtempSync(join(tmpdir(), "waybill-console-"));
const script = "console.log(1)";
writeFileSync(join(folder, "index.html"), "<!doctype html><div id=root></div>");
writeFileSync(join(folder, "console-AB12.js"), script);
writeFileSync(join(folder, "console-AB12.js.br"), brotliCompressSync(script));
writeFileSync(join(folder, "sources.sha256"), "not for browsers");
const files = ConsoleFiles.read(folder);

const browser = { accept: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8" };
type Ask = (path: string, headers?: Readonly<Record<string, string>>) => Promise<Response>;

async function served(built: ConsoleFiles | undefined): Promise<{ world: ControlWorld; api: Hono<ApiEnv>; ask: Ask }> {
  const world = await ControlWorld.open();
  const { server } = world;
  Object.defineProperty(server, "consoleFiles", { value: built });
  const api = createChecked(server);
  return { world, api, ask: async (path, headers = {}) => api.request(path, { headers }) };
}

describe("the console for browsers", () => {
  after(() => rmSync(folder, { recursive: true, force: true }));

  test("is one page at each address of its site map, under a policy that lets in nothing of others", async () => {
    const { world, ask } = await served(files);
    await using _ = world;
    for (const path of ["/", "/w/c_1", "/gpu", "/me", "/o/acme", "/admin", "/admin/nodes", "/status", "/verify"]) {
      const page = await ask(path, browser);
      assert.deepEqual([path, page.status, page.headers.get("cache-control")], [path, 200, "no-store"]);
      assert.match(await page.text(), /id=root/);
      const policy = page.headers.get("content-security-policy") ?? "";
      assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self'; /);
      assert.doesNotMatch(policy, /unsafe|https?:\/\/\*(\s|;|$)/);
    }
  });

  test("gives its files packed as the browser wishes, for ever, and nothing else of its folder", async () => {
    const { world, ask } = await served(files);
    await using _ = world;
    const packed = await ask("/console/console-AB12.js", { "accept-encoding": "gzip, br" });
    assert.equal(packed.headers.get("content-encoding"), "br");
    assert.match(packed.headers.get("cache-control") ?? "", /immutable/);
    assert.equal(brotliDecompressSync(Buffer.from(await packed.arrayBuffer())).toString(), script);
    for (const accepted of ["identity", "br;q=0", "gzip", ""]) {
      const plain = await ask("/console/console-AB12.js", { "accept-encoding": accepted });
      assert.deepEqual([plain.headers.get("content-encoding"), await plain.text()], [null, script], accepted);
    }
    for (const name of ["sources.sha256", "index.html", "console-AB12.js.br", "..%2Findex.html", "constructor"])
      assert.equal((await ask(`/console/${name}`)).status, 404, name);
  });

  test("says nothing of a private Space to who may not know of it: its page is as where nothing is", async () => {
    const { world, ask } = await served(files);
    await using _ = world;
    await world.server.spaces.ensure("alice", "closed", "alice", { private: true });
    await world.server.spaces.ensure("alice", "open", "alice", {});
    const look = async (name: string): Promise<readonly [number, string]> => {
      const page = await ask(`/spaces/alice/${name}`, browser);
      return [page.status, await page.text()];
    };
    assert.deepEqual(await look("closed"), await look("absent"));
    assert.equal((await look("closed"))[0], 404);
    assert.equal((await look("open"))[0], 200);
    const owner = { ...browser, authorization: `Bearer ${await world.token("alice", ["read"])}` };
    assert.equal((await ask("/spaces/alice/closed/logs", owner)).status, 200);
  });

  test("is what a browser gets where nothing is, which says so; a program and a request of the API get a problem", async () => {
    const { world, ask } = await served(files);
    await using _ = world;
    for (const path of ["/nothing/here/at-all", "/absent"]) {
      const page = await ask(path, browser);
      assert.deepEqual([page.status, await page.text()], [404, "<!doctype html><div id=root></div>"], path);
      assert.match((await ask(path)).headers.get("content-type") ?? "", /problem\+json/);
    }
    assert.match((await ask("/api/nothing", browser)).headers.get("content-type") ?? "", /json/);
  });

  test("leaves the plain pages to who wants them: without a script, or for no browser", async () => {
    const { world, ask } = await served(files);
    await using _ = world;
    for (const page of [await ask("/?plain", browser), await ask("/"), await ask("/", { accept: "*/*" })])
      assert.match(await page.text(), /<h1>Waybill<\/h1>/);
    assert.match((await ask("/w/c_1")).headers.get("content-type") ?? "", /problem\+json/);
    assert.equal((await ask("/gpu")).status, 404);
    assert.match(await (await ask("/gpu?plain", browser)).text(), /needs a script/);
  });

  test("where it was not built the plain pages are there, and all others say how it is built", async () => {
    const { world, ask } = await served(undefined);
    await using _ = world;
    assert.match(await (await ask("/", browser)).text(), /<h1>Waybill<\/h1>/);
    const page = await ask("/spaces/alice/demo/logs", browser);
    assert.equal(page.status, 404);
    assert.match(await page.text(), /npm run console/);
    assert.equal((await ask("/console/console-AB12.js")).status, 404);
  });
});
