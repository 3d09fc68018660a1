/**
 * `GET /api/{models,datasets}/OWNER/NAME`, the same of all kinds at a revision, `GET /api/{models,datasets,spaces}`: what the Hub's clients
 * read of one repository, and of many.
 */
import { filesOf, type FoundRevision } from "../../../hub/repo-reader.ts";
import { iso } from "../../../stdx/time.ts";
import type { ApiContext, Route } from "../../api.ts";
import { isInside, mayKnow } from "../../api.ts";
import type { Card } from "../../hub-cards.ts";
import { gatedWord, type HubRepo } from "../../hub-repos.ts";
import type { Server } from "../../server.ts";
import { anyRepo, noRevision, readableRepo, refuseWish } from "./asked-repo.ts";
import { isSet, nextPage, pageOf } from "./pages.ts";

const listMost = 500;
/** Above 50,000 the Hub's clients ask for the list of the tree instead, which comes in pages. */
const siblingsMost = 50_001;
/** What may be sorted by. Nothing counts likes or downloads here, so by those all are equal and go by time. */
const orders: Readonly<Record<string, (repo: HubRepo) => number>> = {
  createdAt: ({ createdAt }) => createdAt,
  lastModified: ({ changedAt }) => changedAt,
  likes: () => 0,
  downloads: () => 0,
  trendingScore: () => 0,
};
const writtenInPython: Readonly<Record<string, string>> = {
  created_at: "createdAt",
  last_modified: "lastModified",
  trending_score: "trendingScore",
  trending: "trendingScore",
  modified: "lastModified",
  likes7d: "likes",
};

export const infoRoute: Route = (api, server) => {
  api.get("/api/:kind{(?:models|datasets)}/:owner/:name", (c) => answer(c, server, "main"));
  api.get(`${anyRepo}/revision/:rev`, (c) => answer(c, server, c.req.param("rev")));
  for (const kind of ["models", "datasets"] as const) api.get(`/api/${kind}`, async (c) => listRepos(c, server, kind));
};

async function answer(c: ApiContext, server: Server, name: string): Promise<Response> {
  const repo = readableRepo(c, server);
  if (repo instanceof Response) return repo;
  const revision = await server.hub.revision(repo, name);
  if (revision === undefined) return noRevision(c, repo, name);
  return c.json(await infoOf(c, server, repo, revision));
}

/** One repository at a revision; with `expand` no other fields than those and its names. */
export async function infoOf(
  c: ApiContext,
  server: Server,
  repo: HubRepo,
  revision: FoundRevision,
): Promise<Readonly<Record<string, unknown>>> {
  const { hub } = server;
  const folder = hub.folderOf(repo);
  const card = await hub.cards.at(repo, revision);
  const { searchParams } = new URL(c.req.url);
  const expand = [...searchParams.getAll("expand"), ...searchParams.getAll("expand[]")];
  const isWanted = (field: string): boolean => expand.length === 0 || expand.includes(field);
  const whole: Record<string, unknown> = { ...summaryOf(repo, card), ...spaceOf(c, server, repo), cardData: card.data };
  if (isWanted("siblings")) {
    const tree = revision === undefined ? undefined : await hub.reader.tree(folder, revision);
    whole["siblings"] = siblingsOf(tree && (await filesOf(tree, siblingsMost)), isSet(c.req.query("blobs")));
  }
  if (expand.includes("usedStorage"))
    whole["usedStorage"] = (await hub.store.exists(repo.stored)) ? await hub.usedBytes(repo) : 0;
  if (expand.length === 0) return whole;
  const names = ["_id", "id", "modelId", ...expand];
  return Object.fromEntries(Object.entries(whole).filter(([field]) => names.includes(field)));
}

