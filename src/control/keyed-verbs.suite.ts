/**
 * Every verb of the API's description that changes something: what it is asked, and what shows its effect. What is asked and is there
 * already has none; so each shows something else once it has happened, and something else again if it happened twice, or its record of the
 * journal is counted.
 */
import type { Incident } from "../evidence/incidents.ts";
import { terms } from "../core/ledger.suite.ts";
import { newId } from "../stdx/ids.ts";
import { commitBytes, type ControlWorld, replica } from "./control.suite.ts";
import type { IncidentParts } from "./incidents.ts";

/** Incidents in memory. */
export function memoryIncidents(): IncidentParts["record"] {
  const all = new Map<string, Incident>();
  return {
    openIncidents: async () => [...all.values()].filter(({ until }) => until === null),
    mutedSubjects: async () => [],
    putIncidents: async (changed) => changed.forEach((one) => all.set(one.id, one)),
    incidents: async (_before, limit) => [...all.values()].slice(0, limit),
    incident: async (id) => all.get(id) ?? null,
  };
}

export interface Verb {
  /** Of who asks: alice, whose Space `alice/demo` is there, where it is not said. */
  readonly who?: "alice" | "admin";
  /** What has to be there; resolves with the parts of the path that are not as in {@link parts}. */
  readonly before?: (world: ControlWorld) => Promise<unknown>;
  readonly path?: (world: ControlWorld) => Promise<Readonly<Record<string, string>>>;
  readonly query?: string;
  readonly body?: unknown;
  readonly shows: (world: ControlWorld) => unknown;
}

const parts: Readonly<Record<string, string>> = {
  ...{ kind: "spaces", owner: "alice", name: "demo", rev: "main" },
  ...{ account: "bob", index: "0" },
};

/** The address of a route of the description. */
export async function addressOf(route: string, { path, query = "" }: Verb, world: ControlWorld): Promise<string> {
  const own = { ...parts, ...(await path?.(world)) };
  return route.replace(/^\S+ /, "").replaceAll(/\{(\w+)\}/g, (_, name: string) => own[name] ?? "none") + query;
}

/* ── what shows an effect ───────────────────────────────────────────────── */

const spaceEvents = async ({ catalog }: ControlWorld): Promise<number> =>
  (await catalog.spaceEvents.list("alice/demo", { limit: 100 }))?.items.length ?? 0;
const changes = async ({ environments }: ControlWorld): Promise<number> =>
  (await environments.changes("alice/demo", 100)).length;
export const builds = async ({ catalog }: ControlWorld): Promise<number> =>
  (await catalog.builds.list("alice/demo", 100)).length;
const newestBuild = async ({ catalog }: ControlWorld): Promise<string> =>
  (await catalog.builds.list("alice/demo", 1))[0]?.id ?? "none";
const buildEvents = async (world: ControlWorld): Promise<number> =>
  (await world.catalog.builds.events(await newestBuild(world))).length;
/** Events of the ledger of this type. */
const recorded =
  (type: string) =>
  async ({ journal }: ControlWorld): Promise<number> =>
    (await journal.read(1, 1_000)).flatMap(({ events }) => events).filter((event) => event.type === type).length;
const tokensNamed =
  (account: string, name: string) =>
  async ({ catalog }: ControlWorld): Promise<number> =>
    (await catalog.tokens.list(account)).filter((token) => token.name === name && token.revokedAt === null).length;
const members = ({ server }: ControlWorld): unknown => server.organisations.members("team");
const webhooks = ({ catalog }: ControlWorld) => catalog.webhooks.of("alice");
const webhook = async (world: ControlWorld) => ({ id: webhooks(world)[0]?.id ?? "none" });
const deliveries = async (world: ControlWorld) =>
  (await world.catalog.deliveries.list((await webhook(world)).id, { limit: 20 }))?.items ?? [];
