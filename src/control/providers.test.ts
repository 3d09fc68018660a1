/** A first sign-in by a provider: the account that it makes, and what is kept of that. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { acme, ControlWorld } from "./control.suite.ts";
import { Providers } from "./providers.ts";

const dora = { issuer: acme.issuer, subject: "1", claims: { preferred_username: "Dora" } };
const where = { request: "q_1", address: "192.0.2.7" };

async function open(onAccount: () => void = () => undefined) {
  const world = await ControlWorld.open();
  const providers = new Providers({
    ...{ catalog: world.catalog, clock: world.clock, effects: world.server.effects, onAccount },
    settings: [acme],
  });
  const [provider] = providers.all;
  assert.ok(provider);
  const entries = async () => {
    const page = await world.catalog.audit.list({ action: "account.create" }, { page: undefined, limit: 10 });
    return page?.items.map(({ account, outcome }) => [account, outcome]);
  };
  return { world, arrive: (person = dora) => providers.arrive(provider, person, where), entries };
}

describe("a first sign-in by a provider", () => {
  test("has its entry in the audit log before its account is there", async () => {
    const { world, arrive, entries } = await open(() => assert.fail("the platform ends here"));
    await using _ = world;
    await assert.rejects(arrive());
    assert.ok(await world.catalog.accounts.get("dora"));
    assert.deepEqual(await entries(), [["dora", "begun"]]);
  });

  test("leaves an entry that is done where it makes an account, and none where it is refused", async () => {
    const { world, arrive, entries } = await open();
    await using _ = world;
    assert.deepEqual(await arrive(), { ok: true, account: "dora", made: true });
    const other = await arrive({ ...dora, subject: "2" });
    assert.equal(!other.ok && other.code, "identity/no-account");
    assert.deepEqual(await entries(), [["dora", "done"]]);
  });

  test("of somebody who comes twice at once is the same account twice", async () => {
    const { world, arrive } = await open();
    await using _ = world;
    const both = await Promise.all([arrive(), arrive()]);
    assert.deepEqual(
      both.map((one) => one.ok && one.account),
      ["dora", "dora"],
    );
  });
});
