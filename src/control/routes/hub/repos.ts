/**
 * `POST /api/repos/create`, `DELETE /api/repos/delete`, `POST /api/repos/move`, `PUT R/settings`, `POST R/duplicate` (R:
 * `/api/{models,datasets,spaces}/OWNER/NAME`), `GET /api/settings/repositories`: repositories as a whole, in the Hub's form.
 */
import { stringify } from "yaml";
import { z } from "zod";
import { parseFrontMatter } from "../../../build/front-matter.ts";
import type { Gated } from "../../../catalog/repos.ts";
import type { CreatedRepo } from "../../../contract/hub.ts";
import { problemOf } from "../../../http/index.ts";
import { keyOf, pathOf, repoName, repoNouns, type RepoKind, type RepoName } from "../../../hub/repo-name.ts";
import { iso } from "../../../stdx/time.ts";
import type { ApiContext, Route } from "../../api.ts";
import { originOf, ownerOf, problemResponse, refuse, refuseAs, signedIn } from "../../api.ts";
import { noteChange } from "../../auditing.ts";
import type { Caller } from "../../caller.ts";
import { gatedWord, type HubRepo } from "../../hub-repos.ts";
import { parsedCommit } from "../../commits.ts";
import { jsonBody } from "../../json-body.ts";
import { builtBranch } from "../../no-build.ts";
import type { Server } from "../../server.ts";
import { actorOf, isRefused, sleepAfter } from "../space-states.ts";
import { anyRepo, noRepo, readableRepo, refuseWish, writableRepo } from "./asked-repo.ts";
import { noFiles } from "./gate.ts";
import { commitTo } from "./upload.ts";

const seen = {
  private: z.boolean().nullish(),
  visibility: z.enum(["public", "private"], "write public or private").nullish(),
};
const kindWord = z.enum(["model", "dataset", "space"], "write model, dataset or space").nullish();
const entry = z.object({ key: z.string(), value: z.string(), description: z.string().max(1_000).nullish() });
/** What a Space can be given when it is made. */
const spaceWish = {
  hardware: z.string().max(100).nullish(),
  sleepTimeSeconds: z.number().int().min(-1).max(31_536_000).nullish(),
  secrets: z.array(entry).max(200).nullish(),
  variables: z.array(entry).max(200).nullish(),
  volumes: z.array(z.unknown()).max(0, "volumes are not kept here").nullish(),
};

const createWish = z.strictObject({
  ...seen,
  ...spaceWish,
  name: z.string().max(200),
  /** The account that is to own it; the caller's own where it is absent. */
  organization: z.string().max(200).nullish(),
  type: kindWord,
  /** Of a Space: its README.md's front matter begins with it, as the Hub's does. */
  sdk: z.string().max(40).nullish(),
  template: z.null("templates are not kept here").optional(),
  /** What it holds from its beginning, as `@huggingface/hub` sends it. */
  files: z
    .array(z.object({ path: z.string(), content: z.string(), encoding: z.enum(["base64", "utf-8"]).nullish() }))
    .max(100)
    .nullish(),
  license: z.string().max(100).nullish(),
  storageRegion: z.null("storage is where the platform is").optional(),
  resourceGroupId: z.null("there are no resource groups").optional(),
});
const deleteWish = z.object({ name: z.string().max(200), organization: z.string().max(200).nullish(), type: kindWord });
const moveWish = z.object({ fromRepo: z.string().max(300), toRepo: z.string().max(300), type: kindWord });
const change = z.strictObject({
  ...seen,
  gated: z.union([z.literal(false), z.enum(["auto", "manual"])], "write auto, manual or false").nullish(),
});
const duplicateWish = z.object({ ...seen, ...spaceWish, repository: z.string().max(300) });

