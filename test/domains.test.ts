/** A Space under its owner's own domain: claimed, proved by the DNS, reached, given up; through the command line and a real platform. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import type { DomainView } from "../src/contract/domains.ts";
import { DnsServer } from "./support/dns-server.ts";
import { rawExchange } from "./support/edge-world.ts";
import { Platform } from "./support/platform.ts";
import type { Account, App } from "./support/platform.ts";

const program = resolve(import.meta.dirname, "../bin/waybill.js");
const name = "shop.example.org";

describe("a domain of one's own", () => {
  let dns: DnsServer;
  let platform: Platform;
  let alice: Account;
  let bob: Account;
  let app: App;

  const waybill = async (account: Account, ...args: string[]): Promise<{ code: number | null; out: string }> => {
    const env = { ...process.env, WAYBILL_URL: platform.url, WAYBILL_TOKEN: account.token };
    const child = spawn(process.execPath, [program, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
    let out = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes: Buffer) => (out += bytes.toString()));
    await once(child, "close");
    return { code: child.exitCode, out };
  };
  const visit = (host: string): Promise<string> =>
    rawExchange(Number(new URL(platform.url).port), `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);

  before(async () => {
    dns = await DnsServer.start();
    platform = await Platform.start({ gpus: null, env: { WAYBILL_DNS_SERVERS: dns.place } });
    [alice, bob] = [await platform.account("alice"), await platform.account("bob")];
    app = await platform.deploy(alice, "demo");
  });
  after(async () => {
    await platform[Symbol.asyncDispose]();
    dns[Symbol.dispose]();
  });

  test("is nobody's before its DNS says so, and says what is missing", async () => {
    const { code, out } = await waybill(alice, "domain", "add", app.space, "Shop.Example.org");
    assert.equal(code, 0, out);
    assert.match(out, /shop\.example\.org +claimed/);
    assert.match(out.replaceAll(/\s+/g, " "), /Set TXT _waybill\.shop\.example\.org "waybill=[0-9a-z]{26}"/);
    assert.match(await visit(name), /^HTTP\/1\.1 404 [^]*no-such-space/);
  });

  test("leads to the Space when the record is there, over a restart too", async () => {
    const [claim] = (await alice.client.domains.list(app.space)).items as [DomainView];
    dns.txt.set(claim.record.txt.name, [claim.record.txt.value]);
    const { code, out } = await waybill(alice, "domain", "add", app.space, name, "--json");
    assert.equal(code, 0, out);
    const added = JSON.parse(out) as DomainView;
    const port = new URL(platform.url).port;
    assert.deepEqual([added.state, added.proof, added.url], ["leads", "txt", `http://${name}:${port}`]);
    assert.match(await visit(name), /^HTTP\/1\.1 200 [^]*ok/);
    assert.equal((await alice.client.space(app.space)).addresses[0], added.url);
    await platform.restart();
    assert.equal((await alice.client.domains.list(app.space)).items[0]?.state, "leads");
    assert.match(await visit(name), /^HTTP\/1\.1 (?!404)/);
  });

  test("is its owner's and the operator's to change, who alone adds one without proof", async () => {
    const refused = await waybill(bob, "domain", "remove", app.space, name);
    assert.equal(refused.code, 4, refused.out);
    assert.equal((await waybill(bob, "domain", "list", app.space)).code, 4);
    const word = await waybill(alice, "domain", "add", app.space, "lan.example.org", "--without-proof");
    assert.equal(word.code, 4, word.out);
    assert.match(word.out, /Only an operator/);
    const byOperator = await platform.admin.domains.add(app.space, { name: "lan.example.org", withoutProof: true });
    assert.equal(byOperator.state, "leads");
    assert.match(await visit("lan.example.org"), /^HTTP\/1\.1 200 /);
  });

  test("that another Space has proved is refused to others", async () => {
    const other = await platform.deploy(bob, "shop");
    const { code, out } = await waybill(bob, "domain", "add", other.space, name);
    assert.equal(code, 0, out);
    const [claim] = (await bob.client.domains.list(other.space)).items as [DomainView];
    const mine = dns.txt.get(claim.record.txt.name) ?? [];
    dns.txt.set(claim.record.txt.name, [...mine, claim.record.txt.value]);
    const both = await waybill(bob, "domain", "add", other.space, name);
    assert.notEqual(both.code, 0);
    assert.match(both.out, /leads to another Space/);
    // Who has the domain decides: with the first record gone it is the second's.
    dns.txt.set(claim.record.txt.name, [claim.record.txt.value]);
    assert.equal((await bob.client.domains.add(other.space, { name })).state, "leads");
    assert.equal((await alice.client.domains.list(app.space)).items.find((one) => one.name === name)?.state, "lapsed");
  });

  test("that is no name, or the platform's own, is refused with what to write", async () => {
    for (const [wrong, says] of [
      ["https://x.example.org", /write one alone/],
      ["10.0.0.1", /is an address/],
      ["bob-shop.localhost", /leads nowhere/],
    ] as const) {
      const { code, out } = await waybill(alice, "domain", "add", app.space, wrong);
      assert.notEqual(code, 0);
      assert.match(out.replaceAll(/\s+/g, " "), says);
    }
  });

  test("given up leads nowhere, and who did what is told", async () => {
    assert.equal((await waybill(alice, "domain", "remove", app.space, "lan.example.org")).code, 0);
    assert.match(await visit("lan.example.org"), /^HTTP\/1\.1 404 /);
    assert.equal((await waybill(alice, "domain", "remove", app.space, "lan.example.org")).code, 3);
    const { items } = await alice.client.domains.changes(app.space);
    assert.deepEqual(
      items.filter((one) => one.name === "lan.example.org").map(({ action, account }) => [action, account]),
      [
        ["removed", "alice"],
        ["proved", "admin"],
        ["added", "admin"],
      ],
    );
  });
});
