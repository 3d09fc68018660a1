/** The reference of a pull request. Pure. */

export const pullRef = (num: number): string => `refs/pr/${num}`;

/** The number of the pull request whose reference that is; undefined of any other. */
export function pullOf(ref: string): number | undefined {
  const [, num] = /^refs\/pr\/([1-9]\d{0,8})$/.exec(ref) ?? [];
  return num === undefined ? undefined : Number(num);
}
