/** Whether the system said one of these (`ENOENT`, …). */
export function isOneOf(error: unknown, codes: readonly string[]): boolean {
  return codes.includes(String((error as { code?: unknown }).code));
}

/** The disk has no room: as Node says it, and as a `GitFailure` does. */
export function isDiskFull(error: unknown): boolean {
  return isOneOf(error, ["ENOSPC", "EDQUOT", "git-disk-full"]);
}

/** As the system and git say so: `git fast-import` has words of its own. */
export const saysDiskFull = /No space left on device|Disk quota exceeded|Out of diskspace/i;
