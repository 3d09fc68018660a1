/**
 * The keys that sign what the OpenID provider says of people: an Ed25519 one, and an RSA one for clients that know no other. Each is
 * published for a while before it signs and after, so that nobody who remembers the set for a day meets an unknown one.
 */
import { calculateJwkThumbprint, exportJWK, generateKeyPair } from "jose";
import type { JWK } from "jose";
import type { AppKeyRow } from "../../catalog/apps.ts";
import type { SecretBox } from "../../identity/secret-box.ts";
import { instant } from "../../stdx/time.ts";
import type { Clock, Instant } from "../../stdx/time.ts";

export const signingAlgs = ["EdDSA", "RS256"] as const;
export type SigningAlg = (typeof signingAlgs)[number];

/** A key is followed by another after so long. */
export const rotateEveryMs = 90 * 24 * 3_600_000;
/** It is published so long before it signs: clients keep a set for a day at most, as its Cache-Control says. */
export const aheadMs = 2 * 24 * 3_600_000;
/** And so long after: what it signed holds for an hour, and clients' clocks differ. */
export const lingerMs = 2 * 24 * 3_600_000;

/** What of the keys is kept where. */
export interface KeyRows {
  keys(): Promise<readonly AppKeyRow[]>;
  addKey(row: AppKeyRow): Promise<void>;
  removeKey(id: string): Promise<void>;
}

export interface KeyPlan {
  /** Published; of each algorithm the one that signs comes first. */
  readonly published: readonly string[];
  readonly gone: readonly string[];
  /** Of these another one is to be made. */
  readonly wanted: readonly SigningAlg[];
  /** Then it is another plan. */
  readonly until: Instant;
}

/** What is to be done with these keys at `now`. Pure. */
export function planKeys(keys: readonly Pick<AppKeyRow, "id" | "alg" | "createdAt">[], now: Instant): KeyPlan {
  const plans = signingAlgs.map((alg) => {
    const mine = keys.filter((key) => key.alg === alg).toSorted((a, b) => b.createdAt - a.createdAt);
    const signs = mine.find(({ createdAt }) => createdAt + aheadMs <= now) ?? mine.at(-1);
    const coming = mine.filter((key) => signs !== undefined && key.createdAt > signs.createdAt);
    const isOver = signs !== undefined && now >= signs.createdAt + aheadMs + lingerMs;
    const before = mine.filter((key) => signs !== undefined && key !== signs && key.createdAt <= signs.createdAt);
    const newest = mine[0];
    const isWanted = newest === undefined || now >= newest.createdAt + rotateEveryMs;
    const changes = [
      ...(newest === undefined ? [] : [newest.createdAt + rotateEveryMs]),
      ...coming.map(({ createdAt }) => createdAt + aheadMs),
      ...(signs === undefined || isOver ? [] : [signs.createdAt + aheadMs + lingerMs]),
    ];
    return {
      published: [...(signs === undefined ? [] : [signs]), ...coming, ...(isOver ? [] : before)].map(({ id }) => id),
      gone: isOver ? before.map(({ id }) => id) : [],
      wanted: isWanted ? [alg] : [],
      until: Math.min(...changes.filter((at) => at > now), now + rotateEveryMs),
    };
  });
  return {
    published: plans.flatMap(({ published }) => published),
    gone: plans.flatMap(({ gone }) => gone),
    wanted: plans.flatMap(({ wanted }) => wanted),
    until: instant(Math.min(...plans.map(({ until }) => until))),
  };
}

export class SigningKeys {
  readonly #rows: KeyRows;
  readonly #box: SecretBox;
  readonly #clock: Pick<Clock, "wall">;

  constructor({ rows, box, clock }: { rows: KeyRows; box: SecretBox; clock: Pick<Clock, "wall"> }) {
    this.#rows = rows;
    this.#box = box;
    this.#clock = clock;
  }

  /** The private keys, those that sign first, and until when that is so. Makes and removes what is due. */
  async current(): Promise<{ readonly keys: readonly JWK[]; readonly until: Instant }> {
    const now = this.#clock.wall();
    // A key that no file of ours opens any more is one that nobody here can sign with.
    const usable = (rows: readonly AppKeyRow[]): AppKeyRow[] => rows.filter(({ key }) => this.#box.has(key));
    const before = usable(await this.#rows.keys());
    for (const alg of planKeys(before, now).wanted) await this.#rows.addKey(await this.#fresh(alg, now));
    const rows = usable(await this.#rows.keys());
    const plan = planKeys(rows, now);
    for (const id of plan.gone) await this.#rows.removeKey(id);
    const byId = new Map(rows.map((row) => [row.id, row]));
    const keys = plan.published.flatMap((id) => byId.get(id) ?? []).map((row) => this.#open(row));
    return { keys, until: plan.until };
  }

  #open(row: AppKeyRow): JWK {
    const jwk = JSON.parse(this.#box.open(row, placeOf(row.id))) as JWK;
    return { ...jwk, kid: row.id, alg: row.alg, use: "sig" };
  }

  async #fresh(alg: SigningAlg, createdAt: Instant): Promise<AppKeyRow> {
    const { privateKey } = await generateKeyPair(alg, {
      extractable: true,
      ...(alg === "EdDSA" && { crv: "Ed25519" }),
    });
    const jwk = await exportJWK(privateKey);
    const id = await calculateJwkThumbprint(jwk);
    return { id, alg, createdAt, ...this.#box.seal(JSON.stringify(jwk), placeOf(id)) };
  }
}

function placeOf(id: string): string {
  return `app-key ${id}`;
}
