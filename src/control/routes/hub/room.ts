/** The answer to one whose account is full, or where the disk is, before a byte of its files flows. */
import { problemOf } from "../../../http/index.ts";
import { problemResponse, type ApiContext } from "../../api.ts";
import type { Server } from "../../server.ts";

/** Undefined where there is room for so many bytes more. */
export async function noRoomFor(
  c: ApiContext,
  { xet }: Server,
  owner: string,
  bytes: number,
): Promise<Response | undefined> {
  const full = await xet?.storage.refuse(owner, bytes);
  if (full === undefined) return undefined;
  const problem = problemOf("route/too-large", { waybill: c.get("requestId"), detail: full.says });
  return problemResponse({ ...problem, status: full.status });
}
