/** What accounts, organisations and Spaces may be called. */

/** Longer names are refused: one must fit a folder, a label of a host name with its neighbour, and a line of a table. */
const nameMaxLength = 64;

/** Lower-case letters, digits, `-`, `.`, `_`; a letter or digit at both ends; no `--` and no `..`. */
export function isName(name: string): boolean {
  return name.length <= nameMaxLength && /^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$/.test(name) && !/--|\.\./.test(name);
}
