/** A list that the server gives in pages: the first, and more as somebody asks. */
import { useInfiniteQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import type { Page } from "../contract/api.ts";
import { ask } from "./api.ts";
import { Asked } from "./asked.tsx";
import { useSpoken } from "./words/words.tsx";
import ui from "./ui.module.css";

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
  const list = useInfiniteQuery({
    queryKey: [path, "pages"],
    queryFn: ({ pageParam, signal }) =>
      ask<Page<Item>>(
        pageParam === "" ? path : `${path}${path.includes("?") ? "&" : "?"}page=${encodeURIComponent(pageParam)}`,
        signal,
      ),
    initialPageParam: "",
    getNextPageParam: ({ next }: Page<Item>) => next,
    ...(everyMs !== undefined && { refetchInterval: everyMs }),
  });
  return (
    <Asked asked={list} what={what}>
      {({ pages }) => {
        const items = pages.flatMap((page) => page.items);
        return (
          <>
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
