/** Lists of the Hub's API come in pages: the next one's address is in the field `Link` (RFC 8288), absolute, for the host that was asked. */
import type { ApiContext } from "../../api.ts";
import { originOf, wholeNumber } from "../../api.ts";

/** No list is longer. */
const skipMost = 999_999_999;

export interface PageWish {
  readonly skip: number;
  readonly limit: number;
}

/** What is asked for; `cursor` is how many entries are before it. */
export function pageOf(c: ApiContext, most: number): PageWish {
  return {
    skip: wholeNumber(c.req.query("cursor"), { min: 0, max: skipMost, otherwise: 0 }),
    limit: wholeNumber(c.req.query("limit"), { min: 1, max: most, otherwise: most }),
  };
}

/** The field for the page after this one; none where it is the last. `path`: where the list stays the same while others write. */
export function nextPage(
  c: ApiContext,
  { skip, limit }: PageWish,
  isLast: boolean,
  path = new URL(c.req.url).pathname,
): Record<string, string> {
  return linkTo(c, isLast ? undefined : String(skip + limit), path);
}

/** The field for the page that begins at `cursor`; none where there is no more. */
export function linkTo(c: ApiContext, cursor: string | undefined, path: string): Record<string, string> {
  if (cursor === undefined) return {};
  const query = new URLSearchParams(new URL(c.req.url).search);
  query.set("cursor", cursor);
  return { link: `<${originOf(c)}${path}?${query.toString()}>; rel="next"` };
}

/** A switch of a query: Python writes `True`. */
export function isSet(text: string | undefined): boolean {
  return text !== undefined && /^(true|1)$/i.test(text);
}
