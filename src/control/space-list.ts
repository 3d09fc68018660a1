/** Which Spaces of a list are asked for: by words of their names and by owner. Pure. */
import type { SpaceRow } from "../catalog/spaces.ts";
import { isAskedName, namesAsked } from "./name-pages.ts";
import type { NamesAsked } from "./name-pages.ts";

export interface SpacesAsked extends NamesAsked {
  readonly limit: number;
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
  { page, search, author, of, needs }: Query,
  { own, limit }: { readonly own: readonly string[]; readonly limit: number },
): SpacesAsked | string {
  const named = namesAsked({ page, search });
  if (typeof named === "string") return named;
  if (of !== undefined && of !== "me" && of !== "others") return `"of" is me or others, and not "${of}".`;
  const mine = of === undefined ? null : { of: new Set(own), are: of === "me" };
  const owners = author === undefined ? mine : { of: new Set([author]), are: true };
  return { ...named, limit, owners, needy: needs === "1" };
}

export function isAsked(asked: SpacesAsked, { id, owner }: Pick<SpaceRow, "id" | "owner">): boolean {
  const { owners } = asked;
  return (owners === null || owners.of.has(owner) === owners.are) && isAskedName(asked, id);
}
