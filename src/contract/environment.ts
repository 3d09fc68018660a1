/** The names and sizes that a Space's variables and secrets may have. */

/** POSIX.1-2024 §8.1, less what no program's variables are called. */
const nameForm = /^[A-Za-z_][A-Za-z0-9_]*$/;
const nameMaxChars = 128;
/** Linux takes 128 KiB for one variable; half of it is more than any key. */
export const valueMaxBytes = 64 << 10;
/** Of all of one Space: with everything else, they fit into one frame of the contract whatever JSON makes of them. */
export const allMaxBytes = 128 << 10;
export const countMax = 200;

/** What the platform sets itself, and an app relies on. */
const reservedNames: readonly string[] = ["PATH", "HOME", "PORT", "SYSTEM", "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT"];
const reservedPrefixes: readonly string[] = ["SPACE_", "SPACES_ZERO_", "ZEROGPU_", "WAYBILL_"];

/** Why this cannot be a variable's or secret's name; undefined where it can. */
export function refuseName(name: string): string | undefined {
  if (!nameForm.test(name) || name.length > nameMaxChars)
    return `"${name.slice(0, nameMaxChars)}" cannot be a name: letters, digits and _, not beginning with a digit, at most ${nameMaxChars}.`;
  if (reservedNames.includes(name)) return `${name} is set by the platform; choose another name.`;
  const prefix = reservedPrefixes.find((one) => name.startsWith(one));
  return prefix && `Names that begin with ${prefix} are set by the platform; choose another name.`;
}

/** Why this cannot be a value; undefined where it can. */
export function refuseValue(value: string): string | undefined {
  if (value.includes("\0")) return "A value cannot hold a NUL: no program's environment does.";
  if (sizeOf(value) > valueMaxBytes) return `A value may have ${valueMaxBytes >> 10} KiB.`;
  return undefined;
}

/** Bytes of UTF-8. */
export function sizeOf(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const point = character.codePointAt(0) as number;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x1_0000 ? 3 : 4;
  }
  return bytes;
}
