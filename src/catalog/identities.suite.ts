/** What the table of people at other providers must do over any database. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SqlRunner } from "../stdx/sql.ts";
import { instant } from "../stdx/time.ts";
import type { AccountRow } from "./accounts.ts";
import { Catalog } from "./catalog.ts";

const t0 = instant(Date.UTC(2026, 10, 22, 12));
const alice = {
  issuer: "https://id.example",
  subject: "248289761001",
  account: "alice",
  linkedAt: t0,
  linkedBy: "admin",
};
const carol: AccountRow = { name: "carol", tier: "free", role: "user", kind: "person", createdAt: t0 };

export function identitiesSuite(name: string, openSql: () => Promise<SqlRunner>): void {
  const open = async () => {
    const catalog = await Catalog.open(await openSql(), { wall: () => t0 });
    for (const account of ["alice", "bob"])
      await catalog.accounts.create({ name: account, tier: "free", role: "user", createdAt: t0 });
    return catalog;
  };

  describe(`Identities over ${name}`, () => {
    test("one is found by issuer and subject together, and by neither alone", async () => {
      const { identities } = await open();
      assert.equal(await identities.link(alice), true);
      assert.deepEqual(await identities.find(alice), alice);
      assert.equal(await identities.find({ ...alice, issuer: "https://other.example" }), undefined);
      assert.equal(await identities.find({ ...alice, subject: "248289761002" }), undefined);
    });

    test("one who is an account becomes no other's; a provider is taken from an account as it was given", async () => {
      const { identities } = await open();
      await identities.link(alice);
      assert.equal(await identities.link({ ...alice, account: "bob" }), false);
      assert.deepEqual(await identities.list("alice"), [alice]);
      assert.equal(await identities.unlink({ issuer: "https://other.example", account: "alice" }), false);
      assert.equal(await identities.unlink(alice), true);
      assert.deepEqual(await identities.list("alice"), []);
      assert.equal(await identities.link({ ...alice, account: "bob" }), true);
    });

    test("an account is made with who it is, and one that is there is given to nobody", async () => {
      const { identities, accounts } = await open();
      const row = { ...alice, account: "carol", linkedBy: "carol" };
      assert.deepEqual(await identities.found(carol, row), { ok: true });
      assert.deepEqual(await accounts.get("carol"), carol);
      assert.deepEqual(await identities.find(row), row);
      const bob = { ...alice, subject: "b", account: "bob" };
      assert.deepEqual(await identities.found({ ...carol, name: "bob" }, bob), {
        ok: false,
        refusal: "account-exists",
      });
      assert.equal(await identities.find(bob), undefined);
      const reserved = { ...carol, name: "api" };
      assert.deepEqual(await identities.found(reserved, { ...bob, account: "api" }), {
        ok: false,
        refusal: "name-reserved",
      });
    });
  });
}
