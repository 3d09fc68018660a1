/** Who may do what to whose: each route with each relation to what its path names, from one table without a hole. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Problem } from "../contract/problem.ts";
import type { CreatedToken, Page, WhoAmI } from "../contract/api.ts";
import type { MemberView, TokenView } from "../contract/identity.ts";
import type { Scope } from "../identity/token-resolver.ts";
import { accessTokenHash, newAccessToken } from "../identity/access-token.ts";
import { instant, iso } from "../stdx/time.ts";
import { createChecked } from "./described/checked.suite.ts";
import { anyRepo } from "./audited.ts";
import { commitBytes, ControlWorld, replica } from "./control.suite.ts";
import type { Access, Operation } from "./described/operation.ts";
import { operations } from "./described/operations.ts";

/** Of what is described as a part of our own API: what is said there. */
const described = Object.fromEntries(
  Object.entries(operations)
    .filter(([route]) => route !== "DELETE /api/tokens/current")
    .map(([route, { access }]) => [route, access]),
);

/** Each route that there is. */
const needs: Readonly<Record<string, Access>> = {
  ...described,
  "GET /": "open",
  "GET /spaces/:owner/:name": "open",
  "GET /w/:id{.+}": "open",
  "GET /login": "open",
  // The console's program and its one page, which says nothing: what it shows it asks the API for.
  "GET /console/:file": "open",
  "GET /docs": "open",
  "GET /docs/:path{.+}": "open",
  "GET /admin": "open",
  "GET /admin/:part": "open",
  "GET /gpu": "open",
  "GET /me": "open",
  "GET /o/:name": "open",
  "GET /spaces/:owner/:name/:tab{builds|logs|requests|calls|files|settings}": "open",
  "GET /status": "open",
  "GET /verify": "open",
  "GET /login/kept": "open",
  "POST /login": "open",
  "POST /logout": "account",
  // Of nobody it asks to sign in, by leading there.
  "GET /settings": "open",
  "POST /settings/password": "account",
  "POST /settings/sessions": "account",
  "GET /.waybill/sign-in": "open",
  "GET /.waybill/enter": "open",
  "GET /.waybill/sign-out": "open",
  "GET /.waybill/frame": "open",
  "GET /hand-over": "open",
  "GET /metrics": "operator",
  "GET /checkpoint": "open",
  "GET /tile/:level{[0-9]+}/:index{.+}": "open",
  "GET /api/explain/:name{.+/.+/.+}": "open",
  "POST /api/repos/create": "account",
  "DELETE /api/repos/delete": "account",
  "POST /api/repos/move": "account",
  "GET /api/settings/repositories": "account",
  "POST /api/validate-yaml": "open",
  "GET /api/models": "open",
  "GET /api/datasets": "open",
  "GET /api/spaces/templates": "open",
  "GET /api/spaces/semantic-search": "open",
  "GET /api/:kind{(?:models|datasets)}/:owner/:name": "open",
  [`GET ${anyRepo}/revision/:rev`]: "open",
  [`GET ${anyRepo}/tree/:rev`]: "open",
  [`GET ${anyRepo}/tree/:rev/:path{.+}`]: "open",
  [`POST ${anyRepo}/paths-info/:rev`]: "open",
  [`GET ${anyRepo}/xet-read-token/:revision{.+}`]: "open",
  [`GET ${anyRepo}/xet-write-token/:revision{.+}`]: "write",
  [`GET ${anyRepo}/refs`]: "open",
  [`GET ${anyRepo}/commits/:rev{.+}`]: "open",
  [`GET ${anyRepo}/auth-check`]: "open",
  [`GET ${anyRepo}/auth-check/write`]: "write",
  [`PUT ${anyRepo}/settings`]: "write",
  [`GET ${anyRepo}/user-access-request`]: "open",
  [`POST ${anyRepo}/user-access-request`]: "account",
  [`DELETE ${anyRepo}/user-access-request`]: "account",
  [`GET ${anyRepo}/user-access-request/:status{(?:pending|accepted|rejected)}`]: "write",
  [`POST ${anyRepo}/user-access-request/handle`]: "write",
  [`POST ${anyRepo}/user-access-request/grant`]: "write",
  "GET /:owner/:name": "open",
  "GET /datasets/:owner/:name": "open",
  "POST /:owner/:name/ask-access": "account",
  "POST /datasets/:owner/:name/ask-access": "account",
  // Of whom the copy is to be is in the body.
  [`POST ${anyRepo}/duplicate`]: "account",
  [`POST ${anyRepo}/preupload/:rev`]: "write",
  [`POST ${anyRepo}/commit/:rev`]: "write",
  [`POST ${anyRepo}/branch/:branch{.+}`]: "write",
  [`DELETE ${anyRepo}/branch/:branch{.+}`]: "write",
  [`POST ${anyRepo}/tag/:rev{.+}`]: "write",
  [`DELETE ${anyRepo}/tag/:rev{.+}`]: "write",
  [`POST ${anyRepo}/super-squash/:branch{.+}`]: "write",
  [`GET ${anyRepo}/discussions`]: "open",
  [`GET ${anyRepo}/discussions/:num`]: "open",
  [`POST ${anyRepo}/discussions`]: "account",
  [`POST ${anyRepo}/discussions/:num/comment`]: "account",
  [`POST ${anyRepo}/discussions/:num/title`]: "account",
  [`POST ${anyRepo}/discussions/:num/status`]: "account",
  [`POST ${anyRepo}/discussions/:num/merge`]: "write",
  [`POST ${anyRepo}/discussions/:num/comment/:comment/edit`]: "account",
  [`POST ${anyRepo}/discussions/:num/comment/:comment/hide`]: "account",
  "GET /login/with/:provider": "open",
  "GET /login/from/:provider": "open",
  "POST /oauth/device": "open",
  "POST /oauth/token": "open",
  "GET /login/device": "account",
  "POST /login/device": "account",
  // The last one: it ends the token by which the others are asked.
  "DELETE /api/tokens/current": operations["DELETE /api/tokens/current"].access,
};

