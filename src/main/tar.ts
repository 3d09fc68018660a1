/** A tar archive of a few texts (POSIX.1-1988, ustar), as every `tar` reads it. */

export interface TarFile {
  /** At most 100 bytes. */
  readonly name: string;
  readonly text: string;
}

const blockBytes = 512;
const ownerReads = 0o600;

export function tarOf(files: readonly TarFile[], atMs: number): Buffer {
  const blocks = files.flatMap(({ name, text }) => {
    const body = Buffer.from(text);
    return [
      headerOf({ name, bytes: body.length, atMs }),
      body,
      Buffer.alloc((blockBytes - (body.length % blockBytes)) % blockBytes),
    ];
  });
  // Two empty blocks end it.
  return Buffer.concat([...blocks, Buffer.alloc(2 * blockBytes)]);
}

function headerOf({ name, bytes, atMs }: { name: string; bytes: number; atMs: number }): Buffer {
  const header = Buffer.alloc(blockBytes);
  const octal = (value: number, at: number, length: number): unknown =>
    header.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at, "latin1");
  header.write(name, 0, 100, "utf8");
  octal(ownerReads, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(bytes, 124, 12);
  octal(Math.floor(atMs / 1_000), 136, 12);
  header.write("        0", 148, "latin1"); // The sum counts its own place as blanks; a plain file.
  header.write("ustar\u000000", 257, "latin1");
  const sum = header.reduce((all, byte) => all + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return header;
}
