/**
 * Names of people's own domains that lead to a Space: `/api/spaces/OWNER/NAME/domains`, for the owner and the operator, who alone may add
 * one without proof. `…/domains/changes` tells who changed which of them when.
 */
import { z } from "zod";
import type { Page } from "../../contract/api.ts";
import type { DomainChangeView, DomainView } from "../../contract/domains.ts";
import type { Route } from "../api.ts";
import { refuse, refuseAs } from "../api.ts";
import { jsonBody } from "../json-body.ts";
import { askedSpace } from "./asked-space.ts";

const nameMaxChars = 300;
const changesShown = 100;
export const domainBody = z.object({ name: z.string().max(nameMaxChars), withoutProof: z.boolean().optional() });

export const domainsRoute: Route = (api, server) => {
  api.get("/api/spaces/:owner/:name/domains", (c) => {
    const asked = askedSpace(c, server, "write");
    if (asked instanceof Response) return asked;
    return c.json({ items: server.domains.list(asked.space), next: null } satisfies Page<DomainView>);
  });
  api.post("/api/spaces/:owner/:name/domains", async (c) => {
    const asked = askedSpace(c, server, "write");
    if (asked instanceof Response) return asked;
    const body = await jsonBody(c, domainBody);
    if (body instanceof Response) return body;
    const { account, admin } = asked.caller;
    if (body.withoutProof === true && !admin)
      return refuse(c, "identity/forbidden", { detail: "Only an operator may add a domain without proof." });
    const made = server.effects.made ? server.domains.find(asked.space, body.name) : undefined;
    if (made !== undefined) return c.json(made);
    const answer = await server.domains.add(asked.space, body.name, {
      account,
      withoutProof: body.withoutProof === true,
    });
    return answer.ok ? c.json(answer.domain) : refuseAs(c, answer);
  });
  api.delete("/api/spaces/:owner/:name/domains/:domain", async (c) => {
    const asked = askedSpace(c, server, "write");
    if (asked instanceof Response) return asked;
    const { domain } = c.req.param();
    const isRemoved =
      server.effects.made !== undefined || (await server.domains.remove(asked.space, domain, asked.caller.account));
    if (!isRemoved) return refuse(c, "control/not-found", { detail: `${asked.space} has no domain ${domain}.` });
    return c.json({ items: server.domains.list(asked.space), next: null } satisfies Page<DomainView>);
  });
  api.get("/api/spaces/:owner/:name/domains/changes", async (c) => {
    const asked = askedSpace(c, server, "write");
    if (asked instanceof Response) return asked;
    const items = await server.domains.changes(asked.space, changesShown);
    return c.json({ items, next: null } satisfies Page<DomainChangeView>);
  });
};
