import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";

import { ControlWorld } from "./control.suite.ts";
import { domainsPerSpace, missingLastsMs } from "./domains.ts";

const name = "app.example.org";
const day = 86_400_000;

let world: ControlWorld;
const alice = { account: "alice", withoutProof: false };
const operator = { account: "admin", withoutProof: true };

beforeEach(async () => {
  world = await ControlWorld.open({});
  for (const space of ["demo", "other"]) await world.spaces.ensure("alice", space);
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

async function add(space: string, by = alice, named = name) {
  const answer = await world.domains.add(space, named, by);
  assert.ok(answer.ok, JSON.stringify(answer));
  return answer.domain;
}

/** Sets the TXT record that this Space's claim asks for. */
async function prove(space: string): Promise<void> {
  const { record } = await add(space);
  world.dns.txt.set(record.txt.name, [...texts(record.txt.name), record.txt.value]);
}

function texts(at: string): readonly string[] {
  const found = world.dns.txt.get(at);
  return typeof found === "object" ? found : [];
}

async function later(ms: number): Promise<void> {
  world.clock.advance(ms);
  await world.domains.sweep();
}

async function story(space = "alice/demo"): Promise<string[]> {
  return (await world.domains.changes(space, 100))
    .map(({ action, account }) => `${action} ${account ?? "platform"}`)
    .toReversed();
}

describe("a claim", () => {
  test("leads nowhere before it is proved, and says which record is missing", async () => {
    const domain = await add("alice/demo");
    assert.deepEqual([domain.state, domain.url], ["claimed", null]);
    assert.match(
      domain.says,
      /^It leads nowhere yet.*no text at _waybill\.app\.example\.org.*Set TXT _waybill\.app\.example\.org "waybill=[0-9a-z]{26}", or CNAME app\.example\.org to alice-demo\.apps\.example\.com/,
    );
    assert.equal(world.spaces.find(name), undefined);
  });

  test("leads when the TXT record is there: the Space is found by it, and shown with it", async () => {
    await prove("alice/demo");
    const domain = await add("alice/demo");
    assert.deepEqual([domain.state, domain.proof, domain.url], ["leads", "txt", `https://${name}`]);
    assert.equal(world.spaces.find(name)?.space, "alice/demo");
    assert.equal((await world.spaces.view("alice/demo"))?.addresses[0], `https://${name}`);
    assert.deepEqual(await story(), ["added alice", "proved alice"]);
  });

  test("leads by a CNAME that is the Space's own name, however it is written", async () => {
    world.dns.cname.set(name, ["Alice-Demo.apps.example.com."]);
    assert.equal((await add("alice/demo")).proof, "cname");
    assert.equal((await add("alice/other")).state, "claimed");
  });

  test("is not proved by another Space's record, nor by one beside it", async () => {
    const { record } = await add("alice/other");
    world.dns.txt.set(record.txt.name, [record.txt.value, "v=spf1 -all"]);
    world.dns.txt.set(name, [(await add("alice/demo")).record.txt.value]);
    const domain = await add("alice/demo");
    assert.equal(domain.state, "claimed");
    assert.match(domain.says, /other texts at _waybill/);
  });

  test("by an operator's word leads at once, and its DNS is asked nothing", async () => {
    world.dns.txt.set(`_waybill.${name}`, "ESERVFAIL");
    const domain = await add("alice/demo", operator);
    assert.deepEqual([domain.state, domain.proof], ["leads", "operator"]);
    await later(30 * day);
    assert.equal(world.domains.spaceOf(name), "alice/demo");
  });

  test("whose DNS never answers goes after a week too", async () => {
    world.dns.txt.set(`_waybill.${name}`, "ESERVFAIL");
    await world.domains.add("alice/demo", name, { account: "alice", withoutProof: false });
    for (let n = 0; n < 8; n++) await later(day);
    assert.deepEqual(world.domains.list("alice/demo"), []);
  });

  test("that is never proved goes after a week", async () => {
    await add("alice/demo");
    for (let n = 0; n < 6; n++) await later(day);
    assert.equal(world.domains.list("alice/demo").length, 1);
    await later(day);
    assert.deepEqual(world.domains.list("alice/demo"), []);
    assert.deepEqual(await story(), ["added alice", "removed platform"]);
  });

  test("does not stand in the way of whoever has the domain", async () => {
    await add("alice/other");
    await prove("alice/demo");
    assert.equal((await add("alice/demo")).state, "leads");
  });

  test("beyond what a Space may have is refused; the name's rules are", async () => {
    for (let n = 0; n < domainsPerSpace; n++) await add("alice/demo", alice, `n${n}.example.org`);
    const full = await world.domains.add("alice/demo", "more.example.org", alice);
    assert.ok(!full.ok && full.code === "control/conflict" && /remove one first/.test(full.says));
    const wrong = await world.domains.add("alice/demo", "10.0.0.1", alice);
    assert.ok(!wrong.ok && wrong.code === "control/invalid");
  });
});

describe("a name", () => {
  test("that leads to one Space is not another's, by record or by word, while its proof is there", async () => {
    await prove("alice/demo");
    await add("alice/demo");
    await prove("alice/other");
    for (const by of [alice, operator]) {
      const refused = await world.domains.add("alice/other", name, by);
      assert.ok(!refused.ok && refused.code === "control/conflict");
      assert.match(refused.says, /leads to another Space/);
    }
    assert.equal(world.domains.spaceOf(name), "alice/demo");
  });

  test("goes to whoever proves it once the other's proof is gone, at once", async () => {
    await prove("alice/demo");
    await add("alice/demo");
    const { record } = (await add("alice/other").catch(() => ({ record: null }))) as {
      record: { txt: { name: string; value: string } };
    };
    world.dns.txt.set(record.txt.name, [record.txt.value]);
    assert.equal((await add("alice/other")).state, "leads");
    assert.equal(world.domains.spaceOf(name), "alice/other");
    assert.equal(world.domains.find("alice/demo", name)?.state, "lapsed");
    assert.deepEqual((await story()).at(-1), "lapsed platform");
  });

  test("stays the holder's while the DNS does not answer: silence proves nothing", async () => {
    await prove("alice/demo");
    await add("alice/demo");
    world.dns.txt.set(`_waybill.${name}`, "ETIMEOUT");
    const refused = await world.domains.add("alice/other", name, operator);
    assert.ok(!refused.ok);
    await later(day);
    await later(30 * day);
    assert.equal(world.domains.find("alice/demo", name)?.leadsUntil, null);
    assert.equal(world.domains.spaceOf(name), "alice/demo");
  });

  test("whose proof is gone leads for a week, says so, and lapses; found again it leads", async () => {
    await prove("alice/demo");
    await add("alice/demo");
    const at = `_waybill.${name}`;
    const record = texts(at);
    world.dns.txt.delete(at);
    await later(day);
    const missing = world.domains.find("alice/demo", name);
    assert.equal(missing?.state, "leads");
    assert.match(missing.says, /its proof is gone from the DNS: put TXT/);
    assert.equal(Date.parse(missing.leadsUntil ?? ""), world.clock.wall() + missingLastsMs);
    for (let n = 0; n < 6; n++) await later(day);
    assert.equal(world.domains.spaceOf(name), "alice/demo");
    await later(day);
    assert.equal(world.domains.spaceOf(name), undefined);
    assert.equal(world.spaces.find(name), undefined);
    world.dns.txt.set(at, record);
    await later(day);
    assert.equal(world.domains.spaceOf(name), "alice/demo");
    assert.deepEqual((await story()).slice(2), ["missing platform", "lapsed platform", "found platform"]);
  });

  test("that does not answer keeps no other one from being looked at", async () => {
    for (const one of ["a.example.org", "b.example.org"]) await add("alice/demo", alice, one);
    world.dns.txt.set("_waybill.a.example.org", "ESERVFAIL");
    await later(day);
    await world.domains.sweep();
    const looked = Date.parse(world.domains.find("alice/demo", "b.example.org")?.lookedAt ?? "");
    assert.equal(looked, world.clock.wall());
  });

  test("is kept over a restart, and gone when it is removed, by whom is told", async () => {
    await prove("alice/demo");
    await add("alice/demo");
    const { Domains } = await import("./domains.ts");
    const again = await Domains.open({
      ...{ rows: world.catalog.domains, clock: world.clock, secret: new Uint8Array(32) },
      ...{ own: { appsDomain: "apps.example.com", consoleHosts: [] }, cnameOf: () => null, urlOf: String },
      resolver: { txt: async () => [], cname: async () => [] },
    });
    assert.equal(again.spaceOf(name), "alice/demo");
    assert.equal(await world.domains.remove("alice/demo", "APP.example.org", "admin"), true);
    assert.equal(await world.domains.remove("alice/demo", name, "admin"), false);
    assert.equal(world.spaces.find(name), undefined);
    assert.deepEqual((await story()).at(-1), "removed admin");
  });
});