const oneIncident = async ({ server }: ControlWorld) => ({
  id: (await server.incidents?.list(null, 1))?.[0]?.id ?? "none",
});
const notes = async ({ server }: ControlWorld): Promise<number> =>
  (await server.incidents?.list(null, 1))?.[0]?.notes.length ?? 0;
const domains = async ({ catalog }: ControlWorld) => (await catalog.domains.all()).map(({ name }) => name);

/* ── what has to be there ───────────────────────────────────────────────── */

const named = (name: string) => async (): Promise<Readonly<Record<string, string>>> => ({ name });
const commitDemo = ({ commits }: ControlWorld): Promise<unknown> =>
  commits.commit({ owner: "alice", name: "demo", bytes: commitBytes({ "README.md": "1" }), author: "alice" });
const bob = ({ catalog, clock }: ControlWorld): Promise<unknown> =>
  catalog.accounts.create({ name: "bob", tier: "free", role: "user", createdAt: clock.wall() });
const team = async (world: ControlWorld): Promise<void> => {
  await bob(world);
  await world.server.organisations.create({ name: "team", tier: "free", admin: "alice", by: "admin" });
};
const teamOfBob = async (world: ControlWorld): Promise<void> => {
  await team(world);
  await world.server.organisations.add("team", { account: "bob", role: "read", by: "alice" });
};
const addWebhook = ({ server }: ControlWorld): Promise<unknown> =>
  server.webhooks.add({ url: "https://hooks.example/" }, { owner: "alice", by: "alice" });
const session = ({ sessions }: ControlWorld): Promise<unknown> =>
  sessions.make({ account: "alice", how: "password", address: null, agent: null });
const held = async ({ catalog }: ControlWorld): Promise<number> =>
  (await catalog.sessions.list("alice")).filter(({ endedAt }) => endedAt === null).length;
const node = async (world: ControlWorld): Promise<void> => {
  await world.node();
  await world.server.ledger.makePool("new", {});
};
const running = async (world: ControlWorld): Promise<void> => {
  await world.release("rel_1", 1);
  await world.node([replica("p_1", "ready")]);
};
const drained =
  (of: Parameters<ControlWorld["server"]["ledger"]["setDrain"]>[0]) =>
  async (world: ControlWorld): Promise<void> => {
    await node(world);
    await world.server.ledger.setDrain(of, { reason: "dust", by: "admin" });
  };

const incident = async ({ server }: ControlWorld): Promise<void> =>
  server.incidents?.see([
    {
      ...{ subject: "drain/main", boundary: "record", wrong: "drain", planned: true, says: "dust" },
      ...{ counts: null, behind: [], since: null },
    },
  ]);

/* ── the verbs ──────────────────────────────────────────────────────────── */

const admin = { who: "admin" } as const;

