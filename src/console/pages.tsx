/** A list that the server gives in pages: the first, and more as somebody asks. */
import { useInfiniteQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { ask } from "./api.ts";
import { Failure } from "./asked.tsx";
import { useSpoken } from "./words/words.tsx";
import ui from "./ui.module.css";

interface Page<Item> {
  readonly items: readonly Item[];
  readonly next: string | null;
}

/** `empty`: why nothing is there, and what fills it. */
export function Paged<Item>({
  path,
  empty,
  children,
}: {
  readonly path: string;
  readonly empty: ReactNode;
  readonly children: (items: readonly Item[]) => ReactNode;
}): ReactNode {
  const { words, format } = useSpoken();
  const list = useInfiniteQuery({
    queryKey: [path, "pages"],
    queryFn: ({ pageParam, signal }) =>
      ask<Page<Item>>(
        pageParam === "" ? path : `${path}${path.includes("?") ? "&" : "?"}page=${encodeURIComponent(pageParam)}`,
        signal,
      ),
    initialPageParam: "",
    getNextPageParam: ({ next }: Page<Item>) => next,
  });
  if (list.data === undefined)
    return list.error === null ? (
      <p className={ui["loading"]} role="status">
        {words.loading} …
      </p>
    ) : (
      <Failure error={list.error} again={() => void list.refetch()} />
    );
  const items = list.data.pages.flatMap((page) => page.items);
  return (
    <>
      {(list.error !== null || list.failureCount > 0) && (
        <p className={ui["stale"]} role="status">
          {words.stale(format.moment(list.dataUpdatedAt, Date.now()))}
        </p>
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
}