export const hubReposRoute: Route = (api, server) => {
  api.post("/api/repos/create", async (c) => {
    const caller = writer(c);
    if (caller instanceof Response) return caller;
    const asked = await jsonBody(c, createWish);
    if (asked instanceof Response) return asked;
    const name = repoName(kindOf(asked.type), asked.organization ?? caller.account, asked.name);
    const by = ownerOf(c, name.owner, "write", keyOf(name));
    if (by instanceof Response) return by;
    noteChange(c, { kind: name.kind, owner: name.owner });
    const readme = firstReadme(name, asked);
    const front = readme === undefined ? undefined : parseFrontMatter(readme);
    if (front?.ok === false) return refuseWish(c, `sdk: ${front.problems.map(({ message }) => message).join("; ")}`);
    const there = server.hub.repos.find(name);
    if (there) return server.effects.made ? made(c, name) : thereAlready(c, there);
    const first = asked.files && asked.files.length > 0 ? commitOf(asked.files) : undefined;
    const wrong = first && parsedCommit(first);
    if (wrong?.ok === false) return refuse(c, wrong.code, { detail: wrong.says });
    const wish = { private: isPrivate(asked) ?? false, by: by.account };
    const done =
      name.kind === "spaces" ? await makeSpace(c, server, name, wish) : await server.hub.repos.create(name, wish);
    if (done instanceof Response) return done;
    if (!done.ok) return done.exists ? thereAlready(c, done.exists) : refuseAs(c, done);
    noteChange(c, { private: wish.private });
    const refused = name.kind === "spaces" ? await equip(c, server, name.id, by, asked) : undefined;
    if (refused) return refused;
    if (readme !== undefined) await server.commits.begin(name.id, readme, by.account);
    const filled = first && (await commitTo(server, name, { branch: builtBranch, bytes: first, account: by.account }));
    return filled === undefined || filled === "no-branch" || filled.ok ? made(c, name) : refuseAs(c, filled);
  });

  api.delete("/api/repos/delete", async (c) => {
    const caller = writer(c);
    if (caller instanceof Response) return caller;
    const asked = await jsonBody(c, deleteWish);
    if (asked instanceof Response) return asked;
    const [first = "", second] = asked.name.split("/");
    const owner = second === undefined ? (asked.organization ?? caller.account) : first;
    const name = repoName(kindOf(asked.type), owner, second ?? first);
    const by = ownerOf(c, owner, "write", keyOf(name));
    if (by instanceof Response) return by;
    noteChange(c, { kind: name.kind, owner });
    const isThere =
      name.kind === "spaces" ? await server.removeSpace(name.id, actorOf(by)) : await server.hub.repos.remove(name);
    return isThere || server.effects.made ? c.json({}) : noRepo(c, name);
  });

  api.post("/api/repos/move", async (c) => {
    const caller = writer(c);
    if (caller instanceof Response) return caller;
    const asked = await jsonBody(c, moveWish);
    if (asked instanceof Response) return asked;
    const kind = kindOf(asked.type);
    const [from, to] = [namedBy(kind, asked.fromRepo), namedBy(kind, asked.toRepo)];
    if (!from || !to) return refuseWish(c, "`fromRepo` and `toRepo` are of the form owner/name.");
    for (const name of [from, to]) {
      const by = ownerOf(c, name.owner, "write", keyOf(name));
      if (by instanceof Response) return by;
    }
    noteChange(c, { kind, owner: from.owner });
    if (server.effects.made) return c.json({});
    if (!server.hub.repos.find(from)) return noRepo(c, from);
    if (kind === "spaces")
      return refuse(c, "control/conflict", {
        detail: `A Space keeps its name: its address, its builds and its receipts are known by it. Duplicate ${from.id} as ${to.id}, and delete it then.`,
      });
    const done = await server.hub.repos.move(from, to, caller.account);
    return done.ok ? c.json({}) : refuseAs(c, done);
  });

  api.put(`${anyRepo}/settings`, async (c) => {
    const named = writableRepo(c, server);
    if (named instanceof Response) return named;
    const asked = await jsonBody(c, change);
    if (asked instanceof Response) return asked;
    const { repo, caller } = named;
    const wished = isPrivate(asked);
    const gated: Gated | undefined = asked.gated === false ? "no" : (asked.gated ?? undefined);
    if (repo.kind === "spaces" && gated !== undefined && gated !== "no")
      return refuseWish(c, "A Space is not gated: make it private. What it loads can be a model that is gated.");
    const set = { ...(wished !== undefined && { private: wished }), ...(gated !== undefined && { gated }) };
    if (Object.keys(set).length > 0 && !server.effects.made) {
      noteChange(c, set);
      if (repo.kind !== "spaces") {
        if (!(await server.hub.repos.set(repo, set, caller.account))) return noRepo(c, repo);
      } else if (wished !== undefined) {
        const changed = await server.spaces.set(repo.id, { private: wished }, actorOf(caller));
        if (changed !== undefined && isRefused(changed)) return refuse(c, changed.code, { detail: changed.says });
      }
    }
    const now = server.hub.repos.find(repo) ?? repo;
    const visibility = now.private ? "private" : "public";
    return c.json({ private: now.private, visibility, gated: gatedWord(now) });
  });

  api.post(`${anyRepo}/duplicate`, async (c) => {
    const caller = signedIn(c, "write");
    if (caller instanceof Response) return caller;
    // A body may be long in coming: what may be copied is asked when it is there.
    const asked = await jsonBody(c, duplicateWish);
    if (asked instanceof Response) return asked;
    const from = readableRepo(c, server);
    if (from instanceof Response) return from;
    // Whoever may not have its files does not get them as another's.
    const gated = await noFiles(c, server, from);
    if (gated) return gated;
    const to = namedBy(
      from.kind,
      asked.repository.includes("/") ? asked.repository : `${caller.account}/${asked.repository}`,
    );
    if (!to) return refuseWish(c, "`repository` is of the form owner/name.");
    const by = ownerOf(c, to.owner, "write", keyOf(to));
    if (by instanceof Response) return by;
    noteChange(c, { target: to.id });
    const there = server.hub.repos.find(to);
    if (there) return server.effects.made ? made(c, to) : thereAlready(c, there);
    // What only some may read is not made public by a copy that nobody asked to be public; and who asked for it asks the copy's owner.
    const wish = { private: isPrivate(asked) ?? from.private, gated: from.gated, by: by.account };
    const { store } = server.hub;
    if (to.kind !== "spaces") {
      const done = await server.hub.repos.create(
        to,
        wish,
        async (stored) => void (await store.copyRepository(from.stored, stored)),
      );
      if (done.ok) return made(c, to);
      return done.exists ? thereAlready(c, done.exists) : refuseAs(c, done);
    }
    const space = await makeSpace(c, server, to, wish);
    if (space instanceof Response) return space;
    const refused = await equip(c, server, to.id, by, asked);
    if (refused) return refused;
    await server.hub.inTurn(to, async () => {
      if (await store.exists(from.stored)) await store.copyRepository(from.stored, to.id);
    });
    await server.commits.catchUp(to.id, by.account);
    return made(c, to);
  });

  api.get("/api/settings/repositories", async (c) => {
    const caller = signedIn(c);
    if (caller instanceof Response) return caller;
    const kinds = Object.keys(repoNouns) as RepoKind[];
    const own = kinds.flatMap((kind) => server.hub.repos.list(kind).filter(({ owner }) => owner === caller.account));
    const items: object[] = [];
    for (const repo of own) {
      const storage = (await server.hub.store.exists(repo.stored)) ? await server.hub.usedBytes(repo) : 0;
      const visibility = repo.private ? "private" : "public";
      items.push({ id: repo.id, type: wordOf(repo.kind), updatedAt: iso(repo.changedAt), visibility, storage });
    }
    return c.json(items);
  });
};