const ofAccounts: Readonly<Record<string, Verb>> = {
  "POST /api/accounts": {
    ...admin,
    body: { name: "carol" },
    shows: async ({ catalog }) => (await catalog.accounts.list()).map(({ name }) => name),
  },
  "PUT /api/accounts/{name}/storage": {
    ...admin,
    path: named("alice"),
    body: { maxBytes: 5 },
    shows: async ({ catalog }) => catalog.largeFiles.limit("alice"),
  },
  "PUT /api/accounts/{name}/password": {
    ...admin,
    path: named("alice"),
    body: { password: "a long way to Tipperary" },
    shows: async ({ catalog }) => (await catalog.passwords.get("alice"))?.hash,
  },
  "POST /api/accounts/{name}/sign-in": {
    ...admin,
    path: named("alice"),
    body: { provider: "acme", subject: "1" },
    shows: async ({ catalog }) => (await catalog.identities.list("alice")).length,
  },
  "DELETE /api/accounts/{name}/sign-in": {
    ...admin,
    before: ({ server }) => server.providers.link("alice", { provider: "acme", subject: "1", by: "admin" }),
    path: named("alice"),
    body: { provider: "acme" },
    shows: async ({ catalog }) => (await catalog.identities.list("alice")).length,
  },
  "PUT /api/accounts/{name}/pools": {
    ...admin,
    path: named("alice"),
    body: { pools: ["main"] },
    shows: recorded("route-set"),
  },
  "DELETE /api/accounts/{name}/pools": {
    ...admin,
    before: ({ server }) => server.ledger.setRoute({ kind: "account", account: "alice" }, { pools: ["main"] }),
    path: named("alice"),
    shows: recorded("route-set"),
  },
  "POST /api/organizations/{name}/members": {
    before: team,
    path: named("team"),
    body: { account: "bob", role: "read" },
    shows: members,
  },
  "PATCH /api/organizations/{name}/members/{account}": {
    before: teamOfBob,
    path: named("team"),
    body: { role: "write" },
    shows: members,
  },
  "DELETE /api/organizations/{name}/members/{account}": { before: teamOfBob, path: named("team"), shows: members },
  "POST /api/tokens": {
    ...admin,
    body: { account: "alice", name: "ci" },
    shows: tokensNamed("alice", "ci"),
  },
  "DELETE /api/tokens/{id}": {
    before: ({ catalog, clock, random }) =>
      catalog.tokens.create({
        ...{ id: newId("t", random), account: "alice", hash: "1", name: "ci", scopes: [] },
        ...{ createdAt: clock.wall(), expiresAt: null },
      }),
    path: async ({ catalog }) => ({
      id: (await catalog.tokens.list("alice")).find(({ name }) => name === "ci")?.id ?? "none",
    }),
    shows: tokensNamed("alice", "ci"),
  },
  "DELETE /api/sessions": { ...admin, before: session, query: "?account=alice", shows: held },
  "DELETE /api/sessions/{id}": {
    ...admin,
    before: session,
    path: async ({ catalog }) => ({ id: (await catalog.sessions.list("alice"))[0]?.id ?? "none" }),
    query: "?account=alice",
    shows: held,
  },
};

const ofSpaces: Readonly<Record<string, Verb>> = {
  "PATCH /api/spaces/{owner}/{name}/settings": {
    body: { replicas: "3" },
    shows: ({ spaces }) => spaces.get("alice/demo")?.settings,
  },
  "POST /api/spaces/{owner}/{name}/restart": { before: running, shows: spaceEvents },
  "POST /api/spaces/{owner}/{name}/pause": { shows: spaceEvents },
  "POST /api/spaces/{owner}/{name}/resume": {
    before: ({ spaces }) =>
      spaces.pause("alice/demo", { actor: { kind: "owner", account: "alice" }, by: "owner", why: null }),
    shows: spaceEvents,
  },
  "POST /api/spaces/{owner}/{name}/stop": { before: running, shows: spaceEvents },
  "POST /api/spaces/{owner}/{name}/rollback": {
    before: async (world) => {
      await world.release("rel_1", 1);
      await world.release("rel_2", 2);
    },
    body: { release: "rel_1" },
    shows: async (world) => [world.spaces.get("alice/demo")?.release, await spaceEvents(world)],
  },
  "POST /api/spaces/{owner}/{name}/sleeptime": {
    body: { seconds: 3_600 },
    shows: ({ spaces }) => spaces.get("alice/demo")?.settings,
  },
  "POST /api/spaces/{owner}/{name}/hardware": {
    body: { flavor: "cpu-basic" },
    shows: ({ spaces }) => spaces.get("alice/demo")?.settings,
  },
  "POST /api/spaces/{owner}/{name}/variables": { body: { key: "A", value: "1" }, shows: changes },
  "DELETE /api/spaces/{owner}/{name}/variables": {
    before: ({ environments }) =>
      environments.set(
        { kind: "variable", space: "alice/demo", name: "A" },
        { value: "1", description: null, account: "alice" },
      ),
    body: { key: "A" },
    shows: changes,
  },
  "POST /api/spaces/{owner}/{name}/secrets": { body: { key: "S", value: "1" }, shows: changes },
  "DELETE /api/spaces/{owner}/{name}/secrets": {
    before: ({ environments }) =>
      environments.set(
        { kind: "secret", space: "alice/demo", name: "S" },
        { value: "1", description: null, account: "alice" },
      ),
    body: { key: "S" },
    shows: changes,
  },
  "POST /api/spaces/{owner}/{name}/domains": { body: { name: "demo.example.com" }, shows: domains },
  "DELETE /api/spaces/{owner}/{name}/domains/{domain}": {
    before: (world) => world.domains.add("alice/demo", "demo.example.com", { account: "alice", withoutProof: false }),
    path: async () => ({ domain: "demo.example.com" }),
    shows: domains,
  },
  "PUT /api/spaces/{owner}/{name}/budget": { body: { limitMs: 60_000 }, shows: recorded("budget-set") },
  "PUT /api/spaces/{owner}/{name}/pools": { ...admin, body: { pools: ["main"] }, shows: recorded("route-set") },
  "DELETE /api/spaces/{owner}/{name}/pools": {
    ...admin,
    before: ({ server }) => server.ledger.setRoute({ kind: "space", space: "alice/demo" }, { pools: ["main"] }),
    shows: recorded("route-set"),
  },
  "PATCH /api/builds/{id}": {
    ...admin,
    before: commitDemo,
    path: async (world) => ({ id: await newestBuild(world) }),
    body: { priority: 5 },
    shows: buildEvents,
  },
  "POST /api/builds/{id}/cancel": {
    before: commitDemo,
    path: async (world) => ({ id: await newestBuild(world) }),
    shows: buildEvents,
  },
  "POST /api/builds/{id}/retry": {
    before: async (world) => {
      await commitDemo(world);
      await world.builds.cancel(await newestBuild(world), { kind: "owner", name: "alice" });
    },
    path: async (world) => ({ id: await newestBuild(world) }),
    shows: builds,
  },
};

