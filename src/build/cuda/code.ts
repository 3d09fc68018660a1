/**
 * Which cards a shared object has code for, read from its headers: nothing of it is loaded, and of a library of two gigabytes a few
 * megabytes are read at most.
 *
 *   ELF section .nv_fatbin     containers, one after the other, each aligned to 8 (the section's name: fatbinary_section.h of the CUDA
 *                              toolkit; the rest is undocumented, and as `cuobjdump --list-elf --list-ptx` shows of what nvcc 12 and 13 made)
 *     container                u32 0xBA55ED50, u16 1, u16 size of this header, u64 size of its entries
 *     entry                    u16 kind (1 PTX, 2 machine code), u32 at 4 its header's size, u64 at 8 its code's, u16 at 24 and 26 the
 *                              minor and major version of the code (of PTX: its ISA's), u32 at 28 the architecture, u64 at 40 flags
 *
 * Whether the code is compressed makes no difference to that.
 */
import { cudaOfIsa, isOlder } from "./toolkits.ts";

/** A file, as `node:fs/promises` opens it. */
export interface Source {
  read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ buffer: Buffer; bytesRead: number }>;
}

export interface CudaCode {
  /** Sorted, each once: `sm_90a`, `compute_90`. */
  readonly archs: readonly string[];
  /** The CUDA that it was made with, as far as it tells: `12.8`, or `12`, or null. */
  readonly cuda: string | null;
}

/** libcublasLt, the richest that we know, has some 8 000 in 2 800 containers. */
const entriesMax = 100_000;
const sectionsMax = 1_000;
const namesMaxBytes = 64 << 10;
const dynamicMaxBytes = 64 << 10;
const libraryNameBytes = 64;
/** What is looked over for the next container, where none follows at once. */
const gapMaxBytes = 4 << 10;

const containerMagic = 0xba_55_ed_50;
const kinds: Readonly<Record<number, string>> = { 1: "compute", 2: "sm" };
const archSpecific = 0x10_00_00;
const familySpecific = 0x20_00_00;

/** Null where it is no 64-bit little-endian ELF file, or holds no code for cards. What is malformed is left out. */
export async function readCudaCode(file: Source, signal?: AbortSignal): Promise<CudaCode | null> {
  const reader = new Reader(file, signal);
  const sections = await sectionsOf(reader);
  const code = sections.filter(({ name }) => name === ".nv_fatbin");
  if (code.length === 0) return null;
  const found = { archs: new Set<string>(), isa: "", entries: 0 };
  for (const section of code) await readContainers(reader, section, found);
  if (found.archs.size === 0) return null;
  const cuda = cudaOfIsa(found.isa) ?? (await cudaOfRuntime(reader, sections));
  return { archs: [...found.archs].sort(byArch), cuda };
}

interface Found {
  readonly archs: Set<string>;
  /** Of its PTX, the newest. */
  isa: string;
  entries: number;
}

interface Section {
  readonly name: string;
  readonly type: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
}

class Reader {
  readonly #file: Source;
  readonly #signal: AbortSignal | undefined;

  constructor(file: Source, signal: AbortSignal | undefined) {
    this.#file = file;
    this.#signal = signal;
  }

  /** Fewer bytes at the end of the file. Rejects once the signal is aborted. */
  async at(offset: number, length: number): Promise<Buffer> {
    this.#signal?.throwIfAborted();
    if (!Number.isSafeInteger(offset)) return Buffer.alloc(0); // A damaged header's.
    const { buffer, bytesRead } = await this.#file.read(Buffer.allocUnsafe(length), 0, length, offset);
    return buffer.subarray(0, bytesRead);
  }
}

const headerBytes = 64;
const sectionBytes = 64;

