/**
 * That a receipt is a leaf of its log, and that the log is the one which was seen before: what a document says of it, and what follows.
 *
 *   L37. A log that was rewritten is told from one that grew.
 */
import type { Bytes } from "./bytes.ts";
import { decoded, encoded } from "./bytes.ts";
import { count } from "../evidence/words.ts";
import { parseCheckpoint } from "./checkpoint.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { ReceiptCheck, Trusted } from "./document.ts";
import { keysOf } from "./keys.ts";
import { parseNote, signersOf } from "./note.ts";
import type { Verifying } from "./note.ts";
import { isExtended, isIncluded, leafInput } from "./tree.ts";
import type { TreeHead } from "./tree.ts";

/** Where the receipt is in the log. Hashes are base64, as in checkpoints. */
export interface ReceiptProof {
  /** From 0 on. */
  readonly leaf: number;
  readonly proof: readonly string[];
  /** A signed note. */
  readonly checkpoint: string;
  /** Signed notes by which the log's keys followed one another, the first one first. */
  readonly successions: readonly string[];
  /** That the checkpoint's log extends an earlier one, for whoever has seen that. */
  readonly extends?: LogExtension;
}

export interface LogExtension {
  readonly size: number;
  readonly root: string;
  readonly proof: readonly string[];
}

/** A key by its `x`, and the last size of the log for which it speaks; null while it signs. */
export interface KeySpan {
  readonly x: string;
  readonly until: number | null;
}

/** What somebody has seen of a log: its largest checkpoint, and the keys, the first one first. */
export interface RememberedLog {
  readonly origin: string;
  readonly size: number;
  /** base64. */
  readonly root: string;
  readonly keys: readonly KeySpan[];
  /** When it was seen, as it is to be said. */
  readonly at: string;
}

export interface Place {
  readonly checks: readonly ReceiptCheck[];
  /** Of the log, by the checkpoint; null where that is none. */
  readonly size: number | null;
  /** More of the log than was seen; null where it is not proved to extend that. */
  readonly learned: Omit<RememberedLog, "at"> | null;
  /** Something of this log was seen before. */
  readonly isKnown: boolean;
  /** Its keys are those which were seen, or followed them by their word. */
  readonly areKeysKnown: boolean;
}

export interface Placing {
  /** The bytes of the leaf; undefined where a receipt has none. */
  readonly content: Bytes | undefined;
  /** The `x` of the key that signed the receipt, which is the log's last then. */
  readonly last: string;
  readonly log: ReceiptProof;
  readonly trusted: Trusted;
}

export async function placeOf(verifying: Verifying, { content, last, log, trusted }: Placing): Promise<Place> {
  const note = parseNote(log.checkpoint);
  const head = note && parseCheckpoint(note.text);
  if (!note || !head) {
    const says = "The checkpoint is a signed note with a log's name, its size and its root.";
    return {
      checks: [{ name: "checkpoint", ok: false, says }],
      size: null,
      learned: null,
      isKnown: false,
      areKeysKnown: false,
    };
  }
  const known = trusted.remembered?.(head.origin);
  const keys = await keysOf(verifying, { origin: head.origin, successions: log.successions, last });
  const areKeysKnown = keys !== undefined && (!known || isContinued(known.keys, keys, head.size));
  const speaking = (keys ?? []).filter(({ from, until }) => head.size >= from && head.size <= (until ?? head.size));
  const named = speaking.map((key) => ({ ...key, name: head.origin }));
  const signers = await signersOf(verifying, note, named);
  // Nobody else's line is taken: each byte of the document counts.
  const isSigned = signers !== undefined && signers.length > 0 && signers.length === note.signatures.length;
  const hash = content && (await verifying.digest(leafInput(content)));
  const proof = hashes(log.proof);
  const isLeaf =
    hash !== undefined &&
    proof !== undefined &&
    (await isIncluded(verifying.digest, { index: log.leaf, hash }, head, proof));
  const same = known && (await isSameLog(verifying, { head, log, trusted }, known));
  const checks: ReceiptCheck[] = [
    { name: "keys", ok: areKeysKnown, says: keysSay(log.successions.length, known !== undefined) },
    {
      name: "checkpoint",
      ok: isSigned,
      says: `The log ${head.origin} had ${count(head.size, "receipt")}, by its key's word.`,
    },
    { name: "leaf", ok: isLeaf, says: `It is leaf ${log.leaf + 1} of ${head.size} of that log.` },
  ];
  if (log.extends && log.extends.size !== known?.size) checks.push(await claimCheck(verifying, head, log.extends));
  if (known) checks.push(seenCheck(head, known, same));
  const isMore = !known || (same === true && known.size < head.size);
  const told = { origin: head.origin, size: head.size, root: encoded(head.root, "base64") };
  const learned = isMore ? { ...told, keys: (keys ?? []).map(({ x, until }) => ({ x, until })) } : null;
  return { checks, size: head.size, learned, isKnown: known !== undefined, areKeysKnown };
}