const pool = { ...admin, path: named("main") } as const;
const n1 = { ...admin, path: named("n1") } as const;
const dust = { reason: "dust" };

const ofTheLedger: Readonly<Record<string, Verb>> = {
  "POST /api/calls/{id}/cancel": {
    before: async (world) => {
      await running(world);
      await world.engine.submit({ type: "schedule", terms: terms("c_1") });
    },
    path: async () => ({ id: "c_1" }),
    shows: recorded("visitor-left"),
  },
  "POST /api/quota/allowances": {
    ...admin,
    body: { account: "alice", reason: "a talk", kind: "credits", ms: 60_000 },
    shows: recorded("allowance-given"),
  },
  "POST /api/quota/allowances/{id}/revoke": {
    ...admin,
    before: ({ server }) =>
      server.ledger.allow({ account: "alice", reason: "a talk", kind: "credits", ms: 60_000 }, "admin"),
    path: async ({ server }) => ({ id: (await server.ledger.quota("alice"))?.allowances[0]?.id ?? "none" }),
    body: { account: "alice", reason: "over" },
    shows: recorded("allowance-revoked"),
  },
  "PATCH /api/tiers/{name}": { ...admin, path: named("free"), body: { runsMax: 7 }, shows: recorded("tier-set") },
  "PUT /api/pools/{name}": { ...admin, path: named("new"), body: { queueMax: 7 }, shows: recorded("pool-set") },
  "PATCH /api/pools/{name}": { ...pool, body: { queueMax: 7 }, shows: recorded("pool-set") },
  "PUT /api/pools/{name}/drain": { ...pool, body: dust, shows: recorded("drain-set") },
  "DELETE /api/pools/{name}/drain": {
    ...pool,
    before: drained({ kind: "pool", pool: "main" }),
    shows: recorded("drain-set"),
  },
  "POST /api/nodes/{name}/token": { ...admin, path: named("n2"), shows: tokensNamed("admin", "n2") },
  "PUT /api/nodes/{name}/drain": { ...n1, before: node, body: dust, shows: recorded("drain-set") },
  "DELETE /api/nodes/{name}/drain": {
    ...n1,
    before: drained({ kind: "node", node: "n1" }),
    shows: recorded("drain-set"),
  },
  "PUT /api/nodes/{name}/cards/{index}/drain": { ...n1, before: node, body: dust, shows: recorded("drain-set") },
  "DELETE /api/nodes/{name}/cards/{index}/drain": {
    ...n1,
    before: drained({ kind: "card", node: "n1", device: 0 }),
    shows: recorded("drain-set"),
  },
  "PUT /api/nodes/{name}/pool": { ...n1, before: node, body: { pool: "new" }, shows: recorded("card-pool-set") },
  "DELETE /api/nodes/{name}/pool": {
    ...n1,
    before: async (world) => {
      await node(world);
      await world.server.ledger.setCardPool({ node: "n1", device: null }, "new");
    },
    shows: recorded("card-pool-set"),
  },
  "PUT /api/nodes/{name}/cards/{index}/pool": {
    ...n1,
    before: node,
    body: { pool: "new" },
    shows: recorded("card-pool-set"),
  },
  "DELETE /api/nodes/{name}/cards/{index}/pool": {
    ...n1,
    before: async (world) => {
      await node(world);
      await world.server.ledger.setCardPool({ node: "n1", device: 0 }, "new");
    },
    shows: recorded("card-pool-set"),
  },
  "POST /api/keys/receipts/rotate": {
    ...admin,
    shows: async ({ server }) => (await server.receiptKeys()).keys.length,
  },
  "POST /api/keys/visitors/rotate": { ...admin, body: {}, shows: ({ server }) => server.visitorKeys.facts.length },
};