/** To acme and its Space demo; the maker is a contributor who made it. */
const relations = ["nobody", "other", "read", "contributor", "maker", "write", "admin", "operator"] as const;
type Relation = (typeof relations)[number];

const goesOn: Readonly<Record<Access, readonly Relation[]>> = {
  open: relations,
  account: relations.filter((relation) => relation !== "nobody"),
  read: ["read", "contributor", "maker", "write", "admin", "operator"],
  write: ["maker", "write", "admin", "operator"],
  admin: ["admin", "operator"],
  operator: ["operator"],
};
/** What belongs to no one Space is not the maker's either. */
const ofSpace = (path: string): boolean => /:owner|builds\/:id/.test(path);

/** A request of the route, about acme. */
function lineOf(route: string, build: string): string {
  const isAccount = route.includes("/accounts/") || route.includes("/organizations/");
  return route
    .replace(/:(kind|rev|branch|path|status)\{.+?\}(?=\/|$)/g, ":$1")
    .replace(":kind", "spaces")
    .replace(":rev", "main")
    .replace(":status", "pending")
    .replace(":path", "folder")
    .replace(":owner", "acme")
    .replace(":name", isAccount ? "acme" : route.includes(":owner") ? "demo" : "n1")
    .replace(":account", "ghost")
    .replace(":branch", "main")
    .replace(":index", "0")
    .replace(":domain", "app.example.org")
    .replace(":id", route.includes("/builds/") ? build : "c_00");
}

const scopes: readonly Scope[] = ["read", "write", "gpu", "admin"];

