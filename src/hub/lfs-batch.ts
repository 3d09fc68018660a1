/** What git-lfs' batch API is asked (git-lfs, docs/api/batch.md), read from JSON. Pure. */
import type { LfsPointer } from "./lfs-pointer.ts";

/** Clients send 100 at a time, or 256. */
const objectsMax = 1_000;

export interface Batch {
  readonly operation: "upload" | "download";
  readonly objects: readonly LfsPointer[];
  /** Ways that the client knows. */
  readonly transfers: readonly unknown[];
}

export function parseBatch(value: unknown): Batch | string {
  const { operation, objects, transfers, hash_algo: algorithm = "sha256" } = (value ?? {}) as Record<string, unknown>;
  if (operation !== "upload" && operation !== "download") return "`operation` is neither upload nor download";
  // `@huggingface/hub` writes it its own way.
  if (algorithm !== "sha256" && algorithm !== "sha_256") return "`hash_algo` is not sha256, and no other is known";
  if (!Array.isArray(objects)) return "`objects` is not a list";
  if (objects.length > objectsMax) return `\`objects\` has more than ${objectsMax}`;
  const pointers = objects.map(parsePointerOf);
  const wrong = pointers.find((pointer) => typeof pointer === "string");
  return (
    wrong ?? { operation, objects: pointers as LfsPointer[], transfers: Array.isArray(transfers) ? transfers : [] }
  );
}

/** The oid's form is looked at for each object: a wrong one is that object's error only. */
export function parsePointerOf(value: unknown): LfsPointer | string {
  const { oid, size } = (value ?? {}) as Record<string, unknown>;
  if (typeof oid !== "string") return "an `oid` is not a text";
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)
    return `the \`size\` of ${oid} is no number of bytes`;
  return { oid, size };
}

export function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
