/** A part of a file, read ahead by one piece into memory that is used again: however much is read, no more than two pieces of it are held. */
import { open } from "node:fs/promises";
import { giveBack } from "../stdx/give-back.ts";
import type { ByteRange } from "./blobs.ts";

/** Of one piece: what a connection takes at once. */
const pieceBytes = 1 << 17;

/** Each piece is good until the next is asked for. Fewer bytes than the range has where the file ends before. */
export async function* fileBytes(file: string, { from, to }: ByteRange): AsyncGenerator<Uint8Array> {
  if (from >= to) return;
  await using handle = await open(file);
  const memory: Buffer[] = [];
  let at = from;
  const load = async (turn: number): Promise<Uint8Array> => {
    const into = (memory[turn % 2] ??= Buffer.allocUnsafeSlow(Math.min(pieceBytes, to - at)));
    const { bytesRead } = await handle.read(into, 0, Math.min(into.length, to - at), at);
    at += bytesRead;
    return into.subarray(0, bytesRead);
  };
  let loading = load(0);
  try {
    for (let turn = 1; ; turn++) {
      const piece = await loading;
      if (piece.length === 0) {
        for (const used of memory) giveBack(used);
        return;
      }
      loading = at < to ? load(turn) : Promise.resolve(new Uint8Array());
      loading.catch(() => undefined); // Awaited in the next round.
      yield piece;
    }
  } finally {
    await loading.catch(() => undefined); // The file is not closed under it; whoever read has gone, or has been told.
  }
}