async function open() {
  const world = await ControlWorld.open();
  const now = world.clock.wall();
  for (const name of ["other", "reader", "contributor", "maker", "writer", "chief"])
    await world.catalog.accounts.create({ name, tier: "free", role: "user", createdAt: now });
  const { organisations } = world.server;
  assert.deepEqual(await organisations.create({ name: "acme", tier: "pro", admin: "chief", by: "admin" }), {
    ok: true,
  });
  for (const [account, role] of [
    ["reader", "read"],
    ["contributor", "contributor"],
    ["maker", "contributor"],
    ["writer", "write"],
  ] as const)
    // prettier-ignore
    assert.deepEqual(await organisations.add("acme", { account, role, by: "chief" }), { ok: true });
  await world.spaces.ensure("acme", "demo", "maker");
  const release = await world.release("rel_1", 1, "acme/demo");
  await world.node([replica("p_1", "ready", { space: "acme/demo" })]);
  const accounts: Readonly<Record<Relation, string | null>> = {
    ...{ nobody: null, other: "other", read: "reader", contributor: "contributor" },
    ...{ maker: "maker", write: "writer", admin: "chief", operator: "admin" },
  };
  const tokens = new Map<string, string>();
  for (const account of Object.values(accounts))
    if (account !== null) tokens.set(account, await world.token(account, scopes));
  const app = createChecked(world.server);
  const ask = async (line: string, account: string | null, body?: unknown): Promise<Response> => {
    const [method = "", path = ""] = line.split(" ");
    const bytes = body instanceof Uint8Array ? Buffer.from(body) : JSON.stringify(body);
    return app.request(path, {
      method,
      headers: account === null ? {} : { authorization: `Bearer ${tokens.get(account)}` },
      ...(body === undefined ? {} : { body: bytes }),
    });
  };
  return { world, app, ask, accounts, build: release.build };
}

