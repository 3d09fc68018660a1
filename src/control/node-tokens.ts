/** The tokens by which agents join over a network: one for each node, good for nothing but to join as it. */
import type { Catalog } from "../catalog/catalog.ts";
import { accessTokenHash, isAccessToken, newAccessToken } from "../identity/access-token.ts";
import { bearer } from "../identity/token-resolver.ts";
import { newId } from "../stdx/ids.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import type { Clock } from "../stdx/time.ts";

export interface NodeTokensPorts {
  readonly tokens: Catalog["tokens"];
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** Whose the tokens are; the account must exist. */
  readonly account: string;
  /** The node of this very process, which nobody else may join as; null where there is none. */
  readonly own: string | null;
  /** An older token of the node holds no longer: connections that it opened end. */
  onRevoked(node: string): void;
}

/** Part of a slot's name and of folders' names. */
const namePattern = /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/;

export class NodeTokens {
  readonly #ports: NodeTokensPorts;

  constructor(ports: NodeTokensPorts) {
    this.#ports = ports;
  }

  /** A fresh token of the node; the one before it is revoked. */
  async create(
    node: string,
  ): Promise<{ readonly ok: true; readonly token: string } | { readonly ok: false; readonly says: string }> {
    const { tokens, clock, random, account, own, onRevoked } = this.#ports;
    if (!namePattern.test(node))
      return {
        ok: false,
        says: `"${node}" cannot be a node's name: write up to 32 small letters, digits and hyphens, such as n2.`,
      };
    if (node === own) return { ok: false, says: `${node} is the node within this server; write another name.` };
    const now = clock.wall();
    const older = (await tokens.list(account)).filter((one) => one.scopes.includes("node") && one.name === node);
    for (const { id, revokedAt } of older) await (revokedAt === null ? tokens.revoke(id, now) : tokens.forget(id));
    if (older.length > 0) onRevoked(node);
    const token = newAccessToken(random);
    await tokens.create({
      id: newId("t", random),
      account,
      hash: accessTokenHash(token),
      name: node,
      scopes: ["node"],
      createdAt: now,
      expiresAt: null,
    });
    return { ok: true, token };
  }

  /** The node of a request's `Authorization`; undefined where it is no node's token that holds. */
  async nodeOf(authorization: string | undefined): Promise<string | undefined> {
    const token = bearer(authorization);
    if (token === undefined || !isAccessToken(token)) return undefined;
    const { tokens, clock } = this.#ports;
    const found = (await tokens.find(accessTokenHash(token)))?.token;
    if (!found || found.revokedAt !== null || !found.scopes.includes("node")) return undefined;
    await tokens.touch(found.id, clock.wall());
    return found.name;
  }
}
