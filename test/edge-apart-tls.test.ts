/** `waybill edge` with TLS: certificates are the server's, and what was shown once is shown on while no server is there. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Authority, createRoot } from "../src/tls/authority.ts";
import { authorityFolder } from "../src/tls/certificates.ts";
import { isAlive, Role } from "./support/cluster.ts";
import { freePort } from "./support/free-port.ts";
import { needs } from "./support/needs.ts";
import { startPebble } from "./support/pebble.ts";
import { Platform, until, visit, type Account, type App } from "./support/platform.ts";
import { getBy, shownFor } from "./support/tls-client.ts";

const status = async (url: string, ca: string): Promise<number> => (await getBy(ca, url)).status;

describe("an edge apart with the private authority", () => {
  let up: Platform;
  let edge: Role;
  let alice: Account;
  let app: App;
  let ca = "";
  let port = 0;
  before(async () => {
    port = await freePort();
    up = await Platform.start({ apart: port, gpus: null, service: true, env: { WAYBILL_TLS: "ca" } });
    edge = new Role("edge", ["edge", "--data", up.data, "--workers", "2", "--drain", "5"], {});
    await edge.start().ready;
    alice = await up.account("alice");
    app = await up.deploy(alice, "demo");
    ca = readFileSync(join(authorityFolder(join(up.data, "tls")), "root.pem"), "utf8");
  });
  after(async () => {
    await edge?.end("SIGTERM");
    await up?.[Symbol.asyncDispose]();
  });

  const appStatus = () => status(`https://alice-demo.localhost:${port}/`, ca);

  test("serves console and apps, shows no certificate for what is nobody's, and sends nobody of this machine away", async () => {
    assert.deepEqual(app.deployed.space.addresses.slice(0, 1), [`https://alice-demo.localhost:${port}`]);
    assert.deepEqual([await appStatus(), await status(`https://localhost:${port}/login`, ca)], [200, 200]);
    assert.equal((await visit(`http://127.0.0.1:${port}/login`)).status, 200);
    await assert.rejects(status(`https://nobody.localhost:${port}/`, ca), /alert|handshake|altnames/i);
  });

  test("a worker that begins while the server is away shows what others were told", async () => {
    const before = (await up.admin.status()).edge?.map(({ pid }) => pid) ?? [];
    assert.equal(before.length, 2);
    const { serialNumber } = await shownFor(port, "alice-demo.localhost");
    await up.kill();
    assert.equal(await appStatus(), 200);
    process.kill(edge.pid, "SIGHUP");
    await until("the old ones have ended", () => before.every((pid) => !isAlive(pid)));
    assert.equal(await appStatus(), 200);
    assert.equal((await shownFor(port, "alice-demo.localhost")).serialNumber, serialNumber);
    await up.up();
    await until(
      "the console is there again",
      async () => (await status(`https://localhost:${port}/login`, ca)) === 200,
    );
  });
});

test("an edge apart proves names by ACME, also one of somebody's own domain", await needs("pebble"), async () => {
  const folder = mkdtempSync(join(tmpdir(), "waybill-acme-"));
  using _removed = { [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
  const [port, plainPort, directoryPort] = [await freePort(), await freePort(), await freePort()];
  const root = await createRoot(folder, { now: Date.now(), name: "the test's" });
  const authority = await Authority.open({ folder, now: Date.now });
  const env = {
    WAYBILL_TLS: "acme",
    WAYBILL_HTTP_PORT: String(plainPort),
    WAYBILL_ACME_DIRECTORY: `https://127.0.0.1:${directoryPort}/dir`,
    NODE_EXTRA_CA_CERTS: root.file,
  };
  await using up = await Platform.start({ apart: port, gpus: null, env });
  const edge = new Role("edge", ["edge", "--data", up.data, "--workers", "2", "--drain", "5"], {});
  await using _ended = { [Symbol.asyncDispose]: async () => void (await edge.end("SIGTERM")) };
  await edge.start().ready;
  const alice = await up.account("alice");
  const app = await up.deploy(alice, "demo");
  await up.admin.domains.add(app.space, { name: "shop.example", withoutProof: true });
  await using _pebble = await startPebble(folder, {
    ...{ port: directoryPort, httpPort: plainPort, certificate: await authority.issued(["127.0.0.1"]) },
  });
  for (const name of ["shop.example", "alice-demo.localhost"]) {
    const { issuer, subjectaltname } = await shownFor(port, name);
    assert.match(String(issuer.CN), /^Pebble/, name);
    assert.equal(subjectaltname, `DNS:${name}`);
  }
  await assert.rejects(shownFor(port, "bank.example"), "nobody else's name is asked for");
  const moved = await fetch(`http://127.0.0.1:${plainPort}/.well-known/acme-challenge/none`, { redirect: "manual" });
  assert.deepEqual(
    [moved.status, moved.headers.get("location")],
    [308, `https://127.0.0.1:${port}/.well-known/acme-challenge/none`],
  );
});
