import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parseRange, staticServer } from "./static.ts";

const answerWithinMs = 5_000;

test("what is no file is not there: a pipe keeps nobody waiting, in a file's place, an index's or the 404 page's", async () => {
  const folder = mkdtempSync(join(tmpdir(), "waybill-static-"));
  mkdirSync(join(folder, "sub"));
  writeFileSync(join(folder, "index.html"), "<p>here</p>");
  for (const pipe of ["pipe", "sub/index.html", "404.html"]) execFileSync("mkfifo", [join(folder, pipe)]);
  const server = staticServer(folder).listen(0, "127.0.0.1");
  try {
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const statuses: number[] = [];
    // One more than Node has threads for files.
    for (const path of ["pipe", "sub/", "404.html", "none", "pipe", "sub", "pipe/", ""]) {
      const signal = AbortSignal.timeout(answerWithinMs);
      statuses.push((await fetch(`http://127.0.0.1:${port}/${path}`, { signal })).status);
    }
    assert.deepEqual(statuses, [404, 404, 404, 404, 404, 404, 404, 200]);
  } finally {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  }
});

test("the start page is served at the root, and a folder's own index below it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "waybill-static-"));
  mkdirSync(join(folder, "sub"));
  for (const name of ["page.html", "sub/index.html"]) writeFileSync(join(folder, name), name);
  const server = staticServer(folder, "page.html").listen(0, "127.0.0.1");
  try {
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const said: string[] = [];
    for (const path of ["", "page.html", "sub/"])
      said.push(await (await fetch(`http://127.0.0.1:${port}/${path}`)).text());
    assert.deepEqual(said, ["page.html", "page.html", "sub/index.html"]);
  } finally {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  }
});

describe("parseRange", () => {
  for (const [header, expected] of [
    [undefined, undefined],
    ["bytes=0-9", [0, 9]],
    ["bytes=90-", [90, 99]],
    ["bytes=90-500", [90, 99]],
    ["bytes=-10", [90, 99]],
    ["bytes=-500", [0, 99]],
    ["bytes=100-", "unsatisfiable"],
    ["bytes=-0", "unsatisfiable"],
    ["bytes=5-2", undefined],
    ["bytes=0-1,5-6", undefined],
    ["items=0-1", undefined],
    ["bytes=-", undefined],
  ] as const) {
    test(`${header ?? "no header"} of 100 bytes is ${JSON.stringify(expected) ?? "the whole"}`, () => {
      assert.deepEqual(parseRange(header, 100), expected);
    });
  }
});
