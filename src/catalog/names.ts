/** Which names accounts and Spaces may have, and the addresses that are made of them. */
import { createHash } from "node:crypto";
import { isName } from "../contract/name.ts";
import { base32 } from "../stdx/ids.ts";

/** RFC 1035 §2.3.4. */
const labelMaxLength = 63;
const suffixLength = 6;

/** Paths and words of the platform's own that an account's name must not shadow. */
const reservedNames: ReadonlySet<string> = new Set([
  "address", "anonymous", "api", "assets", "codes", "collections", "console", "datasets", "docs", "explain", "git", "health",
  "join", "keys", "kernels", "login", "logout", "metrics", "models", "new", "o", "oauth", "organizations", "papers", "private",
  "receipts", "repos", "resolve", "security", "settings", "spaces", "static", "system", "tokens", "w", "waybill", "well-known",
  "whoami-v2", "www", "xet",
]); // prettier-ignore

export type NameRefusal = "name-invalid" | "name-reserved";

/** Why an account may not be called so, or null. `address:…` never passes: a colon is no character of a name. */
export function refuseAccountName(name: string): NameRefusal | null {
  if (!isName(name)) return "name-invalid";
  return reservedNames.has(name) ? "name-reserved" : null;
}

/** Why a Space may not be called so, or null. `.git` is how clients spell a repository's address. */
export function refuseSpaceName(name: string): NameRefusal | null {
  if (!isName(name)) return "name-invalid";
  return name.endsWith(".git") ? "name-reserved" : null;
}

/** A repository's name is no part of a host's, so it may have capital letters; longest as on the Hub. */
const repoNameMaxLength = 96;

/** Why a model or a dataset may not be called so, or null. */
export function refuseRepoName(name: string): NameRefusal | null {
  const isRight = name.length <= repoNameMaxLength && /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?$/.test(name);
  if (!isRight || /--|\.\./.test(name)) return "name-invalid";
  return /\.(git|ipynb)$/i.test(name) ? "name-reserved" : null;
}

/** What people read when a name is refused. */
export const nameRefusals: Readonly<Record<NameRefusal, string>> = {
  "name-invalid":
    "A name has 1 to 64 lower-case letters, digits, `-`, `.` or `_`, begins and ends with a letter or digit, and has no `--` or `..`.",
  "name-reserved": "The platform uses this name itself.",
};

/**
 * The label of a Space's host name. The first try is `<owner>-<name>` where that fits a DNS label; further tries end in characters
 * drawn from the Space's id, so that `a-b/c` and `a/b-c` both get one. The same id and try give the same label.
 */
export function subdomainFor(owner: string, name: string, attempt: number): string {
  const plain = `${owner}-${name}`.replace(/[^a-z0-9]+/g, "-");
  if (attempt === 0 && plain.length <= labelMaxLength) return plain;
  const head = plain.slice(0, labelMaxLength - suffixLength - 1).replace(/-+$/, "");
  return `${head}-${base32(digest("label", owner, name, attempt)).slice(0, suffixLength)}`;
}

/**
 * A Space's own loopback address. 127.0.0.0/16 is left to the machine (the console, resolvers, the host's own name), and so are
 * the ends of each last octet. The same id and try give the same address.
 */
export function loopbackFor(owner: string, name: string, attempt: number): string {
  const [a = 0, b = 0, c = 0] = digest("loopback", owner, name, attempt);
  return `127.${1 + (a % 254)}.${b}.${1 + (c % 254)}`;
}

function digest(purpose: string, owner: string, name: string, attempt: number): Uint8Array {
  return createHash("sha256").update(`${purpose}\n${owner}/${name}\n${attempt}`).digest();
}