/** The Hub's commit form of these files. */
function commitOf(files: NonNullable<z.infer<typeof createWish>["files"]>): Uint8Array {
  const header = { key: "header", value: { summary: "initial files" } };
  const lines = files.map(({ path, content, encoding }) => {
    return { key: "file", value: { path, content, encoding: encoding ?? "base64" } };
  });
  return Buffer.from([header, ...lines].map((line) => JSON.stringify(line)).join("\n"));
}

/** Who may write at all; a token for single Spaces may make and change those. */
function writer(c: ApiContext): Caller | Response {
  const caller = c.get("caller");
  const { via } = caller ?? {};
  const writesSome = via?.kind === "token" && via.spaces.some(({ right }) => right === "write");
  return caller && writesSome ? caller : signedIn(c, "write");
}

/** Makes the Space, or answers why it cannot be. */
async function makeSpace(
  c: ApiContext,
  server: Server,
  { owner, name, id }: RepoName,
  wish: { readonly private: boolean; readonly by: string },
): Promise<{ readonly ok: true } | Response> {
  const done = await server.spaces.ensure(owner, name, wish.by, { private: wish.private });
  if (done.ok) return { ok: true };
  if (done.refusal === "no-such-account")
    return refuse(c, "control/not-found", { detail: `There is no account ${owner.slice(0, 120)}.` });
  return refuseWish(c, `${id.slice(0, 200)} cannot be a Space: ${done.refusal}.`);
}

