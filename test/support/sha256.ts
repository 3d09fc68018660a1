/** The digest by which large files are known, as git-lfs writes it. */
import { createHash } from "node:crypto";
import type { LfsPointer } from "../../src/hub/lfs-pointer.ts";

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

export const pointerTo = (bytes: Uint8Array): LfsPointer => ({ oid: sha256(bytes), size: bytes.length });
