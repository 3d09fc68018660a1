/** The secret of the marks that keep Spaces' cookies apart: made at the first use, kept in the settings. */
import type { RandomBytes } from "../stdx/ids.ts";
import type { SecretSettings } from "./settings.ts";

const settingKey = "cookie-mark-key";
/** As long as the hash: RFC 2104 §3. */
const secretBytes = 32;

export async function loadCookieKey(settings: SecretSettings, random: RandomBytes): Promise<Uint8Array> {
  const fresh = Buffer.from(random(secretBytes)).toString("base64url");
  const stored = (await settings.get(settingKey)) ?? (await settings.setOnce(settingKey, fresh));
  return new Uint8Array(Buffer.from(stored, "base64url"));
}
