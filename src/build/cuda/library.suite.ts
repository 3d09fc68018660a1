/** Shared objects with code for cards, as nvcc and the linker make them, but for the code: real headers around bytes that nothing runs. */
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";

export interface MadeLibrary {
  /** One list a container: `sm_90a`, `compute_90`. */
  readonly containers: readonly (readonly string[])[];
  /** The version of its PTX. */
  readonly isa?: string;
  /** What it is linked with beside the system's own: `libcudart.so.12`. */
  readonly needed?: readonly string[];
  /** Bytes of each piece of code; a multiple of 8. */
  readonly codeBytes?: number;
}

interface Piece {
  readonly at: number;
  readonly bytes: Buffer;
}

/** The whole file; for one that fits in memory. */
export function libraryBytes(made: MadeLibrary): Buffer {
  const { pieces, size } = layOut(made);
  const file = Buffer.alloc(size);
  for (const { at, bytes } of pieces) bytes.copy(file, at);
  return file;
}

/** The same on disk, with holes where the code would be; its size. */
export function writeLibrary(path: string, made: MadeLibrary): number {
  const { pieces, size } = layOut(made);
  const file = openSync(path, "w");
  try {
    ftruncateSync(file, size);
    for (const { at, bytes } of pieces) writeSync(file, bytes, 0, bytes.length, at);
  } finally {
    closeSync(file);
  }
  return size;
}

const elfBytes = 64;

function layOut({ containers, isa = "8.7", needed = [], codeBytes = 64 }: MadeLibrary): {
  readonly pieces: readonly Piece[];
  readonly size: number;
} {
  const pieces: Piece[] = [];
  let at = elfBytes;
  const put = (bytes: Buffer): number => {
    pieces.push({ at, bytes });
    at += bytes.length;
    return at - bytes.length;
  };
  for (const archs of containers) {
    const entries = archs.map((arch) => entryHeader(arch, isa, codeBytes));
    const inside = entries.reduce((sum, header) => sum + header.length + codeBytes, 0);
    put(containerHeader(inside));
    for (const header of entries) {
      put(header);
      at += codeBytes;
    }
  }
  const codeEnd = at;
  const names = ["", "libc.so.6", ...needed];
  const strings = Buffer.from(`${names.join("\0")}\0`, "latin1");
  const stringsAt = put(strings);
  at = Math.ceil(at / 8) * 8;
  const dynamic = Buffer.concat([
    ...names.slice(1).map((name) => words64(1n, BigInt(strings.indexOf(`\0${name}\0`) + 1))),
    words64(0n, 0n),
  ]);
  const dynamicAt = put(dynamic);
  const labels = Buffer.from("\0.nv_fatbin\0.dynstr\0.dynamic\0.shstrtab\0", "latin1");
  const labelsAt = put(labels);
  at = Math.ceil(at / 8) * 8;
  const label = (name: string): number => labels.indexOf(`\0${name}\0`) + 1;
  const table = put(
    Buffer.concat([
      sectionHeader({ name: 0, type: 0, offset: 0, size: 0, link: 0 }),
      sectionHeader({ name: label(".nv_fatbin"), type: 1, offset: elfBytes, size: codeEnd - elfBytes, link: 0 }),
      sectionHeader({ name: label(".dynstr"), type: 3, offset: stringsAt, size: strings.length, link: 0 }),
      sectionHeader({ name: label(".dynamic"), type: 6, offset: dynamicAt, size: dynamic.length, link: 2 }),
      sectionHeader({ name: label(".shstrtab"), type: 3, offset: labelsAt, size: labels.length, link: 0 }),
    ]),
  );
  return { pieces: [{ at: 0, bytes: elfHeader(table, 5, 4) }, ...pieces], size: at };
}

function elfHeader(table: number, sections: number, labels: number): Buffer {
  const header = Buffer.alloc(elfBytes);
  header.write("\u007fELF", "latin1");
  header.set([2, 1, 1], 4); // 64 bits, little-endian
  header.writeUInt16LE(3, 16); // a shared object
  header.writeUInt16LE(62, 18); // x86-64
  header.writeBigUInt64LE(BigInt(table), 40);
  header.writeUInt16LE(64, 58);
  header.writeUInt16LE(sections, 60);
  header.writeUInt16LE(labels, 62);
  return header;
}

function sectionHeader(of: { name: number; type: number; offset: number; size: number; link: number }): Buffer {
  const header = Buffer.alloc(64);
  header.writeUInt32LE(of.name, 0);
  header.writeUInt32LE(of.type, 4);
  header.writeBigUInt64LE(BigInt(of.offset), 24);
  header.writeBigUInt64LE(BigInt(of.size), 32);
  header.writeUInt32LE(of.link, 40);
  return header;
}

function containerHeader(size: number): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(0xba_55_ed_50, 0);
  header.writeUInt16LE(1, 4);
  header.writeUInt16LE(16, 6);
  header.writeBigUInt64LE(BigInt(size), 8);
  return header;
}

/** nvcc 13 makes headers of 64 bytes for machine code up to sm_90, of 120 for newer, and of 80 for PTX. */
function entryHeader(arch: string, isa: string, codeBytes: number): Buffer {
  const [, kind, number = "", suffix] = /^(sm|compute)_(\d+)([af]?)$/.exec(arch) ?? [];
  const isPtx = kind === "compute";
  const header = Buffer.alloc(isPtx ? 80 : Number(number) < 100 ? 64 : 120);
  const [major = 1, minor = 7] = (isPtx ? isa : "1.7").split(".").map(Number);
  header.writeUInt16LE(isPtx ? 1 : 2, 0);
  header.writeUInt16LE(0x01_01, 2);
  header.writeUInt32LE(header.length, 4);
  header.writeBigUInt64LE(BigInt(codeBytes), 8);
  header.writeUInt16LE(minor, 24);
  header.writeUInt16LE(major, 26);
  header.writeUInt32LE(Number(number), 28);
  const compressed = isPtx ? 0x80_00 : 0;
  const own = suffix === "a" ? 0x10_00_00 : suffix === "f" ? 0x20_00_00 : 0;
  header.writeBigUInt64LE(BigInt(0x11 | compressed | own), 40);
  return header;
}

function words64(...words: readonly bigint[]): Buffer {
  const bytes = Buffer.alloc(8 * words.length);
  words.forEach((word, index) => bytes.writeBigUInt64LE(word, 8 * index));
  return bytes;
}
