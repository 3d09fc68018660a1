/** Lists in the order of their names, by words that stand in those, a page at a time. Pure. */
import { pageToken, parsePageToken } from "../catalog/page.ts";

/** A page is some hundred kilobytes then; a platform of fewer has them all in one. */
export const namesMost = 1_000;
const searchMax = 200;

export interface NamesAsked {
  /** The last name of the page before; "" at the beginning. */
  readonly after: string;
  /** Each stands somewhere in the name. */
  readonly words: readonly string[];
}

/** A sentence where it cannot be asked so. */
export function namesAsked({
  page,
  search = "",
}: {
  readonly page: string | undefined;
  readonly search: string | undefined;
}): NamesAsked | string {
  const place = page === undefined ? { id: "" } : parsePageToken(page);
  if (place === undefined) return `"${page}" is no page of this list.`;
  if (search.length > searchMax) return `A search has at most ${searchMax} characters; this one has ${search.length}.`;
  return { after: place.id, words: search.toLowerCase().split(/\s+/) };
}

export function isAskedName({ after, words }: NamesAsked, name: string): boolean {
  return name > after && words.every((word) => name.includes(word));
}

/** The first of all that were found, and where the others begin. */
export function firstByName<Item>(
  found: readonly Item[],
  limit: number,
  nameOf: (item: Item) => string,
): { readonly items: readonly Item[]; readonly next: string | null } {
  const sorted = found.toSorted((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1));
  const items = sorted.slice(0, limit);
  const last = sorted.length > items.length ? items.at(-1) : undefined;
  return { items, next: last === undefined ? null : pageToken({ order: 0, id: nameOf(last) }) };
}
