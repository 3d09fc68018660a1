/** The secrets of the visitor's tokens: made at the first use, kept in the settings, replaced now and then. */
import { base32 } from "../stdx/ids.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import type { SecretSettings } from "./settings.ts";
import type { VisitorSecrets } from "./visitor-token.ts";

/** What mints and what verifies: tokens of the key before the current one are good until they expire. */
export interface VisitorKeys {
  readonly current: { readonly kid: string; readonly key: Uint8Array };
  readonly all: VisitorSecrets;
}

const settingKey = "visitor-keys";
/** As long as the hash: RFC 7518 §3.2. */
const secretBytes = 32;
const kidBytes = 5;

interface StoredKey {
  readonly kid: string;
  /** base64url */
  readonly secret: string;
}
/** The current key, then the one before it. */
type StoredKeys = readonly [StoredKey, ...StoredKey[]];

export async function loadVisitorKeys(settings: SecretSettings, random: RandomBytes): Promise<VisitorKeys> {
  const stored =
    (await settings.get(settingKey)) ?? (await settings.setOnce(settingKey, JSON.stringify([freshKey(random)])));
  return keysOf(JSON.parse(stored) as StoredKeys);
}

/**
 * Makes a new key the current one and keeps one before it. Tokens of the key that drops out end here, so rotate no more often than
 * the longest token lasts.
 */
export async function rotateVisitorKeys(settings: SecretSettings, random: RandomBytes): Promise<VisitorKeys> {
  const { current } = await loadVisitorKeys(settings, random);
  const before: StoredKey = { kid: current.kid, secret: Buffer.from(current.key).toString("base64url") };
  const stored: StoredKeys = [freshKey(random), before];
  await settings.set(settingKey, JSON.stringify(stored));
  return keysOf(stored);
}

function freshKey(random: RandomBytes): StoredKey {
  return { kid: `v_${base32(random(kidBytes))}`, secret: Buffer.from(random(secretBytes)).toString("base64url") };
}

function keysOf(stored: StoredKeys): VisitorKeys {
  const keys = stored.map(({ kid, secret }) => ({ kid, key: new Uint8Array(Buffer.from(secret, "base64url")) }));
  const [current] = keys as [VisitorKeys["current"], ...VisitorKeys["current"][]];
  return { current, all: new Map(keys.map(({ kid, key }) => [kid, key])) };
}
