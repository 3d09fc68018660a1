/** The answer to who may know of a gated repository and asks for its files without access. */
import { gateHeaders } from "../../../hub/gate.ts";
import { refuse, type ApiContext } from "../../api.ts";
import type { HubRepo } from "../../hub-repos.ts";
import type { Server } from "../../server.ts";

/** Undefined where the caller gets them. Never of DELETE: clients would take what they delete for gone. */
export async function noFiles(c: ApiContext, server: Server, repo: HubRepo): Promise<Response | undefined> {
  const gate = await server.gates.refuse(repo, c.get("caller"));
  return gate && refuse(c, gate.code, { detail: gate.says }, gateHeaders);
}
