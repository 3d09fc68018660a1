/** What the status page says of a boundary's numbers: rates with what they are of, and whose the failures were. Pure. */
import type { BoundaryView, StatusView, SumsView } from "../../contract/status.ts";
import type { Verdict } from "../../evidence/verdict.ts";

export type Owner = Verdict["owner"];

const owners: readonly Owner[] = ["platform", "app", "visitor", "outside"];

export const stateGlyphs: Readonly<Record<BoundaryView["state"], string>> = {
  ok: "✓",
  slow: "◔",
  failing: "✕",
  unknown: "?",
};

export interface Rate {
  readonly works: number;
  readonly failed: number;
  /** Of all that ended; null where nothing did. */
  readonly share: number | null;
  /** Whose the failures were, most first. */
  readonly by: readonly { readonly owner: Owner; readonly count: number }[];
  /** By code, most first. */
  readonly codes: readonly { readonly code: string; readonly count: number }[];
}

export function rateOf({ works, failed, failedBy, codes }: SumsView): Rate {
  const by = Object.entries(failedBy).map(([name, count]) => ({
    owner: owners.find((owner) => owner === name) ?? ("unknown" as const),
    count,
  }));
  return {
    works,
    failed,
    share: works === 0 ? null : failed / works,
    by: most(by, ({ owner }) => owner),
    codes: most(
      Object.entries(codes).map(([code, count]) => ({ code, count })),
      ({ code }) => code,
    ),
  };
}

/** Without those that are none; those of the same number by name. */
function most<Item extends { readonly count: number }>(
  items: readonly Item[],
  name: (item: Item) => string,
): readonly Item[] {
  return items.filter(({ count }) => count > 0).toSorted((a, b) => b.count - a.count || name(a).localeCompare(name(b)));
}

/** From when on works are counted, where that is later than the sums of a day begin. */
export function countedFrom({ countedSince, boundaries = [] }: StatusView): string | null {
  const first = boundaries[0]?.day.from;
  if (countedSince === undefined || first === undefined) return null;
  return Date.parse(countedSince) > Date.parse(first) ? countedSince : null;
}

/** Those that are not as they should be: what fails first, then what is not known, then what is slow. */
export function troubled(boundaries: readonly BoundaryView[]): readonly BoundaryView[] {
  const order = ["failing", "unknown", "slow"] as const;
  return order.flatMap((state) => boundaries.filter((one) => one.state === state));
}