/** Gives a Space what was asked for with it; answers what was wrong with that. */
async function equip(
  c: ApiContext,
  server: Server,
  space: string,
  by: Caller,
  wish: z.infer<z.ZodObject<typeof spaceWish>>,
): Promise<Response | undefined> {
  for (const kind of ["variable", "secret"] as const)
    for (const { key: name, value, description = null } of wish[`${kind}s`] ?? []) {
      const set = await server.environments.set({ kind, space, name }, { value, description, account: by.account });
      if (!set.ok) return refuseAs(c, set);
    }
  const hardware = wish.hardware ?? undefined;
  const sleepTime = wish.sleepTimeSeconds ?? undefined;
  if (hardware === undefined && sleepTime === undefined) return undefined;
  const sleep = sleepTime === undefined ? {} : sleepAfter(sleepTime);
  const changed = await server.spaces.set(
    space,
    { ...(hardware !== undefined && { hardware }), ...sleep },
    actorOf(by),
  );
  return changed !== undefined && isRefused(changed) ? refuse(c, changed.code, { detail: changed.says }) : undefined;
}

/** What a Space is to be, in its own page: clients that made it with its SDK send the app alone. Undefined where that is not said, or sent. */
function firstReadme(
  { kind, name }: RepoName,
  { sdk, files }: Pick<z.infer<typeof createWish>, "sdk" | "files">,
): string | undefined {
  if (kind !== "spaces" || !sdk || files?.some(({ path }) => path === "README.md")) return undefined;
  return `---\n${stringify({ title: name, sdk })}---\n`;
}

function made(c: ApiContext, name: RepoName): Response {
  return c.json({ url: `${originOf(c)}${pathOf(name)}`, name: name.id, id: name.id } satisfies CreatedRepo);
}

/** The Hub's clients go on with the address. */
function thereAlready(c: ApiContext, repo: HubRepo): Response {
  const detail = `${repo.id} is there already.`;
  const problem = problemOf("control/conflict", { waybill: c.get("requestId"), detail });
  const withAddress = { ...problem, url: `${originOf(c)}${pathOf(repo)}` };
  return problemResponse(withAddress);
}

/** Undefined where nothing is said of it. */
function isPrivate({ visibility, ...asked }: z.infer<z.ZodObject<typeof seen>>): boolean | undefined {
  return visibility ? visibility === "private" : (asked.private ?? undefined);
}

function kindOf(word: z.infer<typeof kindWord>): RepoKind {
  return word === "space" ? "spaces" : word === "dataset" ? "datasets" : "models";
}

function wordOf(kind: RepoKind): string {
  return kind.slice(0, -1);
}

function namedBy(kind: RepoKind, id: string): RepoName | undefined {
  const [owner = "", name = "", ...more] = id.split("/");
  return owner === "" || name === "" || more.length > 0 ? undefined : repoName(kind, owner, name);
}
