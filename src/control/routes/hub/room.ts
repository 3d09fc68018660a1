/** The answer to one whose account is full, or where the disk is, before a byte of its files flows. */
import { refuse, type ApiContext } from "../../api.ts";
import type { Participant } from "../../discussion-rules.ts";
import type { HubRepo } from "../../hub-repos.ts";
import type { Server } from "../../server.ts";

/** Of whom it counts what they bring: of the repository's owner only from one who may write. */
export function roomOwner({ owner }: Pick<HubRepo, "owner">, { account, mayWrite }: Participant): string {
  return mayWrite ? owner : account;
}

/** Undefined where there is room for so many bytes more. */
export async function noRoomFor(
  c: ApiContext,
  { xet }: Server,
  owner: string,
  bytes: number,
): Promise<Response | undefined> {
  const full = await xet?.storage.refuse(owner, bytes);
  return full && refuse(c, "route/too-large", { detail: full.says, status: full.status });
}
