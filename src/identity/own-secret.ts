/** The platform's own secrets of hashes: each made at its first use, and kept in the settings. */
import type { RandomBytes } from "../stdx/ids.ts";
import type { SecretSettings } from "./settings.ts";

const settingKeys = {
  /** Of the marks that keep Spaces' cookies apart. */
  cookies: "cookie-mark-key",
  /** Of the records by which people prove that a domain is theirs. */
  domains: "domain-proof-key",
  /** Of the OpenID provider's cookies and forms. */
  "sign-in": "app-sign-in-key",
  /** Signs addresses of large files. */
  lfs: "lfs-address-key",
  /** Signs tokens and addresses of the Xet protocol. */
  xet: "xet-token-key",
  /** Signs what browsers carry to apps' addresses. */
  visits: "visit-key",
} as const;
/** As long as the hash: RFC 2104 §3. */
const secretBytes = 32;

export async function loadOwnSecret(
  settings: SecretSettings,
  of: keyof typeof settingKeys,
  random: RandomBytes,
): Promise<Uint8Array> {
  const fresh = Buffer.from(random(secretBytes)).toString("base64url");
  const stored = (await settings.get(settingKeys[of])) ?? (await settings.setOnce(settingKeys[of], fresh));
  return new Uint8Array(Buffer.from(stored, "base64url"));
}
