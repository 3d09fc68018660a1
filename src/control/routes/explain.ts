/**
 * `GET /api/explain/ID` (any id, OWNER/NAME, a node's name); the page `/w/ID`, and `GET /api/works/ID`, by which the console draws it. Topology is shown
 * to the Space's owner and the operator.
 */
import { z } from "zod";
import { spaceOwner } from "../../contract/space.ts";
import type { ChainStep } from "../../evidence/chain.ts";
import type { Json } from "../../evidence/entry.ts";
import type { Explanation, Link, WorkTold } from "../../evidence/verdict.ts";
import { prefersHtml } from "../../http/index.ts";
import { isAddressAccount } from "../../identity/caller-address.ts";
import type { ApiContext, Route } from "../api.ts";
import { knownCaller, mayKnow, mayKnowOf, notFor, refuse } from "../api.ts";
import { askedId } from "../asked-id.ts";
import { keyOf } from "../../hub/repo-name.ts";
import { noWorkPage, pageHeaders, workPage } from "../pages.ts";
import type { Concerned, Explained } from "../explaining.ts";
import { refuseInput } from "../json-body.ts";
import type { Server } from "../server.ts";
import { moment } from "./audit.ts";
import { noSpace } from "./asked-space.ts";

/** Longer ones hold more than one look takes in, on any platform that is used. */
const spanMaxMs = 24 * 3_600_000;
const groupsDefault = 50;
const groupsMost = 200;
export const spanQuery = z.strictObject({
  from: moment.describe("The span's beginning, which is in it."),
  to: moment.optional().describe("Its end, which is not; now where it is not said."),
  space: z
    .string()
    .max(200)
    .regex(/^[^/]+\/[^/]+$/, "write OWNER/NAME")
    .optional()
    .describe("Of one Space."),
  page: z.coerce.number().int().min(0).max(1_000_000).default(0).describe("`next` of the page before."),
  limit: z.coerce.number().int().min(1).max(groupsMost).default(groupsDefault).describe("Groups of one page."),
});

export const explainRoute: Route = (api, server) => {
  api.get("/api/explain/:id", (c) => answer(c, server, c.req.param("id")));
  api.get("/api/explain/:owner/:name", (c) => answer(c, server, `${c.req.param("owner")}/${c.req.param("name")}`));
  // An entry, a slot, a repository of another kind, a discussion by its path.
  api.get("/api/explain/:name{.+/.+/.+}", (c) => answer(c, server, c.req.param("name")));
  api.get("/api/explain", (c) => answerSpan(c, server));
  api.get("/api/works/:id{.+}", async (c) => {
    const id = c.req.param("id");
    const explained = await told(c, server, id);
    if (!explained) return refuse(c, "control/not-found", await server.explainUnknown(id));
    // An id is a secret of some 80 bits; a name is none.
    if (isNamed(id) && !mayKnow(c, explained.owner, "write", spaceIn(id)))
      return refuseIt(c, explained.owner, spaceIn(id));
    return c.json(toldTo(c, explained), 200, { "cache-control": "no-store" });
  });
  api.get("/w/:id{.+}", async (c) => {
    const id = c.req.param("id");
    const explained = await told(c, server, id);
    if (!explained && prefersHtml(c.req.header("accept")))
      return new Response(noWorkPage(id), { status: 404, headers: pageHeaders });
    if (!explained) return refuse(c, "control/not-found", await server.explainUnknown(id));
    const details = mayKnow(c, explained.owner, "write");
    // An id is a secret of some 80 bits; the name of a Space is none.
    if (isNamed(id) && !details) return refuse(c, "identity/forbidden");
    return new Response(workPage(withinReach(c, explained), { details }), { headers: pageHeaders });
  });
};

/** All of it to whom it concerns, its caller without topology, and its verdict to whoever has its id. */
function toldTo(c: ApiContext, explained: Explained): WorkTold {
  const explanation = withinReach(c, explained);
  if (mayKnow(c, explained.owner, "write")) return { ...explanation, details: true };
  if (isCaller(c, explained) || isAnyones(explained)) return { ...withoutTopology(explanation), details: false };
  const { payer: _payer, verdict, ...rest } = explanation;
  const links = explanation.links.filter(isVisitors);
  const chain = chainOf(explanation, isVisitors);
  const told = { links, ...chain, entries: [], gaps: [], details: false };
  return { ...rest, verdict: verdict && { ...verdict, ...noProof }, ...told };
}

/** The ids of entries name who wrote them. */
const noProof = { facts: [], inferred: [], ruledOut: {}, ruledOutBecause: {} } as const;

/** A call and its request are the same visitor's; replicas and builds are the owner's. */
function isVisitors({ kind }: Pick<Link | ChainStep, "kind">): boolean {
  return kind === "call" || kind === "request";
}

async function answer(c: ApiContext, server: Server, id: string): Promise<Response> {
  const explained = await told(c, server, id);
  if (!explained) return refuse(c, "control/not-found", await server.explainUnknown(id));
  const explanation = withinReach(c, explained);
  const space = spaceIn(id);
  if (mayKnow(c, explained.owner, "write", space)) return c.json(explanation);
  return isCaller(c, explained) || isAnyones(explained)
    ? c.json(withoutTopology(explanation))
    : refuseIt(c, explained.owner, space);
}

