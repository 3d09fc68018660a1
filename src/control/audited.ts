/** Which writing routes leave which entry in the audit log: its action, what it is about, whose that is, and what was so before. */
import { spaceOwner } from "../contract/space.ts";
import { repoName, type RepoKind } from "../hub/repo-name.ts";
import type { Server } from "./server.ts";

/**
 * The Hub's paths of repositories of all kinds, as its routes are declared. The kinds are in a group: without one Hono finds a word of
 * them wherever in the path it stands, as in the name of a Space that is called `datasets`.
 */
export const anyRepo = "/api/:kind{(?:models|datasets|spaces)}/:owner/:name";

/** The parts of the path by their names; for a build also its Space's. */
export type PathParts = Readonly<Record<string, string>>;
/** As it was parsed; empty where there is none, or before it was read. */
export type AskedBody = Readonly<Record<string, unknown>>;

export interface Audited {
  /** As `space.pause`. */
  readonly action: string | ((path: PathParts) => string);
  /** As `space/alice/demo`. */
  target(path: PathParts, body: AskedBody): string;
  /** Null for what is the platform's. */
  owner(path: PathParts, body: AskedBody): string | null;
  /** What more the path says, where another table has to be asked. */
  known?(server: Server, path: PathParts): Promise<PathParts>;
  /** What is so before the change. Where it has a field of the body's, those that the body has are told. */
  was?(server: Server, path: PathParts): unknown;
  /** Which part of that the change is about. */
  pick?(was: unknown, body: AskedBody): unknown;
  /** Fields of the body that nobody is to read again. */
  readonly secret?: readonly string[];
}

const word = (value: unknown): string => (typeof value === "string" ? value : "");
const spaceOf = ({ owner, name }: PathParts): string => `${owner}/${name}`;
const platform = (): null => null;

const ofSpace = { target: (path: PathParts) => `space/${spaceOf(path)}`, owner: ({ owner = "" }: PathParts) => owner };
const ofPool = { target: ({ name }: PathParts) => `pool/${name}`, owner: platform };
const ofNode = { target: ({ name }: PathParts) => `node/${name}`, owner: platform };
const ofIncident = { target: ({ id }: PathParts) => `incident/${id}`, owner: platform };
const ofCard = { target: ({ name, index }: PathParts) => `node/${name}/card/${index}`, owner: platform };
const ofAccount = { target: ({ name }: PathParts) => `account/${name}`, owner: ({ name = "" }: PathParts) => name };
const ofMember = {
  target: ({ name, account }: PathParts) => `account/${name}/member/${account}`,
  owner: ({ name = "" }: PathParts) => name,
};
const ofNamedAccount = {
  target: (_path: PathParts, body: AskedBody) => `account/${word(body["account"])}`,
  owner: (_path: PathParts, body: AskedBody) => word(body["account"]) || null,
};
const ofSession = {
  target: ({ id }: PathParts, body: AskedBody) => `session/${id ?? word(body["session"])}`,
  owner: (_path: PathParts, body: AskedBody) => word(body["account"]) || null,
};
const ofBuild = {
  target: ({ id }: PathParts) => `build/${id}`,
  owner: ({ space }: PathParts) => (space === undefined ? null : spaceOwner(space)),
  known: async (server: Server, { id = "" }: PathParts): Promise<PathParts> => {
    const row = await server.catalog.builds.get(id);
    return row ? { space: row.space, priority: String(row.priority) } : {};
  },
};

