/**
 * Where the OpenID provider keeps codes, grants and interactions: the catalog, sealed, under hashes of what finds them. An access token is
 * one of the account's, in the same table as all others, so that every path that takes tokens takes it and its owner can revoke it.
 */
import { errors } from "oidc-provider";
import type { Adapter, AdapterPayload } from "oidc-provider";
import type { AppArtifact, AppToken } from "../../catalog/apps.ts";
import { isAppScope, tokenScopesOf } from "../../contract/oauth.ts";
import { secretHash } from "../../identity/secret-text.ts";
import { assert } from "../../stdx/assert.ts";
import { newId } from "../../stdx/ids.ts";
import { instant } from "../../stdx/time.ts";
import { clientMetadata } from "./app.ts";
import type { SignInParts } from "./parts.ts";

export function adapterOf(parts: SignInParts): (model: string) => Adapter {
  return (model) => {
    if (model === "Client") return clientsOf(parts);
    return model === "Session" ? keepsNothing : new ArtifactAdapter(model, parts);
  };
}

/** What finds a person's grant to a client: the two names. */
export function grantLookup(account: string, client: string): string {
  return secretHash(`${account} ${client}`);
}

/** What the provider kept in it; undefined where that is over, or cannot be opened. */
export function payloadOf(
  row: AppArtifact | undefined,
  { box, clock }: Pick<SignInParts, "box" | "clock">,
): AdapterPayload | undefined {
  // One that an older key sealed, which is not there any more, is gone as one that is over is: people are asked again.
  if (row === undefined || row.expiresAt <= clock.wall() || !box.has(row.key)) return undefined;
  const payload = JSON.parse(box.open(row, placeOf(row))) as AdapterPayload;
  return row.consumedAt === null ? payload : { ...payload, consumed: Math.floor(row.consumedAt / 1_000) };
}

class ArtifactAdapter implements Adapter {
  readonly #model: string;
  readonly #parts: SignInParts;

  constructor(model: string, parts: SignInParts) {
    this.#model = model;
    this.#parts = parts;
  }

  async upsert(id: string, payload: AdapterPayload, expiresIn: number): Promise<void> {
    const { rows, box, clock } = this.#parts;
    const now = clock.wall();
    const expiresAt = instant(payload.exp === undefined ? now + expiresIn * 1_000 : payload.exp * 1_000);
    const key = this.#keyOf(id);
    const row: AppArtifact = {
      ...key,
      grantId: payload.grantId === undefined ? null : secretHash(payload.grantId),
      lookup: this.#lookupOf(payload),
      ...box.seal(JSON.stringify({ ...payload, jti: id }), placeOf(key)),
      expiresAt,
      consumedAt: typeof payload.consumed === "number" ? instant(payload.consumed * 1_000) : null,
    };
    await rows.put(row, now, this.#model === "AccessToken" ? this.#tokenOf(row, payload) : undefined);
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    const row = await this.#parts.rows.get(this.#keyOf(id));
    if (row === undefined || this.#model !== "AccessToken") return payloadOf(row, this.#parts);
    // Its owner may have revoked it meanwhile.
    const holds = await this.#parts.rows.tokenHolds(row.id, this.#parts.clock.wall());
    return holds ? payloadOf(row, this.#parts) : undefined;
  }

  async findByUserCode(): Promise<undefined> {
    return undefined; // Programs sign in by codes elsewhere: routes/device.ts.
  }

  async findByUid(): Promise<undefined> {
    return undefined; // Of sessions alone.
  }

  /** Of two who use a code at once one has used it. */
  async consume(id: string): Promise<void> {
    if (await this.#parts.rows.consume(this.#keyOf(id), this.#parts.clock.wall())) return;
    throw new errors.InvalidGrant("it was used before");
  }

  async destroy(id: string): Promise<void> {
    await this.#parts.rows.remove(this.#keyOf(id), this.#parts.clock.wall());
  }

  async revokeByGrantId(grantId: string): Promise<void> {
    await this.#parts.rows.endGrant(secretHash(grantId), this.#parts.clock.wall());
  }

  #keyOf(id: string): { readonly model: string; readonly id: string } {
    return { model: this.#model, id: secretHash(id) };
  }

  #lookupOf({ accountId, clientId }: AdapterPayload): string | null {
    const isGrant = this.#model === "Grant" && accountId !== undefined && clientId !== undefined;
    return isGrant ? grantLookup(accountId, clientId) : null;
  }

  #tokenOf(
    { id: hash, expiresAt }: AppArtifact,
    { accountId = "", clientId = "", scope = "" }: AdapterPayload,
  ): AppToken {
    const { clients, clock, random } = this.#parts;
    const app = clients.spaceOf(clientId);
    assert(app, "a token is given to a client that was found");
    return {
      id: newId("t", random),
      account: accountId,
      hash,
      name: app,
      app,
      scopes: tokenScopesOf(scope.split(" ").filter(isAppScope)),
      createdAt: clock.wall(),
      expiresAt,
    };
  }
}

/** As of sessions: who is signed in is the console's to know, and the provider keeps none of its own. */
const keepsNothing: Adapter = {
  async find() {
    return undefined;
  },
  async findByUid() {
    return undefined;
  },
  async findByUserCode() {
    return undefined;
  },
  async upsert() {},
  async consume() {},
  async destroy() {},
  async revokeByGrantId() {},
};

function clientsOf({ clients, app }: Pick<SignInParts, "clients" | "app">): Adapter {
  return {
    ...keepsNothing,
    async find(id) {
      const known = clients.find(id);
      const found = known && (await app(known.space));
      return found && clientMetadata(found, { client: id, secret: known.secret });
    },
    async upsert() {
      throw new Error("clients are made with their Spaces");
    },
  };
}

function placeOf({ model, id }: { readonly model: string; readonly id: string }): string {
  return `app-artifact ${model} ${id}`;
}
