/** The id of a Space, `OWNER/NAME`. */

/** Its owner's account. */
export function spaceOwner(space: string): string {
  return space.split("/")[0] ?? "";
}