/** System V ABI, "ELF Header" and "Sections", for 64-bit objects. */
async function sectionsOf(reader: Reader): Promise<readonly Section[]> {
  const header = await reader.at(0, headerBytes);
  if (header.length < headerBytes || header.readUInt32BE(0) !== 0x7f_45_4c_46 || header.readUInt16BE(4) !== 0x02_01)
    return [];
  const [table, each, count, names] = [40, 58, 60, 62].map((at) =>
    at === 40 ? number(header, 40) : header.readUInt16LE(at),
  ) as [number, number, number, number];
  if (each !== sectionBytes || count > sectionsMax || names >= count) return [];
  const rows = await reader.at(table, count * sectionBytes);
  if (rows.length < count * sectionBytes) return [];
  const raw = Array.from({ length: count }, (_, index) => {
    const row = rows.subarray(index * sectionBytes);
    return {
      nameAt: row.readUInt32LE(0),
      type: row.readUInt32LE(4),
      offset: number(row, 24),
      size: number(row, 32),
      link: row.readUInt32LE(40),
    };
  });
  const { offset = 0, size = 0 } = raw[names] ?? {};
  const text = await reader.at(offset, Math.min(size, namesMaxBytes));
  return raw.map(({ nameAt, ...section }) => ({ ...section, name: stringAt(text, nameAt) }));
}

async function readContainers(reader: Reader, { offset, size }: Section, found: Found): Promise<void> {
  const end = offset + size;
  for (let at = offset; at + 16 <= end && found.entries < entriesMax;) {
    const header = await reader.at(at, 16);
    if (header.length < 16) return;
    if (header.readUInt32LE(0) !== containerMagic) {
      const next = await nextContainer(reader, at, end);
      if (next === undefined) return;
      at = next;
      continue;
    }
    const from = at + Math.max(16, header.readUInt16LE(6));
    const to = Math.min(end, from + number(header, 8));
    await readEntries(reader, from, to, found);
    found.entries += 1; // An empty one counts, too.
    at = Math.ceil(to / 8) * 8;
  }
}

async function nextContainer(reader: Reader, at: number, end: number): Promise<number | undefined> {
  const gap = await reader.at(at, Math.min(gapMaxBytes, end - at));
  for (let n = 8; n + 4 <= gap.length; n += 8) if (gap.readUInt32LE(n) === containerMagic) return at + n;
  return undefined;
}

async function readEntries(reader: Reader, from: number, to: number, found: Found): Promise<void> {
  for (let at = from; at + 48 <= to && found.entries < entriesMax; found.entries += 1) {
    const entry = await reader.at(at, 48);
    if (entry.length < 48) return;
    const [ownSize, codeSize] = [entry.readUInt32LE(4), number(entry, 8)];
    if (ownSize < 48) return;
    const kind = kinds[entry.readUInt16LE(0)];
    if (kind !== undefined) {
      found.archs.add(`${kind}_${entry.readUInt32LE(28)}${suffixOf(entry.readUInt32LE(40))}`);
      const isa = `${entry.readUInt16LE(26)}.${entry.readUInt16LE(24)}`;
      if (kind === "compute" && (found.isa === "" || isOlder(found.isa, isa))) found.isa = isa;
    }
    at += ownSize + codeSize;
  }
}

function suffixOf(flags: number): string {
  if (flags & archSpecific) return "a";
  return flags & familySpecific ? "f" : "";
}

/** The major version of the CUDA runtime that it is linked with, by the names in its dynamic section. */
async function cudaOfRuntime(reader: Reader, sections: readonly Section[]): Promise<string | null> {
  const dynamic = sections.find(({ type }) => type === 6);
  const strings = dynamic && sections[dynamic.link];
  if (!dynamic || !strings) return null;
  const rows = await reader.at(dynamic.offset, Math.min(dynamic.size, dynamicMaxBytes));
  for (let at = 0; at + 16 <= rows.length; at += 16) {
    if (number(rows, at) !== 1) continue; // DT_NEEDED
    const name = stringAt(await reader.at(strings.offset + number(rows, at + 8), libraryNameBytes), 0);
    const [, major] = /^libcudart(?:-[0-9a-f]+)?\.so\.(\d+)/.exec(name) ?? [];
    if (major !== undefined) return major;
  }
  return null;
}

function byArch(a: string, b: string): number {
  return Number(a.startsWith("c")) - Number(b.startsWith("c")) || archNumber(a) - archNumber(b) || (a < b ? -1 : 1);
}

function archNumber(arch: string): number {
  return Number.parseInt(arch.slice(arch.indexOf("_") + 1), 10);
}

function stringAt(text: Buffer, at: number): string {
  const end = text.indexOf(0, at);
  return text.toString("latin1", at, end === -1 ? text.length : end);
}

function number(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64LE(at));
}
