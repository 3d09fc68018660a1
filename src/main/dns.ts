/** The DNS, asked about people's domains: the machine's own resolver, or the servers that the operator names. */
import { Resolver } from "node:dns/promises";
import type { DomainResolver } from "../control/domain-proof.ts";

/** Of one try; a name's own servers may be slow, and whoever added it waits. */
const tryMs = 2_500;
const tries = 2;

/** `servers`: `ADDRESS[:PORT]`; none: as the machine is set up. */
export function domainResolver(servers: readonly string[]): DomainResolver {
  const resolver = new Resolver({ timeout: tryMs, tries });
  if (servers.length > 0) resolver.setServers(servers);
  return {
    txt: async (name) => (await resolver.resolveTxt(name)).map((pieces) => pieces.join("")),
    cname: (name) => resolver.resolveCname(name),
  };
}
