import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Catalog } from "../catalog/catalog.ts";
import { memorySql } from "../catalog/memory-sql.ts";
import { prng } from "../stdx/prng.ts";
import { after, instant, seconds } from "../stdx/time.ts";
import { VisitorKeyring } from "./visitor-keys.ts";
import type { KeyringParts } from "./visitor-keys.ts";
import type { SecretSettings } from "./settings.ts";
import { mintVisitorToken, verifyVisitorToken, visitorTokenLasts } from "./visitor-token.ts";
import type { VisitorKey } from "./visitor-token.ts";

const hour = 3_600_000;

async function world() {
  const now = { ms: Date.UTC(2026, 10, 22, 12) };
  const clock = { wall: () => instant(now.ms), monotonic: () => 0 };
  const settings: SecretSettings = (await Catalog.open(memorySql(), clock)).settings;
  const random = prng(1);
  const open = (over: Partial<KeyringParts> = {}) =>
    VisitorKeyring.open({
      ...{ settings, clock, everyMs: null, random: (count: number) => random.bytes(count) },
      ...{ publish: async () => [], ...over },
    });
  const mint = ({ kid, key }: VisitorKey) =>
    mintVisitorToken({
      key, kid, space: "alice/demo", user: null, account: "address:192.0.2.7", tier: "anonymous", billedBy: "address",
      request: "q_1", issuedAt: clock.wall(), expiresAt: after(clock.wall(), visitorTokenLasts),
    }); // prettier-ignore
  const verify = (token: string, { all }: { all: ReadonlyMap<string, Uint8Array> }) => {
    const verified = verifyVisitorToken(token, { keys: all, space: "alice/demo", now: clock.wall() });
    return verified.ok ? "ok" : verified.code;
  };
  return { now, settings, open, mint, verify };
}

const stages = (keys: VisitorKeyring): string => keys.facts.map(({ stage }) => stage).join(" ");

