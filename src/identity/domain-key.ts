/** The secret of the records by which people prove that a domain is theirs: made at the first use, kept in the settings. */
import type { RandomBytes } from "../stdx/ids.ts";
import type { SecretSettings } from "./settings.ts";

const settingKey = "domain-proof-key";
/** As long as the hash: RFC 2104 §3. */
const secretBytes = 32;

export async function loadDomainKey(settings: SecretSettings, random: RandomBytes): Promise<Uint8Array> {
  const fresh = Buffer.from(random(secretBytes)).toString("base64url");
  const stored = (await settings.get(settingKey)) ?? (await settings.setOnce(settingKey, fresh));
  return new Uint8Array(Buffer.from(stored, "base64url"));
}
