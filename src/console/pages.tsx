/** A list that the server gives in pages: the first, and more as somebody asks. Those that were left behind are let go, and come again. */
import { useInfiniteQuery } from "@tanstack/react-query";
import { useRef } from "react";
import type { ReactNode } from "react";
import type { Page } from "../contract/api.ts";
import { ask } from "./api.ts";
import { Asked } from "./asked.tsx";
import { useSpoken } from "./words/words.tsx";
import ui from "./ui.module.css";

/** Of 50 each: no list has more than 200 rows in the document, and one that is asked for again by itself asks for as few. */
const pagesMost = 4;
/** A search looks through some thousand at a time, and gives a page without anything where it found nothing there. */
const looksMost = 50;

/** `what`: a few words for what is waited for. `empty`: why nothing is there, and what fills it. `everyMs`: asks again by itself, while it is looked at. */
export function Paged<Item>({
  path,
  what,
  empty,
  everyMs,
  children,
}: {
  readonly path: string;
  readonly what: string;
  readonly empty: ReactNode;
  readonly everyMs?: number | undefined;
  readonly children: (items: readonly Item[]) => ReactNode;
}): ReactNode {
  const { words } = useSpoken();
  /** The page before each that was seen, by what they are asked for. */
  const before = useRef(new Map<string, string>());
  const list = useInfiniteQuery({
    queryKey: [path, "pages"],
    queryFn: ({ pageParam, signal }) => pageFrom<Item>(path, pageParam, signal),
    initialPageParam: "",
    maxPages: pagesMost,
    getNextPageParam: ({ next }: Page<Item>, _, page) => {
      if (next !== null) comesAfter(before.current, page, next);
      return next;
    },
    getPreviousPageParam: (_first, _pages, page: string) => before.current.get(page),
    ...(everyMs !== undefined && { refetchInterval: everyMs }),
  });
  return (
    <Asked asked={list} what={what}>
      {({ pages }) => {
        const items = pages.flatMap((page) => page.items);
        return (
          <>
            {list.hasPreviousPage && (
              <button
                type="button"
                className={ui["button"]}
                disabled={list.isFetchingPreviousPage}
                onClick={() => void list.fetchPreviousPage()}
              >
                {words.before}
              </button>
            )}
            {items.length === 0 && !list.hasNextPage ? <div className={ui["panel"]}>{empty}</div> : children(items)}
            {list.hasNextPage && (
              <button
                type="button"
                className={ui["button"]}
                disabled={list.isFetchingNextPage}
                onClick={() => void list.fetchNextPage()}
              >
                {words.more}
              </button>
            )}
          </>
        );
      }}
    </Asked>
  );
}

/** The first page from there on that has something, or what was looked through until then. */
async function pageFrom<Item>(path: string, from: string, signal: AbortSignal): Promise<Page<Item>> {
  let page: Page<Item> = { items: [], next: from };
  for (let looks = 0; looks < looksMost && page.items.length === 0 && page.next !== null; looks += 1) {
    const query = page.next === "" ? "" : `${path.includes("?") ? "&" : "?"}page=${encodeURIComponent(page.next)}`;
    page = await ask<Page<Item>>(path + query, signal);
  }
  return page;
}

/** A page that is asked for again may have another after it: the one before is nobody's then. */
function comesAfter(before: Map<string, string>, page: string, next: string): void {
  if (before.get(next) === page) return;
  for (const [one, of] of before) if (of === page) before.delete(one);
  before.set(next, page);
}