/** What happened in `[from, to)`: of all for operators, for others what is their Spaces' and what they caused. */
async function answerSpan(c: ApiContext, server: Server): Promise<Response> {
  const caller = c.get("caller");
  if (!caller) return refuse(c, "identity/missing");
  if (!caller.grants("read", c.req.query("space"))) return notFor(c, "read");
  const asked = spanQuery.safeParse(c.req.query());
  if (!asked.success) return refuseInput(c, asked.error, "query");
  const { from, space, limit, page } = asked.data;
  const to = asked.data.to ?? server.clock.wall();
  const lengthMs = to - from;
  if (lengthMs <= 0)
    return refuse(c, "control/invalid", { detail: "The span ends before it begins: from is before to." });
  if (lengthMs > spanMaxMs)
    return refuse(c, "control/invalid", { detail: "A span is at most 24 hours long: ask for its parts one by one." });
  if (space !== undefined && isHidden(c, server, space)) return noSpace(c, space);
  if (space !== undefined && !mayKnow(c, spaceOwner(space), "write", space))
    return refuse(c, "identity/forbidden", { detail: `This belongs to ${spaceOwner(space)}.` });
  const isTold = (of: Concerned): boolean => mayKnow(c, of.owner, "write", of.space ?? undefined) || isCaller(c, of);
  const told = { from, to, space, limit, skip: page, isOperator: caller.admin, isTold };
  return c.json(await server.explainSpan(told));
}

/** Undefined also where the caller may not know that there is such a thing. */
async function told(c: ApiContext, server: Server, id: string): Promise<Explained | undefined> {
  if (isHidden(c, server, id)) return undefined;
  const explained = await server.explain(id);
  if (explained === undefined || !isGuessed(explained, id)) return explained;
  return mayKnow(c, explained.owner, "write") || isCaller(c, explained) ? explained : undefined;
}

/** It names a private repository of which the caller may not know, or none: the same work for both, so that its time tells nothing. */
function isHidden(c: ApiContext, server: Server, id: string): boolean {
  const asked = askedId(id);
  if (!("repo" in asked)) return false;
  const { repo } = asked;
  if (repo.kind === "spaces") {
    const row = server.spaces.get(repo.id);
    return row === undefined || !mayKnowOf(c, row);
  }
  const found = server.hub.repos.find(repo);
  return found === undefined || (found.private && !mayKnow(c, found.owner, "read", found.key));
}

/** Whoever asks may have counted through such names: they tell whom it does not concern nothing, not even that it is there. */
function isGuessed({ explanation }: Explained, id: string): boolean {
  return explanation.kind === "node" || askedId(id).of === "place";
}

/** A repository, or what belongs to one. */
function isNamed(id: string): boolean {
  return "repo" in askedId(id);
}

/** For the tokens that are for one Space. */
function spaceIn(id: string): string | undefined {
  const asked = askedId(id);
  return "repo" in asked ? keyOf(asked.repo) : undefined;
}

function refuseIt(c: ApiContext, owner: string | null, space: string | undefined): Response {
  const caller = c.get("caller");
  if (!caller) return refuse(c, "identity/missing");
  if (!caller.grants("read", space)) return notFor(c, "read");
  return refuse(c, "identity/forbidden", { detail: `This belongs to ${owner ?? "the platform"}.` });
}

/** Without the works of other owners' Spaces, as where a Space calls a Space: they are told to whom they concern. */
function withinReach(c: ApiContext, { explanation, owner, beside }: Explained): Explanation {
  const isTold = (id: Json | undefined): boolean => {
    const of = typeof id === "string" ? beside.get(id) : undefined;
    return of === undefined || of.owner === owner || mayKnow(c, of.owner, "write") || isCaller(c, of);
  };
  const isLinkTold = (link: Json | undefined): boolean => (Array.isArray(link) ? link.every(isTold) : isTold(link));
  const entries = explanation.entries.map((entry) => {
    if (isLinkTold(entry.facts["link"])) return entry;
    const { link: _link, callerReplica: _replica, ...facts } = entry.facts;
    return { ...entry, facts };
  });
  const chain = chainOf(explanation, ({ id }) => isTold(id));
  return { ...explanation, entries, links: explanation.links.filter(({ id }) => isTold(id)), ...chain };
}

/** One step alone is no chain. */
function chainOf({ chain = [] }: Explanation, isTold: (step: ChainStep) => boolean): Pick<Explanation, "chain"> {
  const told = chain.filter(isTold);
  return told.length > 1 ? { chain: told } : chain.length > 0 ? { chain: [] } : {};
}

/** What nobody with an account caused is told to whoever has its id. */
function isAnyones({ account }: Concerned): boolean {
  return account !== null && isAddressAccount(account);
}

function isCaller(c: ApiContext, { account }: Concerned): boolean {
  const caller = knownCaller(c);
  return caller !== null && caller.account === account;
}

/** What the one who called may see: everything but where in the platform it happened. */
function withoutTopology(explanation: Explanation): Explanation {
  const hidden = ["replica", "socket", "node", "connection", "channel", "slots", "lease", "leases", "pid"];
  const entries = explanation.entries.map((entry) => ({
    ...entry,
    facts: Object.fromEntries(Object.entries(entry.facts).filter(([name]) => !hidden.includes(name))),
  }));
  const { clocks: _clocks, ...rest } = explanation;
  // What the app reached, and the code that it is, are its owner's.
  const links = rest.links.filter(({ likely }) => likely === undefined);
  return { ...rest, entries, links, ...chainOf(explanation, isVisitors) };
}
