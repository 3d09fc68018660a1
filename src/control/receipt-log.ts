/**
 * The log of receipts on the server's side: it follows the places that receipts were given with their calls' ends, keeps the tree in tiles,
 * and signs a checkpoint when it has grown. It may be behind for as long as it likes: what it follows is durable, so no crash takes a leaf.
 *
 *   L37. Each receipt's proof verifies, and no checkpoint is signed that does not extend the one before.
 */
import { hash } from "node:crypto";
import type { Receipts } from "../catalog/receipts.ts";
import { canonicalBytes } from "../evidence/receipt.ts";
import type { ReceiptKeys } from "../identity/receipt-key.ts";
import { signReceipt } from "../identity/receipt-signature.ts";
import { encoded } from "../receipts/bytes.ts";
import { checkpointText, parseCheckpoint } from "../receipts/checkpoint.ts";
import type { Checkpoint } from "../receipts/checkpoint.ts";
import type { SignedReceipt } from "../receipts/document.ts";
import type { LogExtension } from "../receipts/log-proof.ts";
import { parseNote } from "../receipts/note.ts";
import { grown, partialTiles, ProvingTree } from "../receipts/tiles.ts";
import type { Tile, TilePlace } from "../receipts/tiles.ts";
import { hashBytes, leafInput } from "../receipts/tree.ts";
import { assert } from "../stdx/assert.ts";
import type { Clock, Instant } from "../stdx/time.ts";
import { instant } from "../stdx/time.ts";
import { Turns } from "../stdx/turns.ts";

export interface ReceiptLogParts {
  readonly rows: Receipts;
  readonly keys: ReceiptKeys;
  readonly clock: Pick<Clock, "wall">;
}

/** The tree is not the one whose root was signed: its tiles, or the checkpoint, were changed. */
export class ReceiptLogChanged extends Error {
  override readonly name = "ReceiptLogChanged";
  readonly code = "receipt-log-changed";
}

export interface SignedCheckpoint extends Checkpoint {
  readonly note: string;
}

/** Receipts that become leaves in one commit: half a megabyte is read for them, and their hashes take some milliseconds. */
const leavesAtOnce = 256;
/** So far behind is it at most: then a checkpoint is signed, where it has grown. */
const settledEveryMs = 60_000;
/** A checkpoint an hour is kept; all others can be proved from the tree. */
const keptEveryMs = 3_600_000;

const sha256 = (bytes: Uint8Array): Uint8Array => hash("sha256", bytes, "buffer");

/** Takes all receipts that have a place into the tree, or as many as `goesOn` lets it; gives its size. */
export async function growTree(rows: Receipts, goesOn = (): boolean => true): Promise<number> {
  for (let size = await rows.size(); ;) {
    if (!goesOn()) return size;
    const next = await rows.next(size, leavesAtOnce);
    if (next.length === 0) return size;
    const first = size;
    const missing = next.findIndex(({ leaf }, n) => leaf !== first + n);
    if (missing >= 0) throw new ReceiptLogChanged(`the receipt with place ${first + missing} of the log is missing`);
    const partial = await Promise.all(partialTiles(size).map((place) => partialTile(rows, place, size)));
    const leaves = next.map(({ receipt }) => sha256(leafInput(canonicalBytes(receipt))));
    const tiles = grown(sha256, size, partial, leaves);
    size += next.length;
    await rows.grow(size, tiles);
  }
}

export class ReceiptLog {
  readonly #parts: ReceiptLogParts;
  readonly #turns = new Turns();

  constructor(parts: ReceiptLogParts) {
    this.#parts = parts;
  }

  /** Brings the log up to the receipts that are there, and signs a checkpoint where it has grown. Throws `ReceiptLogChanged`. */
  settle(): Promise<SignedCheckpoint> {
    return this.#turns.take("log", () => this.#settle());
  }

  /** Settles now and then, until it is disposed of: however far behind it is, that takes a moment. */
  follow(onFailure: (error: unknown) => void): AsyncDisposable {
    let isOver = false;
    const settle = (): void =>
      void this.#turns.take("log", () => this.#settle(() => !isOver)).catch((error: unknown) => onFailure(error));
    settle();
    const timer = setInterval(settle, settledEveryMs);
    return {
      [Symbol.asyncDispose]: async () => {
        isOver = true;
        clearInterval(timer);
        await this.#turns.idle();
      },
    };
  }