/** What the audit log calls one of a kind. */
export const auditNouns: Readonly<Record<RepoKind, string>> = { models: "model", datasets: "dataset", spaces: "space" };
const nounOf = (kind: unknown): string => auditNouns[word(kind) as RepoKind] ?? "repo";
const ofKind = (what: string) => (path: PathParts) => `${nounOf(path["kind"])}.${what}`;
const ofRepo = {
  target: (path: PathParts) => `${nounOf(path["kind"])}/${spaceOf(path)}`,
  owner: ({ owner = "" }: PathParts) => owner,
};
const ofDiscussion = {
  target: (path: PathParts) => `${nounOf(path["kind"])}/${spaceOf(path)}/discussions/${path["num"]}`,
  owner: ({ owner = "" }: PathParts) => owner,
  secret: ["comment", "content"],
};
/** As the route notes it: whose it is stands in the body by many names. */
const ofNamedRepo = {
  target: (_path: PathParts, { kind, owner, name }: AskedBody) =>
    `${nounOf(kind)}/${word(owner)}/${word(name).replace(/^.*\//, "")}`,
  owner: (_path: PathParts, { owner }: AskedBody) => word(owner) || null,
  secret: ["secrets", "variables"],
};

/** An address may hold what proves who writes there: it is not kept. */
const ofWebhook = {
  target: ({ id }: PathParts) => `webhook/${id}`,
  owner: ({ owner }: PathParts) => owner ?? null,
  known: async (server: Server, { id = "" }: PathParts): Promise<PathParts> => {
    const row = server.webhooks.get(id);
    return row && row.owner !== null ? { owner: row.owner } : {};
  },
  secret: ["url"],
};

const roleOf = (server: Server, { name = "", account }: PathParts): unknown => {
  const found = server.organisations.members(name).find((member) => member.account === account);
  return found && { role: found.role };
};
const state = (server: Server, path: PathParts): unknown => {
  const row = server.spaces.get(spaceOf(path));
  return row && { state: row.state, release: row.release };
};
const settings = (server: Server, path: PathParts): unknown => server.spaces.get(spaceOf(path))?.settings;
const repoSettings = (server: Server, { kind = "", owner = "", name = "" }: PathParts): unknown => {
  const repo = server.hub.repos.find(repoName(kind as RepoKind, owner, name));
  return repo && { private: repo.private, gated: repo.gated };
};
const poolSettings = (server: Server, { name = "" }: PathParts): unknown => server.ledger.pool(name);
const routeOfSpace = (server: Server, path: PathParts): unknown =>
  server.ledger.route({ kind: "space", space: spaceOf(path) });
const routeOfAccount = (server: Server, { name = "" }: PathParts): unknown =>
  server.ledger.route({ kind: "account", account: name });

