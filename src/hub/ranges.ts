/** The part of a file that is asked for (RFC 9110 §14). Pure. */

/**
 * First and last byte; undefined: all of it, as of what is no range of bytes, or several; `beyond`: nothing of it is in the file. Of
 * `bytes=-0` nothing is.
 */
export function parseRange(
  asked: string | undefined,
  size: number,
): readonly [from: number, to: number] | "beyond" | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(asked?.trim() ?? "");
  if (match === null) return undefined;
  const [, first = "", last = ""] = match;
  if (first === "") {
    if (last === "") return undefined;
    const length = Math.min(Number(last), size);
    return length === 0 ? "beyond" : [size - length, size - 1];
  }
  const [from, to] = [Number(first), last === "" ? size - 1 : Number(last)];
  if (last !== "" && to < from) return undefined;
  return from >= size ? "beyond" : [from, Math.min(to, size - 1)];
}
