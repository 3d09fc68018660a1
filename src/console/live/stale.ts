/** Which answers are old once something changed. Pure: an answer is known by its path. */
import type { Change } from "../../contract/changes.ts";

export type IsOld = (path: string) => boolean;

/** What a change makes old; of a beginning all that was told by no event, or all there is. */
export function madeOldBy(change: Change): IsOld {
  switch (change.type) {
    case "begun":
      // Records of the ledger are told after it, if it goes on where its reader was; all else may have changed before.
      return change.all ? () => true : (path) => !isOfLedger(path);
    case "ledger": {
      const { calls, queue, quota } = change;
      return (path) =>
        (queue && isOfQueue(path)) ||
        (quota && path.startsWith("/api/quota")) ||
        (calls === null ? isOfCalls(path) : calls.some(({ id }) => isOfCall(path, id)));
    }
    case "spaces":
      return (path) =>
        isList(path) ||
        path === "/api/status" ||
        isAny(change.spaces, (space) => isOfSpace(path, space), isSomeSpaces(path));
    case "builds":
      return (path) => isList(path) || isAny(change.builds, (build) => isOfBuild(path, build), isSomeSpaces(path));
  }
}

function isAny<Item>(items: readonly Item[] | null, is: (item: Item) => boolean, otherwise: boolean): boolean {
  return items === null ? otherwise : items.some(is);
}

function isOfLedger(path: string): boolean {
  return isOfQueue(path) || isOfCalls(path) || path.startsWith("/api/quota");
}

function isOfQueue(path: string): boolean {
  return path.startsWith("/api/gpu/") || path.startsWith("/api/pools") || path === "/api/status";
}

/** Receipts are frozen. */
function isOfCalls(path: string): boolean {
  return path.startsWith("/api/calls") || path.startsWith("/api/works/c_");
}

function isOfCall(path: string, id: string): boolean {
  return path === "/api/calls" || path.startsWith("/api/calls?") || path === `/api/works/${id}`;
}

function isList(path: string): boolean {
  return path.startsWith("/api/spaces?");
}

function isSomeSpaces(path: string): boolean {
  return path.startsWith("/api/spaces/") || path.startsWith("/api/builds/");
}

function isOfSpace(path: string, space: string): boolean {
  return path === `/api/spaces/${space}` || path === `/api/spaces/${space}/releases`;
}

function isOfBuild(path: string, { id, space }: { readonly id: string; readonly space: string }): boolean {
  const isIts = path === `/api/builds/${id}` || path === `/api/works/${id}`;
  return isIts || isOfSpace(path, space) || path === `/api/spaces/${space}/builds`;
}
