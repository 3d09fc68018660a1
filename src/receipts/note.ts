/** Signed notes (C2SP signed-note): a text, a blank line, and a line for each signature. Ed25519 keys alone, which is what this log has. */
import type { Bytes, Digest } from "./bytes.ts";
import { decoded, encoded, hexOf, isSame, joined, utf8 } from "./bytes.ts";

/** What verifies a note's line. `name`: of the log, its origin; `key`: the 32 bytes of an Ed25519 key. */
export interface NoteKey {
  readonly name: string;
  readonly key: Bytes;
}

export interface NoteSignature {
  readonly name: string;
  readonly id: Bytes;
  readonly signature: Bytes;
}

export interface Note {
  /** With its last newline: the bytes that are signed. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** What {@link signersOf} needs of a runtime: browsers and Node have both, see web-crypto.ts. */
export interface Verifying {
  readonly digest: Digest;
  /** Ed25519; false also where the key is no key. */
  verify(key: Bytes, signature: Bytes, message: Bytes): Promise<boolean>;
}

const ed25519Type = Uint8Array.of(1);
const idBytes = 4;
const signatureBytes = 64;
/** Sixteen are to be taken; ours have one, and two where the key was changed. */
const signaturesMax = 16;
/** A note of this log has some hundred bytes: the bound of what is looked at. */
const noteMaxLength = 16_384;

/** The first bytes of a hash over name and key: which key of a name made a signature. */
export async function keyIdOf(digest: Digest, { name, key }: NoteKey): Promise<Bytes> {
  const hash = await digest(joined(utf8(`${name}\n`), ed25519Type, key));
  return joined(hash.subarray(0, idBytes));
}

/** A key as tools for logs take it: `name+id+base64`. */
export async function verifierKey(digest: Digest, key: NoteKey): Promise<string> {
  const id = hexOf(await keyIdOf(digest, key));
  return `${key.name}+${id}+${encoded(joined(ed25519Type, key.key), "base64")}`;
}

export function noteText({ text, signatures }: Note): string {
  const lines = signatures.map(({ name, id, signature }) => `— ${name} ${encoded(joined(id, signature), "base64")}\n`);
  return `${text}\n${lines.join("")}`;
}

/** Undefined where it is no signed note. */
export function parseNote(whole: string): Note | undefined {
  // oxlint-disable-next-line no-control-regex -- the format forbids them
  if (whole.length > noteMaxLength || /[\u0000-\u0009\u000b-\u001f]/.test(whole)) return undefined;
  const blank = whole.lastIndexOf("\n\n");
  if (blank <= 0 || !whole.endsWith("\n")) return undefined;
  const lines = whole.slice(blank + 2, -1).split("\n");
  if (lines.length > signaturesMax) return undefined;
  const signatures: NoteSignature[] = [];
  for (const line of lines) {
    const match = /^— ([^\s+]+) (\S+)$/u.exec(line);
    const bytes = match && decoded(match[2] ?? "", "base64");
    if (!match || !bytes || bytes.length <= idBytes) return undefined;
    signatures.push({ name: match[1] ?? "", id: bytes.slice(0, idBytes), signature: bytes.slice(idBytes) });
  }
  return { text: whole.slice(0, blank + 1), signatures };
}

/**
 * Which of `keys` signed the note; signatures of others are passed over. Undefined where one of them has a line that does not verify:
 * then nothing of the note is to be relied upon.
 */
export async function signersOf<Key extends NoteKey>(
  { digest, verify }: Verifying,
  note: Note,
  keys: readonly Key[],
): Promise<readonly Key[] | undefined> {
  const signers: Key[] = [];
  const message = utf8(note.text);
  for (const key of keys) {
    const id = await keyIdOf(digest, key);
    for (const line of note.signatures.filter((one) => one.name === key.name && isSame(one.id, id))) {
      if (line.signature.length !== signatureBytes || !(await verify(key.key, line.signature, message)))
        return undefined;
      signers.push(key);
    }
  }
  return signers;
}