const ofIncidents: Readonly<Record<string, Verb>> = {
  "POST /api/incidents/{id}/notes": {
    ...admin,
    before: incident,
    path: oneIncident,
    body: { says: "dust" },
    shows: notes,
  },
  "POST /api/incidents/{id}/close": {
    ...admin,
    before: incident,
    path: oneIncident,
    body: { says: "dust" },
    shows: notes,
  },
};

const ofWebhooks: Readonly<Record<string, Verb>> = {
  "POST /api/webhooks": { body: { url: "https://hooks.example/" }, shows: (world) => webhooks(world).length },
  "PATCH /api/webhooks/{id}": {
    before: addWebhook,
    path: webhook,
    body: { description: "another" },
    shows: (world) => webhooks(world)[0]?.description,
  },
  "DELETE /api/webhooks/{id}": { before: addWebhook, path: webhook, shows: (world) => webhooks(world).length },
  "POST /api/webhooks/{id}/secret": {
    before: addWebhook,
    path: webhook,
    shows: (world) => [webhooks(world)[0]?.sealed, webhooks(world)[0]?.formerSealed],
  },
  "POST /api/webhooks/{id}/test": {
    before: addWebhook,
    path: webhook,
    shows: async (world) => (await deliveries(world)).length,
  },
};

export const verbs: Readonly<Record<string, Verb>> = {
  ...ofAccounts,
  ...ofSpaces,
  ...ofTheLedger,
  ...ofIncidents,
  ...ofWebhooks,
};

/** Those whose keys are told otherwise, and why. */
export const elsewhere: Readonly<Record<string, string>> = {
  "DELETE /api/tokens/current": "the token that asks is no more: whoever sends it again is nobody",
  "POST /api/gpu/quote": "it changes nothing",
  "POST /api/trials": "it changes nothing",
  "POST /api/spaces/{owner}/{name}/frame": "what it makes is good once",
  "POST /api/nodes/{name}/check": "it asks a node to look; twice is no more than once",
  "POST /api/hub/jobs": "a job is of one process; one that is under way is in the next one's way",
  "POST /api/backups": "a copy that did not come to its end is none, and its folder is refused",
  "POST /api/webhooks/{id}/deliveries/{delivery}/redeliver":
    "it is tried again under its id, and receivers tell by that",
};
