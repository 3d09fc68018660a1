/** What a doctor's bundle must not have: every secret that is known here, by value and by form. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { withoutSecret } from "../edge/redact.ts";
import { openSecretBox } from "../identity/secret-box.ts";
import { databaseName } from "../journal/index.ts";
import { maskOf } from "../log/mask.ts";
import { systemRandom } from "./clock.ts";
import { isInUse, reading } from "./doctor-data.ts";

export interface SecretPlaces {
  readonly data: string;
  readonly secretsKeyFile: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Tokens by which commands ask. */
  readonly tokens: readonly string[];
}

/** Names of variables whose values are nobody's to read; of Waybill's own, what is not shown in the configuration counts too. */
const secretNames =
  /token|secret|password|passwd|credential|api_?key|private|auth|cookie|journal|sign_in|database_url/i;
/** Shorter values are words like any other: what has one is left out as a whole, by its name. */
const maskedFromChars = 8;
/** Headers and fields whose whole value goes, and keys with several lines. */
const fields =
  /\b(cookie|set-cookie|authorization|proxy-authorization|x-ip-token|x-hf-authorization)\b(["']?\s*[:=]\s*)[^\r\n]+/gi;
const pem = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g;
const urlPassword = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s/@:"']*:)[^\s/@"']+(?=@)/gi;

/** Takes them out of a text. */
export async function hiderOf(places: SecretPlaces): Promise<(text: string) => string> {
  const values = (await secretsOf(places)).filter((value) => value.length >= maskedFromChars);
  // As it is, in base64 and in URLs by the mask of logs; in hexadecimal beside it.
  const forms = values.flatMap((value) => [value, ...hexOf(Buffer.from(value))]);
  const mask = maskOf(Object.fromEntries(forms.map((form, index) => [`secret ${index + 1}`, form])));
  return (text) =>
    mask
      .hide(text)
      .replaceAll(/\*\*\*secret \d+\*\*\*/g, "***")
      .replaceAll(pem, "***")
      .replaceAll(fields, "$1$2***")
      .replaceAll(urlPassword, "$1***")
      .replaceAll(/[^\s"'<>,;()[\]{}]+/g, (word) => withoutSecret(word));
}

/** Of what a program printed: long runs of hexadecimal or base64 too, which may be anything, also a secret of a running platform's. */
export function withoutRuns(text: string): string {
  return text.replaceAll(longHex, "***").replaceAll(longBase64, "***");
}

const longHex = /\b[0-9a-f]{16,}\b/gi;
const longBase64 = /[A-Za-z0-9+/_-]{32,}={0,2}/g;

function hexOf(bytes: Buffer): readonly string[] {
  const hex = bytes.toString("hex");
  return [hex, hex.toUpperCase()];
}

async function secretsOf({ data, secretsKeyFile, env, tokens }: SecretPlaces): Promise<string[]> {
  const named = Object.entries(env).flatMap(([name, value]) =>
    value !== undefined && secretNames.test(name) ? [value, ...passwordIn(value)] : [],
  );
  const keys = existsSync(secretsKeyFile)
    ? readFileSync(secretsKeyFile, "utf8")
        .split(/\s+/)
        .filter((word) => word.length > 20)
    : [];
  const catalog = join(data, databaseName);
  const kept = existsSync(catalog) && !isInUse(data) ? await keptIn(catalog, secretsKeyFile) : [];
  return [...new Set([...named, ...keys, ...keys.flatMap(rawOf), ...tokens, ...kept])];
}

/** A key's own bytes, which stand in base64 in its file. */
const rawOf = (text: string): readonly string[] => hexOf(Buffer.from(text, "base64"));

function passwordIn(value: string): string[] {
  const password = URL.canParse(value) ? new URL(value).password : "";
  return password === "" ? [] : [password, decodeURIComponent(password)];
}

/** A stopped platform's: its own keys, and the secrets of Spaces and webhooks. What a running one prints is masked when it comes. */
async function keptIn(catalog: string, secretsKeyFile: string): Promise<string[]> {
  const { settings, sealed } = reading(catalog, (db) => {
    const rows = (table: string, columns: string): Record<string, unknown>[] =>
      db.prepare("SELECT 1 FROM sqlite_schema WHERE name = ?").get(table) === undefined
        ? []
        : db.prepare(`SELECT ${columns} FROM ${table}`).all();
    return {
      settings: rows("catalogSettings", "value"),
      // Each bound to its place as control's environments.ts and webhooks/desk.ts bind it.
      sealed: [
        ...rows("spaceSecrets", "space || ' ' || name AS place, key, sealed"),
        ...rows("webhooks", "'webhook ' || id AS place, key, sealed"),
        ...rows("webhooks", "'webhook ' || id AS place, formerKey AS key, formerSealed AS sealed"),
      ],
    };
  });
  const own = settings.flatMap((row) => [String(row["value"]), ...textsIn(String(row["value"]))]);
  if (sealed.length === 0 || !existsSync(secretsKeyFile)) return own;
  const box = await openSecretBox(secretsKeyFile, { needed: [], random: systemRandom });
  const opened = sealed.flatMap((row) => {
    const [place, key, text] = [String(row["place"]), String(row["key"]), String(row["sealed"])];
    // Without its key nobody reads it, this bundle's reader neither.
    return box.has(key) ? [box.open({ key, sealed: text }, place)] : [];
  });
  return [...own, ...opened];
}

/** All texts within JSON; none of what is none. */
function textsIn(text: string): string[] {
  const found: string[] = [];
  try {
    JSON.parse(text, (_, value: unknown) => void (typeof value === "string" && found.push(value)));
  } catch {
    return []; // It is a text by itself.
  }
  return found;
}
