/** Which Spaces of a list are asked for: by words of their names, by owner, and a page at a time. Pure. */
import { pageToken, parsePageToken } from "../catalog/page.ts";
import type { SpaceRow } from "../catalog/spaces.ts";

/** A page is some hundred kilobytes then; a platform of fewer Spaces has them all in one. */
export const spacesMost = 1_000;
const searchMax = 200;

export interface SpacesAsked {
  /** The last id of the page before; "" at the beginning. */
  readonly after: string;
  readonly limit: number;
  /** Each stands somewhere in the id. */
  readonly words: readonly string[];
  /** Of these accounts, or of all others. */
  readonly owners: { readonly of: ReadonlySet<string>; readonly are: boolean } | null;
  /** Only what waits for somebody: it went wrong and does not mend itself. */
  readonly needy: boolean;
}

export interface Query {
  readonly page: string | undefined;
  readonly search: string | undefined;
  readonly author: string | undefined;
  /** `me`, `others`. */
  readonly of: string | undefined;
  readonly needs: string | undefined;
}

/** `own`: the caller's accounts. A sentence where it cannot be asked so. */
export function spacesAsked(
  { page, search = "", author, of, needs }: Query,
  { own, limit }: { readonly own: readonly string[]; readonly limit: number },
): SpacesAsked | string {
  const place = page === undefined ? { id: "" } : parsePageToken(page);
  if (place === undefined) return `"${page}" is no page of this list.`;
  if (search.length > searchMax) return `A search has at most ${searchMax} characters; this one has ${search.length}.`;
  if (of !== undefined && of !== "me" && of !== "others") return `"of" is me or others, and not "${of}".`;
  const mine = of === undefined ? null : { of: new Set(own), are: of === "me" };
  return {
    after: place.id,
    limit,
    words: search.toLowerCase().split(/\s+/),
    owners: author === undefined ? mine : { of: new Set([author]), are: true },
    needy: needs === "1",
  };
}

export function isAsked({ after, words, owners }: SpacesAsked, { id, owner }: Pick<SpaceRow, "id" | "owner">): boolean {
  return (
    id > after && (owners === null || owners.of.has(owner) === owners.are) && words.every((word) => id.includes(word))
  );
}

export function nextAfter(id: string): string {
  return pageToken({ order: 0, id });
}