describe("what an account may do", () => {
  test("the table has each route once", async () => {
    const { world, app } = await open();
    await using _ = world;
    const routes = app.routes.filter(({ path }) => path !== "/*").map(({ method, path }) => `${method} ${path}`);
    assert.deepEqual([...new Set(routes)].toSorted(), Object.keys(needs).toSorted());
  });

  test("a body that makes no sense is refused in the words of the schema that the route is described by", async () => {
    const { world, ask, build } = await open();
    await using _ = world;
    const nonsense = { nothing: "of sense" };
    for (const [route, { body: schema }] of Object.entries<Operation>(operations)) {
      if (schema === undefined) continue;
      const line = lineOf(route, build).replace("/tiers/n1", "/tiers/free");
      const told = (await (await ask(line, "admin", nonsense)).json()) as Problem;
      const issues = schema.safeParse(nonsense).error?.issues;
      const errors = issues?.map(({ path, message }) => ({ where: path.join(".") || "body", message }));
      assert.deepEqual([route, told.errors], [route, errors]);
    }
  });

  for (const relation of relations) {
    test(`${relation}: each route goes on or refuses as the table says`, async () => {
      const { world, ask, accounts, build } = await open();
      await using _ = world;
      const wrong: string[] = [];
      for (const [route, need] of Object.entries(needs)) {
        const line = lineOf(route, build);
        // A body that is read and is never right: nothing is changed, and whoever may is told so.
        const body = /^(GET|DELETE)/.test(route) ? undefined : { nothing: "of sense" };
        const response = await ask(line, accounts[relation], body);
        await response.body?.cancel();
        const may = goesOn[need].includes(relation) && (relation !== "maker" || need !== "write" || ofSpace(route));
        const isRefused = response.status === 401 || response.status === 403;
        const expected = relation === "nobody" ? 401 : 403;
        if (may === isRefused || (isRefused && response.status !== expected))
          wrong.push(`${route}: ${response.status}`);
      }
      assert.deepEqual(wrong, []);
    });
  }

  const ofOneSpace = Object.keys(needs).filter((route) => route.includes(":owner"));
  const body = (route: string): object | undefined =>
    /^(GET|DELETE)/.test(route) ? undefined : { nothing: "of sense" };

  for (const relation of relations) {
    const reads = goesOn.read.includes(relation);
    test(`${relation}: each route of a private Space answers ${reads ? "as that of a public one" : "as that of one that is not there"}`, async () => {
      const { world, ask, accounts, build } = await open();
      await using _ = world;
      const answers = async (name: string) => {
        const all = new Map<string, string>();
        for (const route of ofOneSpace) {
          const line = lineOf(route, build).replace("acme/demo", `acme/${name}`);
          const response = await ask(line, accounts[relation], body(route));
          const text = (await textOf(response)).replaceAll(name, "NAME").replaceAll(/q_[0-9a-z]+/g, "q_");
          all.set(route, reads ? String(response.status) : `${response.status} ${text}`);
        }
        return all;
      };
      const open_ = await answers("demo");
      assert.deepEqual(
        await world.server.spaces
          .set("acme/demo", { private: true })
          .then((made) => made && "private" in made && made.private),
        true,
      );
      assert.deepEqual(await answers("demo"), reads ? open_ : await answers("unmade"));
      const told: string[] = [];
      for (const [route, need] of Object.entries(needs)) {
        if (!goesOn[need].includes(relation) || !route.startsWith("GET ") || route.includes(":owner")) continue;
        const line = route === "GET /api/hosts" ? `${route}?domain=acme-demo.localhost` : lineOf(route, build);
        const response = await ask(line, accounts[relation]);
        const says = (await textOf(response)).replace(/"host":"[^"]*"/, "");
        if (/acme[/-]demo/.test(says)) told.push(route);
      }
      // Whoever may change it reads there that they did.
      const lists = ["GET /", "GET /api/hosts", "GET /api/spaces", "GET /api/spaces/semantic-search"];
      if (goesOn.write.includes(relation)) lists.push("GET /api/audit");
      const ids = told.filter((route) => !route.includes(":id"));
      assert.deepEqual(ids.toSorted(), reads ? lists.toSorted() : []);
    });
  }

  test("a private Space is read by a token that may read, or that is for it, and by no other of the same account", async () => {
    const { world, app } = await open();
    await using _ = world;
    await world.spaces.ensure("acme", "second", "writer");
    await world.server.spaces.set("acme/demo", { private: true });
    const status = async (token: string) =>
      (await app.request("/api/spaces/acme/demo", { headers: { authorization: `Bearer ${token}` } })).status;
    const found: Record<string, number> = {};
    for (const given of [[], ["read"], ["write"], ["gpu"], ["write", "gpu"]] as const)
      found[given.join(" ")] = await status(await world.token("reader", given));
    const chief = { authorization: `Bearer ${await world.token("chief", scopes)}` };
    for (const space of ["acme/demo", "acme/second"]) {
      const wish = JSON.stringify({ spaces: [{ space, right: "read" }] });
      const made = await app.request("/api/tokens", { method: "POST", headers: chief, body: wish });
      found[space] = await status(((await made.json()) as CreatedToken).token);
    }
    assert.deepEqual(found, {
      ...{ "": 404, read: 200, write: 404, gpu: 404, "write gpu": 404 },
      ...{ "acme/demo": 200, "acme/second": 404 },
    });
  });

  test("a Space is made private by the Hub's form before anything is pushed to it, and made public again", async () => {
    const { world, ask } = await open();
    await using _ = world;
    const make = (account: string, wish: object) =>
      ask("POST /api/repos/create", account, { type: "space", sdk: "gradio", ...wish });
    const made = await make("writer", { name: "new", organization: "acme", private: true });
    assert.deepEqual(
      [made.status, await made.json()],
      [200, { url: "http://localhost/spaces/acme/new", name: "acme/new", id: "acme/new" }],
    );
    const again = await make("writer", { name: "new", organization: "acme" });
    assert.deepEqual(
      [again.status, ((await again.json()) as { url: string }).url],
      [409, "http://localhost/spaces/acme/new"],
    );
    assert.equal((await make("reader", { name: "newer", organization: "acme" })).status, 403);
    assert.equal((await make("other", { name: "own", visibility: "private" })).status, 200);
    assert.equal((await make("other", { name: "bucket", type: "bucket" })).status, 400);
    assert.deepEqual(
      ["acme/new", "other/own"].map((id) => world.spaces.get(id)?.settings.private),
      [true, true],
    );
    const shown = async (account: string) => {
      const response = await ask("GET /api/spaces/acme/new", account);
      return response.status === 200 ? ((await response.json()) as { private: boolean }).private : response.status;
    };
    assert.deepEqual([await shown("reader"), await shown("other")], [true, 404]);
    const put = (change: object) => ask("PUT /api/spaces/acme/new/settings", "writer", change);
    assert.deepEqual(await (await put({ visibility: "public" })).json(), {
      private: false,
      visibility: "public",
      gated: false,
    });
    assert.deepEqual([await shown("reader"), await shown("other")], [false, false]);
    assert.equal((await put({ private: true })).status, 200);
    assert.equal((await put({ gated: "auto" })).status, 400);
    assert.equal(await shown("other"), 404);
  });

  /** What a token needs for a route beside what its account may; null: nothing. */
  const scopeOf = (route: string): Scope | null => {
    const isOwn = route === "GET /api/whoami-v2" || route === "DELETE /api/tokens/current";
    if (needs[route] === "open" || isOwn) return null;
    // An operator is one by the scope admin.
    if (needs[route] === "operator") return "admin";
    return route.startsWith("GET ") || route === "POST /api/gpu/quote" ? "read" : "write";
  };
  for (const given of [[], ["read"], ["write"], ["gpu"], ["admin"], ["read", "write", "gpu"]] as const) {
    test(`a token with the scopes [${given.join(", ")}] goes on where they are asked for, and nowhere else`, async () => {
      const { world, app, build } = await open();
      await using _ = world;
      const wrong: string[] = [];
      for (const route of Object.keys(needs)) {
        const token = await world.token("admin", given);
        const [method = "", path = ""] = lineOf(route, build).split(" ");
        const body = /^(GET|DELETE)/.test(route) ? {} : { body: JSON.stringify({ nothing: "of sense" }) };
        const response = await app.request(path, { method, headers: { authorization: `Bearer ${token}` }, ...body });
        const needed = scopeOf(route);
        const isRefused = response.status === 403;
        const isAdmins = route === "POST /api/tokens" && (given as readonly Scope[]).includes("admin");
        const may = needed === null || isAdmins || (given as readonly Scope[]).includes(needed);
        // What is the organisation's is open to an operator by the scope admin alone.
        const isOthers = ["read", "write", "admin"].includes(needs[route] ?? "");
        const mayHere = may && !(isOthers && !(given as readonly Scope[]).includes("admin"));
        if (mayHere === isRefused) wrong.push(`${route}: ${response.status}`);
        const says = isRefused ? ((await response.json()) as Problem).detail : "";
        if (isRefused && !/scope|administrator|belongs/.test(says)) wrong.push(`${route}: ${says}`);
        if (!isRefused) await response.body?.cancel();
      }
      assert.deepEqual(wrong, []);
    });
  }

  test("a token for some Spaces reads and changes those as it says, and nothing else", async () => {
    const { world, app, ask, build } = await open();
    await using _ = world;
    await world.spaces.ensure("acme", "second", "writer");
    const made = async (right: "read" | "write") => {
      const response = await ask("POST /api/tokens", "writer", { spaces: [{ space: "acme/demo", right }] });
      return ((await response.json()) as CreatedToken).token;
    };
    const [reads, writes] = [await made("read"), await made("write")];
    const status = async (token: string, line: string, body?: object): Promise<number> => {
      const [method = "", path = ""] = line.split(" ");
      const headers = { authorization: `Bearer ${token}` };
      return (await app.request(path, { method, headers, ...(body && { body: JSON.stringify(body) }) })).status;
    };
    const all = (token: string) =>
      Promise.all([
        status(token, "GET /api/spaces/acme/demo/events"),
        status(token, "GET /api/spaces/acme/demo/secrets"),
        status(token, `GET /api/builds/${build}`),
        status(token, "PATCH /api/spaces/acme/demo/settings", { "on-leave": "stop" }),
        status(token, "GET /api/spaces/acme/second/events"),
        status(token, "PATCH /api/spaces/acme/second/settings", { "on-leave": "stop" }),
        status(token, "GET /api/audit"),
        status(token, "GET /api/tokens"),
        status(token, "POST /api/tokens", {}),
        status(token, "GET /api/organizations/acme/members"),
      ]);
    assert.deepEqual(await all(reads), [200, 200, 200, 403, 403, 403, 403, 403, 403, 403]);
    assert.deepEqual(await all(writes), [200, 200, 200, 200, 403, 403, 403, 403, 403, 403]);
    const response = await app.request("/api/whoami-v2", { headers: { authorization: `Bearer ${reads}` } });
    const { auth } = (await response.json()) as WhoAmI;
    assert.equal(auth.type === "access_token" && auth.accessToken.role, "fineGrained");
  });

  test("a token that was given to an app opens nothing of its account, whatever else it may; it ends itself", async () => {
    const { world, app } = await open();
    await using _ = world;
    const token = newAccessToken(world.random);
    const [at, hash] = [world.clock.wall(), accessTokenHash(token)];
    const [model, expiresAt] = ["AccessToken", instant(at + 60_000)];
    await world.catalog.apps.put(
      { model, id: hash, grantId: null, lookup: null, key: "k", sealed: "", expiresAt, consumedAt: null },
      at,
      {
        ...{ id: "t_app", account: "writer", hash, name: "acme/demo", app: "acme/demo" },
        ...{ scopes: ["read", "write", "gpu"], createdAt: at, expiresAt },
      },
    );
    const ask = async (method: string, path: string, body?: object): Promise<number> => {
      const headers = { authorization: `Bearer ${token}` };
      return (await app.request(path, { method, headers, ...(body && { body: JSON.stringify(body) }) })).status;
    };
    assert.equal(await ask("GET", "/api/whoami-v2"), 200);
    assert.equal(await ask("POST", "/api/spaces/acme/demo/pause", { reason: "r" }), 200);
    for (const [method, path, body] of [
      ["POST", "/api/tokens", {}],
      ["GET", "/api/tokens", undefined],
      ["DELETE", "/api/tokens/t_other", undefined],
      ["GET", "/api/sessions", undefined],
      ["DELETE", "/api/sessions", undefined],
      ["DELETE", "/api/sessions/s_other", undefined],
      ["PUT", "/api/accounts/writer/password", { password: "correct horse battery" }],
      ["POST", "/settings/sessions", undefined],
      ["GET", "/login/device", undefined],
      ["POST", "/login/device", undefined],
    ] as const)
      assert.equal(await ask(method, path, body), 403, `${method} ${path}`);
    assert.equal(await ask("DELETE", "/api/tokens/current"), 200);
  });

  test("a token makes no token that may more, or longer, or for another", async () => {
    const { world, app } = await open();
    await using _ = world;
    const token = await world.token("writer", ["read", "write"]);
    const make = async (body: object, by = token) =>
      app.request("/api/tokens", {
        method: "POST",
        headers: { authorization: `Bearer ${by}` },
        body: JSON.stringify(body),
      });
    for (const wish of [
      { scopes: ["gpu"] },
      { scopes: ["read", "admin"] },
      { account: "chief" },
      { account: "new", create: true },
      { tier: "unlimited" },
    ])
      assert.equal((await make(wish)).status, 403, JSON.stringify(wish));
    const short = (await (await make({ expiresInMs: 60_000 })).json()) as CreatedToken;
    const of = async (id: string) => (await world.catalog.tokens.get(id))!;
    const { scopes: usual, expiresAt } = await of(short.id);
    assert.deepEqual([usual, expiresAt], [["read", "write"], world.clock.wall() + 60_000]);
    const child = (await (await make({ scopes: ["read", "write"] }, short.token)).json()) as CreatedToken;
    assert.equal((await of(child.id)).expiresAt, expiresAt);
    const reader = (await (await make({ scopes: ["read"] })).json()) as CreatedToken;
    assert.equal((await make({ scopes: ["read"] }, reader.token)).status, 403);
    const fine = { scopes: ["write"], spaces: [{ space: "acme/demo", right: "read" }] };
    const one = (await (await make(fine)).json()) as CreatedToken;
    const beyond = { scopes: [], spaces: [{ space: "acme/demo", right: "write" }] };
    assert.equal((await make(beyond, one.token)).status, 201);
    assert.equal((await make({ scopes: [], spaces: [{ space: "acme/other", right: "read" }] }, one.token)).status, 403);
  });

  test("a token is listed and revoked by its account or an operator, and holds no longer from the answer on", async () => {
    const { world, ask, app } = await open();
    await using _ = world;
    const { id, token } = (await (await ask("POST /api/tokens", "writer", { name: "ci" })).json()) as CreatedToken;
    const works = async () =>
      (await app.request("/api/whoami-v2", { headers: { authorization: `Bearer ${token}` } })).status;
    assert.equal(await works(), 200);
    assert.equal((await ask(`DELETE /api/tokens/${id}`, "other")).status, 404);
    assert.equal((await ask("GET /api/tokens?account=writer", "other")).status, 403);
    assert.equal((await ask(`DELETE /api/tokens/${id}`, "writer")).status, 200);
    assert.equal(await works(), 401);
    assert.equal((await ask(`DELETE /api/tokens/${id}`, "admin")).status, 409);
    const { items } = (await (await ask("GET /api/tokens?account=writer", "admin")).json()) as Page<TokenView>;
    assert.deepEqual(
      items.find((one) => one.id === id),
      { id, name: "ci", scopes: ["read", "write", "gpu"], spaces: [], app: null, createdAt: iso(world.clock.wall()), lastUsedAt: iso(world.clock.wall()), expiresAt: null, revokedAt: iso(world.clock.wall()), current: false },
    ); // prettier-ignore
    const node = await ask("POST /api/nodes/n2/token", "admin", {});
    assert.equal(node.status, 201);
    const nodes = (await world.catalog.tokens.list("admin")).find((one) => one.scopes.includes("node"))!;
    assert.equal((await ask(`DELETE /api/tokens/${nodes.id}`, "admin")).status, 409);
  });

  test("a contributor makes Spaces and changes those, and no other's", async () => {
    const { world, ask } = await open();
    await using _ = world;
    const body = commitBytes({ "README.md": "---\nsdk: static\n---\n", "index.html": "x" });
    const commit = (account: string, name: string) => ask(`POST /api/spaces/acme/${name}/commit/main`, account, body);
    assert.equal((await commit("contributor", "new")).status, 200);
    assert.equal((await commit("contributor", "new")).status, 200);
    assert.equal((await commit("maker", "new")).status, 403);
    assert.equal((await commit("reader", "newer")).status, 403);
    assert.equal((await commit("other", "newer")).status, 403);
    assert.equal(world.spaces.get("acme/new")?.createdBy, "contributor");
  });

  test("a member's pause is the owner's, who lifts it; an operator's stays the operator's", async () => {
    const { world, ask } = await open();
    await using _ = world;
    assert.equal((await ask("POST /api/spaces/acme/demo/pause", "admin", { reason: "r" })).status, 200);
    assert.equal((await ask("POST /api/spaces/acme/demo/resume", "writer", {})).status, 403);
    assert.equal((await ask("POST /api/spaces/acme/demo/resume", "admin", {})).status, 200);
    assert.equal((await ask("POST /api/spaces/acme/demo/pause", "writer", { reason: "r" })).status, 200);
    assert.equal((await ask("POST /api/spaces/acme/demo/resume", "chief", {})).status, 200);
  });

  test("members are added, changed and taken out, also by themselves; the last administrator stays", async () => {
    const { world, ask } = await open();
    await using _ = world;
    const path = "/api/organizations/acme/members";
    const says = async (response: Response) => ((await response.json()) as Problem).detail;
    assert.match(await says(await ask(`DELETE ${path}/chief`, "chief")), /last administrator of acme/);
    assert.match(await says(await ask(`PATCH ${path}/chief`, "chief", { role: "write" })), /last administrator/);
    assert.equal((await ask(`POST ${path}`, "chief", { account: "other", role: "admin" })).status, 200);
    assert.equal((await ask(`POST ${path}`, "chief", { account: "other", role: "read" })).status, 409);
    assert.equal((await ask(`POST ${path}`, "chief", { account: "nobody", role: "read" })).status, 404);
    assert.equal((await ask(`POST ${path}`, "chief", { account: "acme", role: "read" })).status, 400);
    assert.equal((await ask(`DELETE ${path}/chief`, "chief")).status, 200);
    assert.equal((await ask(`DELETE ${path}/reader`, "reader")).status, 200);
    assert.equal((await ask(`GET ${path}`, "reader")).status, 403);
    assert.equal((await ask(`PATCH ${path}/writer`, "other", { role: "read" })).status, 200);
    assert.equal((await ask("POST /api/spaces/acme/demo/stop", "writer", {})).status, 403);
    assert.deepEqual(
      ((await (await ask(`GET ${path}`, "other")).json()) as MemberView[]).map(({ user, role }) => `${user} ${role}`),
      ["maker contributor", "other admin", "writer read", "contributor contributor"].toSorted(),
    );
  });

  test("an organisation has no tokens, and whoami names the organisations of an account with its role in each", async () => {
    const { world, ask } = await open();
    await using _ = world;
    assert.equal((await ask("POST /api/tokens", "admin", { account: "acme" })).status, 400);
    const { orgs } = (await (await ask("GET /api/whoami-v2", "writer")).json()) as WhoAmI;
    assert.deepEqual(
      orgs.map(({ type, name, roleInOrg }) => [type, name, roleInOrg]),
      [["org", "acme", "write"]],
    );
  });

  test("an operator makes accounts of both kinds, once", async () => {
    const { world, ask } = await open();
    await using _ = world;
    const make = async (body: object) => (await ask("POST /api/accounts", "admin", body)).status;
    assert.equal(await make({ name: "dora", tier: "pro" }), 201);
    assert.equal(await make({ name: "dora" }), 409);
    assert.equal(await make({ name: "umbrella", organisation: true, admin: "dora" }), 201);
    assert.equal(await make({ name: "umbrella", organisation: true }), 409);
    assert.equal(await make({ name: "api", organisation: true }), 400);
    assert.equal(await make({ name: "x", admin: "dora" }), 400);
    assert.equal(await make({ name: "y", organisation: true, admin: "umbrella" }), 400);
    assert.deepEqual(
      world.server.organisations.members("umbrella").map(({ account, role, addedBy }) => [account, role, addedBy]),
      [["dora", "admin", "admin"]],
    );
  });
});

/** Nothing of a stream, which does not end: what those tell to whom is shown beside their routes. */
async function textOf(response: Response): Promise<string> {
  if (response.headers.get("content-type")?.includes("event-stream") !== true) return response.text();
  await response.body?.cancel();
  return "";
}
