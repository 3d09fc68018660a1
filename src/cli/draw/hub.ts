/** What accounts keep of large files, as a table. */
import type { StorageUsages } from "../../contract/hub-storage.ts";
import { sizeOf, type Paper } from "./paper.ts";
import { drawTable } from "./table.ts";

export function drawStorage(paper: Paper, { accounts }: StorageUsages): string {
  if (accounts.length === 0) return "Nothing large is kept.\n";
  return drawTable(
    paper,
    [
      { head: "ACCOUNT", cell: ({ account }) => account, drop: 0 },
      { head: "KEEPS", cell: ({ xetBytes, lfsBytes }) => sizeOf(xetBytes + lfsBytes), right: true, drop: 0 },
      { head: "BY XET", cell: ({ xetBytes }) => sizeOf(xetBytes), right: true, drop: 2 },
      { head: "BY LFS", cell: ({ lfsBytes }) => sizeOf(lfsBytes), right: true, drop: 2 },
      {
        ...{ head: "MAY KEEP", right: true, drop: 1 },
        cell: ({ maxBytes }) => (maxBytes === null ? "no limit" : sizeOf(maxBytes)),
      },
    ],
    accounts,
  );
}