/** `METHOD path`, as the routes are declared. A writing route that is neither here nor in {@link changeless} fails a test. */
export const audited: Readonly<Record<string, Audited>> = {
  "POST /api/accounts": {
    ...{
      action: "account.create",
      target: (_path, { name }) => `account/${word(name)}`,
      owner: (_path, { name }) => word(name) || null,
    },
  },
  "POST /api/organizations/:name/members": { action: "member.add", ...ofAccount },
  "PATCH /api/organizations/:name/members/:account": { action: "member.role", ...ofMember, was: roleOf },
  "DELETE /api/organizations/:name/members/:account": { action: "member.remove", ...ofMember, was: roleOf },
  "PUT /api/accounts/:name/password": { action: "password.set", ...ofAccount, secret: ["password", "current"] },
  "POST /settings/password": { action: "password.set", ...ofNamedAccount, secret: ["password", "current"] },
  "POST /settings/sessions": { action: "session.end", ...ofSession },
  "POST /logout": { action: "session.end", ...ofSession },
  "DELETE /api/sessions": { action: "session.end", ...ofNamedAccount },
  "DELETE /api/sessions/:id": { action: "session.end", ...ofSession },
  "DELETE /api/tokens/:id": {
    ...{ action: "token.revoke", ...ofNamedAccount },
    target: ({ id }) => `token/${id}`,
  },
  "POST /api/accounts/:name/sign-in": { action: "account.link", ...ofAccount },
  "DELETE /api/accounts/:name/sign-in": { action: "account.unlink", ...ofAccount },
  "DELETE /api/tokens/current": { action: "token.revoke", ...ofNamedAccount },
  "POST /login/device": { action: "login.answer", ...ofNamedAccount },
  "POST /api/tokens": { action: "token.create", ...ofNamedAccount },
  "POST /api/repos/create": { action: "repo.create", ...ofNamedRepo },
  "DELETE /api/repos/delete": { action: "repo.delete", ...ofNamedRepo },
  "POST /api/repos/move": {
    ...{ action: "repo.move", owner: (_path, { owner }) => word(owner) || null },
    target: (_path, { kind, fromRepo }) => `${nounOf(kind)}/${word(fromRepo)}`,
  },
  [`PUT ${anyRepo}/settings`]: { action: ofKind("set"), ...ofRepo, was: repoSettings },
  // What people fill in is for those alone who decide.
  [`POST ${anyRepo}/user-access-request`]: { action: "access.ask", ...ofRepo, secret: ["fields"] },
  [`DELETE ${anyRepo}/user-access-request`]: { action: "access.withdraw", ...ofRepo },
  "POST /:owner/:name/ask-access": {
    ...{ action: "access.ask", owner: ofRepo.owner },
    target: (path) => ofRepo.target({ ...path, kind: "models" }),
  },
  "POST /datasets/:owner/:name/ask-access": {
    ...{ action: "access.ask", owner: ofRepo.owner },
    target: (path) => ofRepo.target({ ...path, kind: "datasets" }),
  },
  [`POST ${anyRepo}/user-access-request/handle`]: { action: "access.decide", ...ofRepo },
  [`POST ${anyRepo}/user-access-request/grant`]: { action: "access.grant", ...ofRepo },
  [`POST ${anyRepo}/duplicate`]: { action: ofKind("duplicate"), ...ofRepo, secret: ["secrets", "variables"] },
  [`POST ${anyRepo}/commit/:rev`]: { action: ofKind("commit"), ...ofRepo },
  [`POST ${anyRepo}/branch/:branch{.+}`]: { action: "branch.create", ...ofRepo },
  [`DELETE ${anyRepo}/branch/:branch{.+}`]: { action: "branch.delete", ...ofRepo },
  [`POST ${anyRepo}/tag/:rev{.+}`]: { action: "tag.create", ...ofRepo },
  [`DELETE ${anyRepo}/tag/:rev{.+}`]: { action: "tag.delete", ...ofRepo },
  [`POST ${anyRepo}/super-squash/:branch{.+}`]: { action: "branch.squash", ...ofRepo },
  // What people say is theirs to hide again, and not kept here.
  [`POST ${anyRepo}/discussions`]: { action: "discussion.create", ...ofRepo, secret: ["description"] },
  [`POST ${anyRepo}/discussions/:num/comment`]: { action: "discussion.comment", ...ofDiscussion },
  [`POST ${anyRepo}/discussions/:num/title`]: { action: "discussion.title", ...ofDiscussion },
  [`POST ${anyRepo}/discussions/:num/status`]: { action: "discussion.status", ...ofDiscussion },
  [`POST ${anyRepo}/discussions/:num/merge`]: { action: "discussion.merge", ...ofDiscussion },
  [`POST ${anyRepo}/discussions/:num/comment/:comment/edit`]: { action: "comment.edit", ...ofDiscussion },
  [`POST ${anyRepo}/discussions/:num/comment/:comment/hide`]: { action: "comment.hide", ...ofDiscussion },
  "PATCH /api/spaces/:owner/:name/settings": { action: "space.set", ...ofSpace, was: settings },
  "POST /api/spaces/:owner/:name/sleeptime": { action: "space.set", ...ofSpace, was: settings, pick: sleepAfter },
  "POST /api/spaces/:owner/:name/hardware": { action: "space.set", ...ofSpace, was: settings, pick: hardware },
  "POST /api/spaces/:owner/:name/restart": { action: "space.restart", ...ofSpace, was: state },
  "POST /api/spaces/:owner/:name/pause": { action: "space.pause", ...ofSpace, was: state },
  "POST /api/spaces/:owner/:name/resume": { action: "space.resume", ...ofSpace, was: state },
  "POST /api/spaces/:owner/:name/stop": { action: "space.stop", ...ofSpace, was: state },
  "POST /api/spaces/:owner/:name/rollback": { action: "space.rollback", ...ofSpace, was: state },
  "POST /api/spaces/:owner/:name/variables": {
    ...{ action: "variable.set", ...ofSpace },
    ...{ was: (server, path) => server.environments.variables(spaceOf(path)), pick: variable },
  },
  "DELETE /api/spaces/:owner/:name/variables": {
    ...{ action: "variable.unset", ...ofSpace },
    ...{ was: (server, path) => server.environments.variables(spaceOf(path)), pick: variable },
  },
  "POST /api/spaces/:owner/:name/secrets": { action: "secret.set", ...ofSpace, secret: ["value"] },
  "DELETE /api/spaces/:owner/:name/secrets": { action: "secret.unset", ...ofSpace },
  "POST /api/spaces/:owner/:name/domains": { action: "domain.add", ...ofSpace },
  "DELETE /api/spaces/:owner/:name/domains/:domain": {
    ...{ action: "domain.remove", ...ofSpace },
    was: (server, path) => server.domains.find(spaceOf(path), path["domain"] ?? ""),
  },
  "PUT /api/spaces/:owner/:name/budget": {
    ...{ action: "space.budget", ...ofSpace },
    was: (server, path) => server.ledger.budget(spaceOf(path)),
  },
  "PUT /api/spaces/:owner/:name/pools": { action: "space.pools", ...ofSpace, was: routeOfSpace },
  "DELETE /api/spaces/:owner/:name/pools": { action: "space.pools", ...ofSpace, was: routeOfSpace },
  "PUT /api/accounts/:name/pools": { action: "account.pools", ...ofAccount, was: routeOfAccount },
  "DELETE /api/accounts/:name/pools": { action: "account.pools", ...ofAccount, was: routeOfAccount },
  "POST /api/calls/:id/cancel": { action: "call.cancel", target: ({ id }) => `call/${id}`, owner: platform },
  "POST /api/builds/:id/cancel": { action: "build.cancel", ...ofBuild },
  "POST /api/builds/:id/retry": { action: "build.retry", ...ofBuild },
  "PATCH /api/builds/:id": {
    ...{ action: "build.priority", ...ofBuild },
    was: (_server, { priority }) => ({ priority: Number(priority) }),
  },
  "PATCH /api/pools/:name": { action: "pool.set", ...ofPool, was: poolSettings },
  "PUT /api/pools/:name": { action: "pool.set", ...ofPool, was: poolSettings },
  "PUT /api/pools/:name/drain": { action: "pool.drain", ...ofPool },
  "DELETE /api/pools/:name/drain": { action: "pool.undrain", ...ofPool },
  "POST /api/nodes/:name/token": { action: "node.token", ...ofNode },
  "POST /api/nodes/:name/check": { action: "node.check", ...ofNode },
  "PUT /api/nodes/:name/drain": { action: "node.drain", ...ofNode },
  "DELETE /api/nodes/:name/drain": { action: "node.undrain", ...ofNode },
  "PUT /api/nodes/:name/pool": { action: "node.pool", ...ofNode },
  "DELETE /api/nodes/:name/pool": { action: "node.pool", ...ofNode },
  "PUT /api/nodes/:name/cards/:index/drain": { action: "node.drain", ...ofCard },
  "DELETE /api/nodes/:name/cards/:index/drain": { action: "node.undrain", ...ofCard },
  "PUT /api/nodes/:name/cards/:index/pool": { action: "node.pool", ...ofCard },
  "DELETE /api/nodes/:name/cards/:index/pool": { action: "node.pool", ...ofCard },
  "PATCH /api/tiers/:name": {
    ...{ action: "tier.set", target: ({ name }) => `tier/${name}`, owner: platform },
    was: async (server, { name }) => (await server.ledger.tiers()).find((tier) => tier.name === name),
  },
  "POST /api/quota/allowances": { action: "quota.allow", ...ofNamedAccount },
  "POST /api/quota/allowances/:id/revoke": {
    ...{ action: "quota.revoke", ...ofNamedAccount },
    target: ({ id }) => `allowance/${id}`,
  },
  "POST /api/keys/visitors/rotate": {
    ...{ action: "key.rotate", target: () => "platform", owner: platform },
    was: ({ visitorKeys }) => ({ kid: visitorKeys.current.kid }),
  },
  "POST /api/keys/receipts/rotate": {
    ...{ action: "receipt.key.rotate", target: () => "platform", owner: platform },
    was: async (server) => ({ kid: (await server.receiptKeys()).keys.at(-1)?.kid }),
  },
  "PUT /api/accounts/:name/storage": {
    ...{ action: "account.storage", ...ofAccount },
    was: async (server, { name = "" }) => ({ maxBytes: (await server.catalog.largeFiles.limit(name)) ?? null }),
  },
  "POST /api/hub/jobs": { action: "hub.job", target: (_path, { kind }) => `hub/${word(kind)}`, owner: platform },
  "POST /api/incidents/:id/notes": { action: "incident.note", ...ofIncident },
  "POST /api/incidents/:id/close": { action: "incident.close", ...ofIncident },
  "POST /api/webhooks": {
    ...{ action: "webhook.add", secret: ["url"], owner: (_path, { owner }) => word(owner) || null },
    target: (_path, { webhook }) => `webhook/${word(webhook)}`,
  },
  "PATCH /api/webhooks/:id": {
    ...{ action: "webhook.set", ...ofWebhook },
    was: ({ webhooks }, { id = "" }) => {
      const row = webhooks.get(id);
      return row && { types: row.types, description: row.description, state: row.state };
    },
  },
  "DELETE /api/webhooks/:id": { action: "webhook.remove", ...ofWebhook },
  "POST /api/webhooks/:id/secret": { action: "webhook.rotate", ...ofWebhook },
  "POST /api/webhooks/:id/test": { action: "webhook.test", ...ofWebhook },
  "POST /api/webhooks/:id/deliveries/:delivery/redeliver": {
    ...{ action: "webhook.redeliver", ...ofWebhook },
    target: ({ id, delivery }) => `webhook/${id}/${delivery}`,
  },
  "POST /api/backups": { action: "platform.backup", target: () => "platform", owner: platform },
};

/** Writing by their method alone. */
export const changeless: readonly string[] = [
  "POST /api/gpu/quote",
  "POST /api/validate-yaml",
  `POST ${anyRepo}/paths-info/:rev`,
  `POST ${anyRepo}/preupload/:rev`,
  // What they make is in memory, or was made by the person's answer.
  "POST /oauth/device",
  "POST /oauth/token",
  "POST /api/spaces/:owner/:name/frame",
  "POST /api/trials",
];
/** Who changes something is known at their end alone, where they write their entry. */
export const ownEntries: readonly string[] = ["POST /login"];

function variable(was: unknown, { key }: AskedBody): unknown {
  const found = (was as Readonly<Record<string, { readonly value: string }>>)[word(key)];
  return found && { key, value: found.value };
}

function sleepAfter(was: unknown): unknown {
  return part(was, ["sleep-after"]);
}

function hardware(was: unknown): unknown {
  return part(was, ["hardware", "sleep-after"]);
}

/** The fields of `of` that are named. */
export function part(of: unknown, names: readonly string[]): unknown {
  if (typeof of !== "object" || of === null) return undefined;
  return Object.fromEntries(Object.entries(of).filter(([name]) => names.includes(name)));
}
