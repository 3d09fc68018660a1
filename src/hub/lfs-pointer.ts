/** What stands in a repository for a large file (git-lfs, docs/spec.md): its SHA-256 and its size. Pure. */

export interface LfsPointer {
  /** SHA-256 of the file, 64 hexadecimal digits. */
  readonly oid: string;
  readonly size: number;
}

/** The specification: a pointer has fewer than 1,024 bytes. */
export const pointerMaxBytes = 1_023;
/** Version, oid and a size of one digit. */
export const pointerMinBytes = 126;

const versions = ["https://git-lfs.github.com/spec/v1", "https://hawser.github.com/spec/v1"];

/** The pointer that these bytes are; undefined where they are a file's own. Keys of extensions are passed over. */
export function parsePointer(bytes: Uint8Array): LfsPointer | undefined {
  if (bytes.length < pointerMinBytes || bytes.length > pointerMaxBytes) return undefined;
  const lines = Buffer.from(bytes).toString("utf8").split("\n");
  const [first = "", ...rest] = lines;
  if (!versions.some((version) => first === `version ${version}`)) return undefined;
  const value = (key: string): string | undefined =>
    rest.find((line) => line.startsWith(`${key} `))?.slice(key.length + 1);
  const oid = /^sha256:([0-9a-f]{64})$/.exec(value("oid") ?? "")?.[1];
  const size = /^\d{1,15}$/.exec(value("size") ?? "")?.[0];
  return oid === undefined || size === undefined ? undefined : { oid, size: Number(size) };
}

export function pointerText({ oid, size }: LfsPointer): string {
  return `version ${versions[0]}\noid sha256:${oid}\nsize ${size}\n`;
}

export const isLfsOid = (text: string): boolean => /^[0-9a-f]{64}$/.test(text);
