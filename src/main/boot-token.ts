/** The administrator's token of this start: made at each start, the one of the start before revoked, and older ones forgotten. */
import type { Catalog } from "../catalog/catalog.ts";
import { accessTokenHash, newAccessToken } from "../identity/access-token.ts";
import { newId } from "../stdx/ids.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import type { Clock } from "../stdx/time.ts";

export const adminAccount = "admin";
const name = "waybill up";

export async function bootToken({
  catalog,
  clock,
  random,
}: {
  catalog: Catalog;
  clock: Clock;
  random: RandomBytes;
}): Promise<string> {
  const now = clock.wall();
  const made = await catalog.accounts.create({ name: adminAccount, tier: "unlimited", role: "admin", createdAt: now });
  if (!made.ok && made.refusal !== "account-exists")
    throw new Error(`the account ${adminAccount} could not be made: ${made.refusal}`);
  for (const old of await catalog.tokens.list(adminAccount)) {
    if (old.name !== name) continue;
    if (old.revokedAt === null) await catalog.tokens.revoke(old.id, now);
    else await catalog.tokens.forget(old.id);
  }
  const token = newAccessToken(random);
  await catalog.tokens.create({
    id: newId("t", random),
    account: adminAccount,
    hash: accessTokenHash(token),
    name,
    scopes: ["read", "write", "gpu", "admin"],
    createdAt: now,
    expiresAt: null,
  });
  return token;
}