/** All of a kind that the caller may know of, by what is asked for. */
export async function listRepos(c: ApiContext, server: Server, kind: HubRepo["kind"]): Promise<Response> {
  const { searchParams } = new URL(c.req.url);
  const sort = c.req.query("sort") ?? "lastModified";
  const by = orders[writtenInPython[sort] ?? sort];
  if (by === undefined)
    return refuseWish(c, `Nothing can be sorted by "${sort}"; write one of ${Object.keys(orders).join(", ")}.`);
  const sign = c.req.query("direction") === "1" ? 1 : -1;
  const gated = c.req.query("gated");
  const [author, search] = [c.req.query("author"), c.req.query("search")?.toLowerCase()];
  const found = server.hub.repos
    .list(kind)
    .filter((repo) => author === undefined || repo.owner === author)
    .filter((repo) => gated === undefined || isSet(gated) === (repo.gated !== "no"))
    .filter((repo) => search === undefined || repo.id.toLowerCase().includes(search))
    .filter((repo) => !repo.private || mayKnow(c, repo.owner, "read", repo.key))
    .toSorted((a, b) => sign * (by(a) - by(b)) || b.changedAt - a.changedAt || (a.id < b.id ? -1 : 1));
  const wanted = searchParams.getAll("filter").flatMap((text) => text.split(","));
  const page = pageOf(c, listMost);
  const [isFull, hasCards] = [isSet(c.req.query("full")), isSet(c.req.query("cardData"))];
  const items: object[] = [];
  let seen = 0;
  let isLast = true;
  for (const repo of found) {
    // The cards of those that are not shown are read only to be chosen by.
    if (wanted.length > 0) {
      const { tags } = await server.hub.cards.of(repo);
      if (!wanted.every((tag) => tags.includes(tag))) continue;
    }
    seen += 1;
    if (seen <= page.skip) continue;
    if (items.length === page.limit) {
      isLast = false;
      break;
    }
    const card = await server.hub.cards.of(repo);
    const revision = isFull ? await server.hub.revision(repo, "main") : undefined;
    const tree = revision === undefined ? undefined : await server.hub.reader.tree(server.hub.folderOf(repo), revision);
    items.push({
      ...summaryOf(repo, card),
      ...spaceOf(c, server, repo),
      ...(isFull && { siblings: siblingsOf(tree && (await filesOf(tree, siblingsMost)), false) }),
      ...((isFull || hasCards) && { cardData: card.data }),
    });
  }
  return c.json(items, 200, nextPage(c, page, isLast));
}

function summaryOf(repo: HubRepo, { sha, data, tags }: Card): Readonly<Record<string, unknown>> {
  const text = (key: string): object => (typeof data?.[key] === "string" ? { [key]: data[key] } : {});
  return {
    ...{ _id: repo.key, id: repo.id, ...(repo.kind === "models" && { modelId: repo.id }) },
    ...{
      author: repo.owner,
      sha,
      private: repo.private,
      gated: gatedWord(repo),
      disabled: false,
    },
    ...{ likes: 0, downloads: 0, trendingScore: 0, tags },
    ...{ createdAt: iso(repo.createdAt), lastModified: iso(repo.changedAt) },
    ...(repo.kind === "models" && { ...text("library_name"), ...text("pipeline_tag") }),
  };
}

/** What a Space has beside all others; `lastModified` is then also of its state. */
function spaceOf(c: ApiContext, server: Server, repo: HubRepo): object {
  if (repo.kind !== "spaces") return {};
  const view = server.spaces.hubView(repo.id, { inside: isInside(c) });
  const sdk = server.spaces.get(repo.id)?.sdk ?? null;
  const { host, subdomain, runtime, lastModified } = view ?? {};
  return { host, subdomain, runtime, lastModified, ...(sdk !== null && { sdk }) };
}

function siblingsOf(
  files: readonly {
    readonly path: string;
    readonly oid: string;
    readonly size: number;
    readonly lfs?: { readonly oid: string; readonly size: number };
  }[] = [],
  blobs: boolean,
): readonly object[] {
  return files.map(({ path, oid, size, lfs }) => {
    if (!blobs) return { rfilename: path };
    const large = lfs && { size: lfs.size, sha256: lfs.oid, pointerSize: size };
    return { rfilename: path, blobId: oid, size: lfs?.size ?? size, ...(large && { lfs: large }) };
  });
}
