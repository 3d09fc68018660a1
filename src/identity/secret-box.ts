/**
 * Encrypts what owners entrust to the platform: AES-256-GCM (NIST SP 800-38D), with a key from a file of its own. Whoever has only the
 * database has nothing; whoever has the data folder has both.
 *
 * The file has one key a line, `k_… BASE64`; the last one seals, all open. So a key is replaced by adding a line to it.
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { chmod, mkdir, open, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { newId, type RandomBytes } from "../stdx/ids.ts";

export interface Sealed {
  /** The id of the key. */
  readonly key: string;
  /** Base64 of nonce, ciphertext and tag. */
  readonly sealed: string;
}

const algorithm = "aes-256-gcm";
const keyBytes = 32;
/** SP 800-38D §8.2.2: random nonces of 96 bits are good for 2^32 messages of one key. */
const nonceBytes = 12;
const tagBytes = 16;

/** There are secrets, and the file does not have their key. */
export class SecretKeyMissing extends Error {
  override readonly name = "SecretKeyMissing";
  readonly code = "secret-key-missing";
}

export class SecretBox {
  readonly #keys: ReadonlyMap<string, Buffer>;
  readonly #random: RandomBytes;

  constructor(keys: ReadonlyMap<string, Buffer>, random: RandomBytes) {
    this.#keys = keys;
    this.#random = random;
  }

  /** The id of the key that seals. */
  get current(): string {
    return [...this.#keys.keys()].at(-1) ?? "";
  }

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  /** `place` is bound to the text: what was sealed for one place does not open at another. */
  seal(text: string, place: string): Sealed {
    const key = this.current;
    const nonce = this.#random(nonceBytes);
    const cipher = createCipheriv(algorithm, this.#key(key), nonce, { authTagLength: tagBytes });
    cipher.setAAD(Buffer.from(place));
    const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
    return { key, sealed: Buffer.concat([nonce, body, cipher.getAuthTag()]).toString("base64") };
  }

  /** Throws where the key is not there, the text was changed, or it was sealed for another place. */
  open({ key, sealed }: Sealed, place: string): string {
    const bytes = Buffer.from(sealed, "base64");
    const decipher = createDecipheriv(algorithm, this.#key(key), bytes.subarray(0, nonceBytes), {
      authTagLength: tagBytes,
    });
    decipher.setAAD(Buffer.from(place));
    decipher.setAuthTag(bytes.subarray(-tagBytes));
    return Buffer.concat([decipher.update(bytes.subarray(nonceBytes, -tagBytes)), decipher.final()]).toString("utf8");
  }

  #key(id: string): Buffer {
    const key = this.#keys.get(id);
    if (key === undefined) throw new SecretKeyMissing(`key ${id} is not there`);
    return key;
  }
}

/**
 * The keys of `file`, which is made with a first one where it is absent and nothing was sealed yet. Throws `SecretKeyMissing` where one
 * of those that are `needed` is not in it, and `SyntaxError` where a line of it is no key.
 */
export async function openSecretBox(
  file: string,
  { needed, random }: { needed: readonly string[]; random: RandomBytes },
): Promise<SecretBox> {
  const text = await keyText(file);
  const keys = text === undefined ? new Map<string, Buffer>() : parseKeys(file, text);
  const missing = [...new Set(needed)].filter((key) => !keys.has(key));
  if (missing.length > 0) throw new SecretKeyMissing(missingSays(file, missing, { isThere: text !== undefined }));
  if (keys.size > 0) return new SecretBox(keys, random);
  const made: readonly [string, Buffer] = [newId("k", random), Buffer.from(random(keyBytes))];
  await writeKey(file, made);
  return new SecretBox(new Map([made]), random);
}

function missingSays(file: string, missing: readonly string[], { isThere }: { isThere: boolean }): string {
  const what = isThere ? `${file} has not the key ${missing.join(", ")}` : `${file} is not there`;
  return `${what}, and secrets of Spaces in the database were encrypted with it: without it nobody can read them.`;
}

/** The file's text; it is closed to all others. */
async function keyText(file: string): Promise<string | undefined> {
  try {
    const text = await readFile(file, "utf8");
    await chmod(file, 0o600);
    return text;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function parseKeys(file: string, text: string): Map<string, Buffer> {
  const keys = new Map<string, Buffer>();
  for (const [at, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const [, id, encoded] = /^(k_\w+) ([A-Za-z0-9+/]{43}=)$/.exec(line.trim()) ?? [];
    if (id === undefined || encoded === undefined)
      throw new SyntaxError(
        `${file}, line ${at + 1}: a key is written k_NAME, a blank, and ${keyBytes} bytes as base64`,
      );
    keys.set(id, Buffer.from(encoded, "base64"));
  }
  return keys;
}

/** On disk before anything is sealed with it. */
async function writeKey(file: string, [id, key]: readonly [string, Buffer]): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const handle = await open(file, "wx", 0o600);
  try {
    await handle.writeFile(`${id} ${key.toString("base64")}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  const folder = await open(dirname(file), "r");
  await folder.sync();
  await folder.close();
}