/** Whether a document's `log` has the shape: each member, and no other. */
export function isProof(log: unknown): log is ReceiptProof {
  if (typeof log !== "object" || log === null) return false;
  const { leaf, proof, checkpoint, successions, extends: extension, ...more } = log as Record<string, unknown>;
  const isWhole =
    Number.isSafeInteger(leaf) && areTexts(proof) && typeof checkpoint === "string" && areTexts(successions);
  return isWhole && Object.keys(more).length === 0 && (extension === undefined || isExtension(extension));
}

function isExtension(extension: unknown): boolean {
  if (typeof extension !== "object" || extension === null) return false;
  const { size, root, proof, ...more } = extension as Record<string, unknown>;
  return Number.isSafeInteger(size) && typeof root === "string" && areTexts(proof) && Object.keys(more).length === 0;
}

/** A path has a hash a level of the tree, and a log's keys are few: more is nothing that a log gave. */
const textsMax = 200;

function areTexts(value: unknown): boolean {
  return Array.isArray(value) && value.length <= textsMax && value.every((one) => typeof one === "string");
}

function keysSay(successions: number, isKnown: boolean): string {
  const own =
    successions === 0
      ? "The log has had one key"
      : `Each of the log's ${successions + 1} keys followed by the word of the one before`;
  return isKnown ? `${own}, as far as you have seen them.` : `${own}.`;
}

/**
 * One of the two goes on where the other ends: no key was ever another one. And where more keys were seen, the last one here signs nothing
 * that is beyond its end: it may be in other hands.
 */
function isContinued(seen: readonly KeySpan[], keys: readonly KeySpan[], size: number): boolean {
  const isSame = keys.slice(0, seen.length).every(({ x }, at) => x === seen[at]?.x);
  const until = seen[keys.length - 1]?.until ?? size;
  return isSame && size <= until;
}

/** What the document says of an earlier log holds, whoever has seen that. */
async function claimCheck(verifying: Verifying, head: TreeHead, told: LogExtension): Promise<ReceiptCheck> {
  const ok = await holds(verifying, told, head, told.proof);
  return { name: "extends", ok, says: `The log extends that of ${count(told.size, "receipt")}.` };
}

function seenCheck(head: TreeHead, known: RememberedLog, same: boolean | undefined): ReceiptCheck {
  const seen = `the checkpoint of ${known.at} that you have seen, of ${count(known.size, "receipt")}`;
  if (same === undefined)
    return { name: "extends", ok: true, says: `It was not compared with ${seen}: that needs its server.` };
  const says = known.size > head.size ? `The log went on from here to ${seen}.` : `The log extends ${seen}.`;
  return { name: "extends", ok: same, says };
}

/** Undefined where there is nobody to prove it. */
async function isSameLog(
  verifying: Verifying,
  { head, log, trusted }: { readonly head: Checkpoint; readonly log: ReceiptProof; readonly trusted: Trusted },
  known: RememberedLog,
): Promise<boolean | undefined> {
  const told = log.extends;
  if (told && told.size === known.size)
    return told.root === known.root && (await holds(verifying, told, head, told.proof));
  if (known.size === head.size) return known.root === encoded(head.root, "base64");
  const here = { size: head.size, root: encoded(head.root, "base64") };
  const [earlier, later] = known.size < head.size ? [known, here] : [here, known];
  const proof = await trusted.extension?.(head.origin, earlier.size, later.size);
  const end = decoded(later.root, "base64");
  if (proof === undefined) return undefined;
  return end !== undefined && holds(verifying, earlier, { size: later.size, root: end }, proof);
}

async function holds(
  verifying: Verifying,
  earlier: Pick<LogExtension, "size" | "root">,
  later: TreeHead,
  proof: readonly string[],
): Promise<boolean> {
  const [root, path] = [decoded(earlier.root, "base64"), hashes(proof)];
  if (!root || !path) return false;
  return isExtended(verifying.digest, { size: earlier.size, root }, later, path);
}

function hashes(texts: readonly string[]): readonly Bytes[] | undefined {
  const all = texts.map((text) => decoded(text, "base64"));
  return all.every((hash) => hash !== undefined) ? all : undefined;
}
