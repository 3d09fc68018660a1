import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { createApi } from "../app.ts";
import { ControlWorld } from "../control.suite.ts";
import { DocsFiles } from "../docs-files.ts";

const folder = mkdtempSync(join(tmpdir(), "waybill-docs-"));
mkdirSync(join(folder, "guide", "pictures"), { recursive: true });
writeFileSync(join(folder, "index.html"), "<!doctype html><h1>Documentation</h1>");
writeFileSync(join(folder, "guide", "start.html"), "<!doctype html><h1>Start</h1>");
writeFileSync(join(folder, "guide", "pictures", "space.png"), "a picture");
writeFileSync(join(folder, "notes.txt"), "not for browsers");
writeFileSync(join(folder, "gone.html"), "<!doctype html>");

async function asked(
  files: DocsFiles | undefined,
  path: string,
  headers: Record<string, string> = {},
): Promise<Response> {
  await using world = await ControlWorld.open();
  Object.defineProperty(world.server, "docsFiles", { value: files });
  return createApi(world.server).request(path, { headers });
}

describe("the documentation", () => {
  after(() => rmSync(folder, { recursive: true, force: true }));
  const files = DocsFiles.read(folder);

  test("is there for everybody, under a policy that lets in no script and nothing of others", async () => {
    for (const [path, says] of [
      ["/docs", "Documentation"],
      ["/docs/guide/start", "Start"],
    ] as const) {
      const page = await asked(files, path);
      assert.deepEqual([page.status, page.headers.get("content-type")], [200, "text/html; charset=utf-8"]);
      assert.match(await page.text(), new RegExp(says));
      const policy = page.headers.get("content-security-policy") ?? "";
      assert.match(policy, /^default-src 'none'; style-src 'self';/);
      assert.doesNotMatch(policy, /script-src|unsafe/);
    }
    const picture = await asked(files, "/docs/guide/pictures/space.png");
    assert.deepEqual([picture.headers.get("content-type"), await picture.text()], ["image/png", "a picture"]);
  });

  test("opens no file but its own", async () => {
    for (const path of ["notes.txt", "guide", "guide/none", "..%2f..%2fpackage.json", "%2e%2e/index", "constructor"])
      assert.equal((await asked(files, `/docs/${path}`)).status, 404, path);
  });

  test("answers with a page where it has none, to browsers; to others with a problem", async () => {
    const page = await asked(files, "/docs/guide/none", { accept: "text/html,*/*;q=0.8" });
    assert.deepEqual([page.status, page.headers.get("content-type")], [404, "text/html; charset=utf-8"]);
    assert.match(await page.text(), /has no page guide\/none[^]*Begin at \/docs\./);
    const problem = await asked(files, "/docs/guide/none");
    assert.match(problem.headers.get("content-type") ?? "", /^application\/problem\+json/);
    assert.match(await problem.text(), /Begin at \/docs\./);
  });

  test("has no page any more whose file went away while the server ran", async () => {
    const before = DocsFiles.read(folder);
    rmSync(join(folder, "gone.html"));
    assert.equal((await asked(before, "/docs/gone")).status, 404);
  });

  test("says where it was not built, and how it is", async () => {
    assert.equal(DocsFiles.read(join(folder, "guide")), undefined);
    const page = await asked(undefined, "/docs");
    assert.equal(page.status, 404);
    assert.match(await page.text(), /npm run console/);
  });
});
