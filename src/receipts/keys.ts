/**
 * The keys of a log of receipts, one after another: where one followed another, both signed that. So whoever trusts one key of a log
 * can tell which others are the log's, and up to which leaf each of them speaks for it.
 */
import type { Bytes, Digest } from "./bytes.ts";
import { decoded, encoded, utf8 } from "./bytes.ts";
import { parseNote, signersOf, verifierKey } from "./note.ts";
import type { NoteKey, Verifying } from "./note.ts";

/** What a change of keys says. */
export interface Succession {
  readonly origin: string;
  /** Leaves of the log then: checkpoints of more are the later key's. */
  readonly size: number;
  /** As {@link verifierKey} has them. */
  readonly from: string;
  readonly to: string;
}

/** A key, and for which checkpoints it speaks: of `[from, until]` leaves. */
export interface LogKey {
  /** base64url, as JWKs have it. */
  readonly x: string;
  readonly key: Bytes;
  readonly from: number;
  /** Null for the one that signs now. */
  readonly until: number | null;
}

/** More changes of keys than a log will have; what is looked at has a bound. */
export const successionsMax = 100;

/** base64 of a key's 33 bytes, its type among them. */
const keyLetters = 44;

const title = "waybill receipt log key";

/** RFC 7638: what names a key by its `x`. */
export async function thumbprint(digest: Digest, x: string): Promise<string> {
  return encoded(await digest(utf8(JSON.stringify({ crv: "Ed25519", kty: "OKP", x }))), "base64url");
}

/** The text of the note that both keys sign. No checkpoint begins so: an origin has no spaces. */
export function successionText({ origin, size, from, to }: Succession): string {
  return `${title}\n${origin}\n${size}\n${from}\n${to}\n`;
}

/** Undefined where `x` is not the one spelling of 32 bytes. */
export function pointOf(x: string): Bytes | undefined {
  const key = decoded(x, "base64url");
  return key?.length === 32 ? key : undefined;
}

/**
 * The log's keys, the first one first and `last` at the end; undefined where `successions` are not what leads to it: each is signed by both
 * of its keys, begins with the key to which the one before led, and is of a log that was no smaller.
 */
export async function keysOf(
  verifying: Verifying,
  { origin, successions, last }: KeysClaimed,
): Promise<readonly LogKey[] | undefined> {
  const end = pointOf(last);
  if (!end || successions.length > successionsMax) return undefined;
  const keys: LogKey[] = [];
  let [from, next] = [0, null as string | null];
  for (const whole of successions) {
    const told = await readSuccession(verifying, whole, origin);
    if (!told || told.size < from || (next !== null && told.before !== next)) return undefined;
    keys.push({ x: told.before, key: told.beforeKey, from, until: told.size });
    [from, next] = [told.size, told.after];
  }
  if (next !== null && next !== last) return undefined;
  return [...keys, { x: last, key: end, from, until: null }];
}

export interface KeysClaimed {
  readonly origin: string;
  /** Signed notes, the first one first. */
  readonly successions: readonly string[];
  /** The `x` of the key that signs now. */
  readonly last: string;
}

interface ReadSuccession {
  readonly size: number;
  readonly before: string;
  readonly beforeKey: Bytes;
  readonly after: string;
}

/** Undefined where it is not of that log, or not signed by both of its keys. */
async function readSuccession(
  verifying: Verifying,
  whole: string,
  origin: string,
): Promise<ReadSuccession | undefined> {
  const note = parseNote(whole);
  const [first, name, size, from, to, ...rest] = (note?.text ?? "").split("\n");
  if (!note || first !== title || name !== origin || rest.join() !== "" || !/^(0|[1-9]\d{0,15})$/.test(size ?? ""))
    return undefined;
  const [before, after] = [from, to].map((text) => keyIn(text ?? "", origin));
  if (!before || !after) return undefined;
  const signers = await signersOf(verifying, note, [before, after]);
  // Each of the two once, and nobody else: so each byte of the note counts (L37).
  if (signers?.length !== 2 || note.signatures.length !== 2 || signers[0] === signers[1]) return undefined;
  const told = { origin, size: Number(size), from: "", to: "" };
  told.from = await verifierKey(verifying.digest, before);
  told.to = await verifierKey(verifying.digest, after);
  if (successionText(told) !== note.text) return undefined;
  const [x, y] = [encoded(before.key, "base64url"), encoded(after.key, "base64url")];
  return { size: told.size, before: x, beforeKey: before.key, after: y };
}

/** The key in a text of {@link verifierKey}; whether its id is right is seen when the text is made again. */
function keyIn(text: string, name: string): NoteKey | undefined {
  const bytes = decoded(text.slice(-keyLetters), "base64");
  return bytes?.length === 33 ? { name, key: bytes.slice(1) } : undefined;
}
