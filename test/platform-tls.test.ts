/** `waybill up` with TLS: the private authority's root is what clients need, and all addresses that are shown say https. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { Authority } from "../src/tls/authority.ts";
import { authorityFolder } from "../src/tls/certificates.ts";
import { Platform, until, upRefused } from "./support/platform.ts";
import { getBy } from "./support/tls-client.ts";

const waybill = resolve(import.meta.dirname, "../bin/waybill.js");
const run = promisify(execFile);

describe("a platform with its private authority", () => {
  let up: Platform;
  let ca = "";
  let port = "";
  before(async () => {
    up = await Platform.start({ env: { WAYBILL_TLS: "ca" } });
    port = new URL(up.url).port;
    const { stdout } = await run(process.execPath, [waybill, "ca", "show", "--data", up.data, "--json"]);
    const root = JSON.parse(stdout) as { file: string; pem: string; sha256: string };
    assert.equal(root.pem, readFileSync(root.file, "utf8"));
    assert.match(root.sha256, /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    ca = root.pem;
  });
  after(() => up[Symbol.asyncDispose]());

  test("serves its API and an app to whom trusts the root, and shows addresses with https", async () => {
    const alice = await up.account("alice");
    const { deployed } = await up.deploy(alice, "demo");
    const [address = ""] = deployed.space.addresses;
    assert.equal(address, `https://alice-demo.localhost:${port}`);
    assert.equal(
      (await getBy(ca, `https://localhost:${port}/api/status`, { authorization: `Bearer ${alice.token}` })).status,
      200,
    );
    const visited = await getBy(ca, `${address}/`);
    assert.equal(visited.status, 200, visited.text);
    await assert.rejects(getBy(ca, `https://nobody.localhost:${port}/`), /alert|handshake|altnames/i);
  });

  test("says in its status which certificates it has", async () => {
    const { tls } = await up.admin.status();
    assert.ok(tls?.certificates.some(({ names, from }) => from === "authority" && names.includes("localhost")));
    assert.deepEqual(tls?.problems, []);
  });
});

test("a platform with files of the operator's reads them again at SIGHUP, and does not start with a pair that is none", async () => {
  await using up = await Platform.start({ env: { WAYBILL_TLS: "ca" } });
  await up.stop();
  const authority = await Authority.open({ folder: authorityFolder(join(up.data, "tls")), now: Date.now });
  const root = readFileSync(join(authorityFolder(join(up.data, "tls")), "root.pem"), "utf8");
  const [cert, key] = [join(up.folder, "a.pem"), join(up.folder, "a.key")];
  const write = async (name: string): Promise<void> => {
    const pair = await authority.issued([name]);
    writeFileSync(key, pair.key);
    writeFileSync(cert, pair.cert);
  };
  await write("localhost");
  await up.up({ env: { WAYBILL_TLS: `${cert},${key}` } });
  assert.equal(
    (await getBy(root, `${up.url.replace("http://127.0.0.1", "https://localhost")}/api/status`)).status,
    200,
  );
  await write("console.localhost");
  process.kill(up.pid, "SIGHUP");
  const shown = await until("the new pair", async () => {
    const { tls } = await up.admin.status();
    return tls?.certificates.find(({ names }) => names.includes("console.localhost"));
  });
  assert.equal(shown.from, "file");
  await up.stop();
  writeFileSync(key, "no key");
  const refused = await upRefused(up.data, 0, { WAYBILL_TLS: `${cert},${key}` });
  assert.equal(refused.code, 1);
  const problem = JSON.parse(refused.out) as { code: string; detail: string };
  assert.equal(problem.code, "certificate-unfit");
  assert.match(problem.detail, /a\.pem .* cannot be used: the key is not PEM/);
});
