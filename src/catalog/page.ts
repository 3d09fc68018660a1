/** Pages of a list, newest first. The token is opaque to callers: it names the last row that was given. */

export interface Page<Item> {
  readonly items: readonly Item[];
  /** Pass it back for the next page; null at the end. */
  readonly next: string | null;
}

/** What a page token holds: the place in the order, and the id that breaks a tie. */
export interface PagePlace {
  readonly order: number;
  readonly id: string;
}

/** A page never holds more, whatever is asked. */
export const pageMax = 200;

/** A longer token was never ours. */
const tokenMaxLength = 300;

export function pageToken({ order, id }: PagePlace): string {
  return Buffer.from(`${order} ${id}`).toString("base64url");
}

/** The place that a token names; undefined where it is not one of ours. */
export function parsePageToken(token: string): PagePlace | undefined {
  if (token.length > tokenMaxLength) return undefined;
  const match = /^(\d{1,15}) (\S+)$/.exec(Buffer.from(token, "base64url").toString());
  return match ? { order: Number(match[1]), id: match[2] as string } : undefined;
}

/** Makes a page of `rows`, which were read with one more than `limit` to see whether any follow. */
export function pageOf<Row, Item>(
  rows: readonly Row[],
  limit: number,
  place: (row: Row) => PagePlace,
  item: (row: Row) => Item,
): Page<Item> {
  const shown = rows.slice(0, limit);
  const last = rows.length > limit ? shown.at(-1) : undefined;
  return { items: shown.map(item), next: last === undefined ? null : pageToken(place(last)) };
}

/** A whole number of rows in `[1, pageMax]`. */
export function pageLimit(asked: number): number {
  return Math.max(1, Math.min(pageMax, Math.trunc(asked) || pageMax));
}