  /** The newest; of an empty log too. */
  async checkpoint(): Promise<SignedCheckpoint> {
    return (await this.#last()) ?? this.settle();
  }

  /** By the receipt's id or its call's, with all that checking it needs; undefined where there is none. `since`: of a log that was seen. */
  async get(id: string, since = 0): Promise<SignedReceipt | undefined> {
    const { rows, keys } = this.#parts;
    const found = await rows.get(id);
    if (!found) return undefined;
    const { leaf, receipt } = found;
    const last = await this.checkpoint();
    const { size, note } = last.size > leaf ? last : await this.settle();
    assert(size > leaf, "a receipt with a place is in the log", id);
    // Both at one moment: another key may take its place while hashes are read.
    const { current, successions } = keys;
    const tree = this.#tree();
    const log = {
      leaf,
      proof: (await tree.inclusion(leaf, size)).map(spelled),
      checkpoint: note,
      successions,
      ...(since > 0 && since < size && { extends: await extension(tree, since, size) }),
    };
    return { ...(await signReceipt(receipt, current)), log };
  }

  /** That the log of `to` leaves extends that of `from`; undefined where it has had no such sizes. */
  async consistency(from: number, to: number): Promise<readonly string[] | undefined> {
    const { size } = await this.checkpoint();
    if (from < 1 || from > to || to > size) return undefined;
    return (await this.#tree().consistency(from, to)).map(spelled);
  }

  /** The first `width` hashes of a tile; undefined where it has not so many. */
  async tile({ level, index, width }: TilePlace & { readonly width: number }): Promise<Uint8Array | undefined> {
    const hashes = await this.#parts.rows.tile(level, index);
    return hashes && hashes.length >= width * hashBytes ? hashes.subarray(0, width * hashBytes) : undefined;
  }

  /** Another key signs from now on. Throws `TooManyKeys`. */
  rotate(): Promise<SignedCheckpoint> {
    return this.#turns.take("log", async () => {
      const { origin, size, root } = await this.#settle();
      const note = await this.#parts.keys.rotate(size, checkpointText({ origin, size, root }));
      return this.#keep({ origin, size, root, note });
    });
  }

  async #settle(goesOn?: () => boolean): Promise<SignedCheckpoint> {
    const { rows, keys } = this.#parts;
    const size = await growTree(rows, goesOn);
    const last = await this.#last();
    if (last && last.size === size) return last;
    const tree = this.#tree();
    if (last && (last.size > size || spelled(await tree.root(last.size)) !== spelled(last.root)))
      throw new ReceiptLogChanged(
        `the log of receipts has ${size} leaves and is not the one whose checkpoint of ${last.size} leaves was signed: nothing more is signed. ` +
          "Copy the data folder somewhere safe, then restore it from a backup.",
      );
    const head = { origin: keys.origin, size, root: await tree.root(size) };
    return this.#keep({ ...head, note: await keys.sign(checkpointText(head)) });
  }

  async #keep(checkpoint: SignedCheckpoint): Promise<SignedCheckpoint> {
    const { rows, clock } = this.#parts;
    const at = instant(clock.wall());
    const hour = (at - (at % keptEveryMs)) as Instant;
    await rows.keepCheckpoint({ size: checkpoint.size, at, note: checkpoint.note }, hour);
    return checkpoint;
  }

  async #last(): Promise<SignedCheckpoint | undefined> {
    const kept = await this.#parts.rows.lastCheckpoint();
    if (!kept) return undefined;
    const head = parseCheckpoint(parseNote(kept.note)?.text ?? "");
    if (!head) throw new ReceiptLogChanged(`what is kept as the checkpoint of ${kept.size} leaves is none`);
    return { ...head, note: kept.note };
  }

  /** For one answer: each tile is read once. */
  #tree(): ProvingTree {
    const read = new Map<string, Promise<Uint8Array | undefined>>();
    return new ProvingTree(sha256, ({ level, index }) =>
      read.getOrInsertComputed(`${level}/${index}`, () => this.#parts.rows.tile(level, index)),
    );
  }
}

async function extension(tree: ProvingTree, since: number, size: number): Promise<LogExtension> {
  const [root, proof] = [await tree.root(since), await tree.consistency(since, size)];
  return { size: since, root: spelled(root), proof: proof.map(spelled) };
}

async function partialTile(rows: Receipts, { level, index }: TilePlace, size: number): Promise<Tile> {
  const hashes = await rows.tile(level, index);
  if (!hashes)
    throw new ReceiptLogChanged(
      `the log of receipts has ${size} leaves, and tile ${index} of level ${level} is missing`,
    );
  return { level, index, hashes };
}

function spelled(hashOrRoot: Uint8Array): string {
  return encoded(hashOrRoot, "base64");
}
