import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { prng } from "../stdx/prng.ts";
import { instant } from "../stdx/time.ts";
import { memorySql } from "../catalog/memory-sql.ts";
import { Catalog } from "../catalog/catalog.ts";
import { loadVisitorKeys, rotateVisitorKeys } from "./visitor-keys.ts";
import { mintVisitorToken, verifyVisitorToken } from "./visitor-token.ts";

const now = instant(Date.UTC(2026, 10, 22, 12));
const open = async () => (await Catalog.open(memorySql(), { wall: () => now })).settings;
const mint = ({ kid, key }: { kid: string; key: Uint8Array }) =>
  mintVisitorToken({
    key, kid, space: "alice/demo", user: null, account: "address:192.0.2.7", tier: "anonymous", billedBy: "address",
    request: "q_1", issuedAt: now, expiresAt: instant(now + 60_000),
  }); // prettier-ignore

describe("visitor keys", () => {
  test("are made at the first use and read again after a restart", async () => {
    const settings = await open();
    const random = prng(1);
    const made = await loadVisitorKeys(settings, (count) => random.bytes(count));
    assert.deepEqual(await loadVisitorKeys(settings, (count) => random.bytes(count)), made);
    assert.equal(made.current.key.length, 32);
  });

  test("after a rotation tokens of both keys hold, after two the first no longer", async () => {
    const settings = await open();
    const random = prng(2);
    const bytes = (count: number) => random.bytes(count);
    const old = mint((await loadVisitorKeys(settings, bytes)).current);
    const once = await rotateVisitorKeys(settings, bytes);
    const holds = (token: string, keys: typeof once) =>
      verifyVisitorToken(token, { keys: keys.all, space: "alice/demo", now }).ok;
    assert.deepEqual([holds(old, once), holds(mint(once.current), once)], [true, true]);
    const twice = await rotateVisitorKeys(settings, bytes);
    assert.deepEqual([holds(old, twice), holds(mint(once.current), twice)], [false, true]);
  });
});