describe("the keys of visitors' tokens", () => {
  test("are made at the first use and read again after a restart", async () => {
    const { open } = await world();
    const made = await open();
    assert.deepEqual((await open()).facts, made.facts);
    assert.equal(made.current.key.length, 32);
  });

  test("a rotation: whoever verifies has the new key before anybody mints with it", async () => {
    const { open, mint, verify } = await world();
    const told: (readonly VisitorKey[])[] = [];
    const keys: VisitorKeyring = await open({ publish: async (all) => (told.push(all), []) });
    const before = keys.current;
    assert.deepEqual(await keys.rotate(), { ok: true, behind: [] });
    const [published, used] = told;
    assert.deepEqual(
      [published?.map(({ kid }) => kid), used?.map(({ kid }) => kid)],
      [
        [before.kid, keys.current.kid],
        [keys.current.kid, before.kid],
      ],
    );
    assert.deepEqual([verify(mint(before), keys), verify(mint(keys.current), keys)], ["ok", "ok"]);
  });

  test("while one is on its way to those who verify, the one before is minted with", async () => {
    const { open } = await world();
    const heard = Promise.withResolvers<readonly string[]>();
    const asked = Promise.withResolvers<void>();
    const keys = await open({ publish: () => (asked.resolve(), heard.promise) });
    const { kid } = keys.current;
    const rotated = keys.rotate();
    await asked.promise;
    assert.deepEqual([keys.current.kid, stages(keys)], [kid, "current next"]);
    heard.resolve(["w1"]);
    assert.deepEqual(await rotated, { ok: true, behind: ["w1"] });
    assert.deepEqual([keys.facts[1]?.kid, stages(keys)], [kid, "current former"]);
  });

  test("each former one holds until the last token that it signed has ended, however many came after it", async () => {
    const { now, open, mint, verify } = await world();
    const keys = await open();
    const tokens: string[] = [];
    for (let n = 0; n < 5; n++) {
      tokens.push(mint(keys.current));
      await keys.rotate();
    }
    now.ms += visitorTokenLasts - 1;
    await keys.sweep();
    assert.deepEqual(
      tokens.map((token) => verify(token, keys)),
      Array(5).fill("ok"),
    );
    now.ms += 1;
    assert.deepEqual(
      tokens.map((token) => verify(token, keys)),
      Array(5).fill("identity/expired"),
    );
    now.ms += hour;
    await keys.sweep();
    assert.equal(stages(keys), "current");
    assert.deepEqual((await open()).facts, keys.facts, "so also after a restart");
  });

  test("are replaced when their time is over, and not before", async () => {
    const { now, open } = await world();
    const keys = await open({ everyMs: seconds(24 * 3600) });
    const first = keys.current.kid;
    now.ms += 24 * hour - 1;
    assert.deepEqual([await keys.sweep(), keys.current.kid], [false, first]);
    now.ms += 1;
    assert.equal(await keys.sweep(), true);
    assert.notEqual(keys.current.kid, first);
    assert.equal(await keys.sweep(), false);
  });

  test("a rotation that a stop cut off is brought to its end by the next process, with the same key", async () => {
    const { settings, open } = await world();
    const keys = await open({ publish: () => Promise.reject(new Error("it is ended here")) });
    await assert.rejects(keys.rotate(), /ended here/);
    const next = keys.facts[1]?.kid;
    const later = await open();
    assert.equal(stages(later), "current next");
    assert.equal(await later.sweep(), true);
    assert.deepEqual([later.current.kid, stages(later)], [next, "current former"]);
    assert.equal(JSON.parse((await settings.get("visitor-keys")) ?? "").length, 2);
  });

  test("nothing is told that is not kept", async () => {
    const { settings, open } = await world();
    const told: number[] = [];
    const full: SecretSettings = {
      get: (key) => settings.get(key),
      setOnce: (key, value) => settings.setOnce(key, value),
      set: () => Promise.reject(new Error("the disk is full")),
    };
    const keys = await open({ settings: full, publish: async (all) => (told.push(all.length), []) });
    await assert.rejects(keys.rotate(), /disk is full/);
    assert.deepEqual([told, stages(keys)], [[], "current"]);
  });

  test("the former ones are dropped where that is ordered, when nobody mints with them any more", async () => {
    const { open, mint, verify } = await world();
    const told: number[] = [];
    const keys = await open({ publish: async (all) => (told.push(all.length), []) });
    const before = mint(keys.current);
    await keys.rotate({ dropFormer: true });
    assert.deepEqual([told, stages(keys)], [[2, 2, 1], "current"]);
    assert.deepEqual([verify(before, keys), verify(mint(keys.current), keys)], ["identity/bad-signature", "ok"]);
  });

  test("orders in a row end in a refusal, which the time that tokens last lifts; a leaked key can be dropped meanwhile", async () => {
    const { now, open } = await world();
    const keys = await open();
    let done = 0;
    while ((await keys.rotate()).ok) done += 1;
    assert.equal(done, 31);
    assert.equal((await keys.rotate({ dropFormer: true })).ok, true);
    assert.equal(stages(keys), "current");
    while ((await keys.rotate()).ok);
    now.ms += visitorTokenLasts + hour;
    await keys.sweep();
    assert.equal((await keys.rotate()).ok, true);
  });

  test("two orders at once are two rotations, one after the other", async () => {
    const { open } = await world();
    const keys = await open();
    await Promise.all([keys.rotate(), keys.rotate()]);
    assert.equal(stages(keys), "current former former");
  });

  test("as an older version kept them: the first signs, the second holds for its time", async () => {
    const { now, settings, open } = await world();
    const secret = Buffer.alloc(32, 7).toString("base64url");
    await settings.set("visitor-keys", JSON.stringify([{ kid: "v_b", secret }, { kid: "v_a", secret }])); // prettier-ignore
    const keys = await open();
    assert.deepEqual([keys.current.kid, stages(keys)], ["v_b", "current former"]);
    await keys.rotate();
    now.ms += visitorTokenLasts + hour;
    await keys.sweep();
    assert.equal(stages(keys), "current");
  });
});
