/**
 * `GET R/tree/REVISION[/FOLDER]?recursive&expand` and `POST R/paths-info/REVISION` (R: `/api/{models,datasets,spaces}/OWNER/NAME`): what is
 * in a repository, in the Hub's form.
 */
import { z } from "zod";
import type { Revision } from "../../../hub/repo-reader.ts";
import type { TreeItem } from "../../../hub/tree-index.ts";
import { iso, instant } from "../../../stdx/time.ts";
import type { ApiContext, Route } from "../../api.ts";
import { boundedBody } from "../../json-body.ts";
import type { HubRepo } from "../../hub-repos.ts";
import type { Server } from "../../server.ts";
import { anyRepo, noEntry, readRevision, refuseWish } from "./asked-repo.ts";
import { isSet, linkTo, pageOf } from "./pages.ts";

/** As on the Hub: of an expanded entry git's history is asked. */
const pageMost = 1_000;
const expandedMost = 50;
/** Paths of one request, each of up to a kilobyte. */
const pathsMax = 1_000;
const pathsMaxBytes = 2 << 20;

const pathsWish = z.object({ paths: z.union([z.string(), z.array(z.string())]), expand: z.boolean().nullish() });

export const treeRoute: Route = (api, server) => {
  for (const path of [`${anyRepo}/tree/:rev`, `${anyRepo}/tree/:rev/:path{.+}`])
    api.get(path, async (c) => {
      const { name, path: within } = askedTree(c);
      const read = await readRevision(c, server, name);
      if (read instanceof Response) return read;
      const { repo, revision, tree } = read;
      const folder = within.replace(/\/$/, "");
      const expand = isSet(c.req.query("expand"));
      const { limit } = pageOf(c, expand ? expandedMost : pageMost);
      const recursive = isSet(c.req.query("recursive"));
      const page = await tree.page(folder, { recursive, cursor: c.req.query("cursor") ?? "", limit });
      if (page === undefined) return noEntry(c, repo, folder);
      const entries = await entriesOf(server, { repo, revision, items: page.items, expand });
      return c.json(entries, 200, linkTo(c, page.next, pinned(c, name, revision)));
    });
  api.post(`${anyRepo}/paths-info/:rev`, async (c) => {
    const asked = await askedPaths(c);
    if (asked instanceof Response) return asked;
    const read = await readRevision(c, server);
    if (read instanceof Response) return read;
    const { repo, revision, tree } = read;
    const paths = asked.paths.map((path) => path.replace(/\/$/, ""));
    const found = await tree.find(paths);
    const items = paths.flatMap((path) => found.get(path) ?? []);
    return c.json(await entriesOf(server, { repo, revision, items, expand: asked.expand }));
  });
};

/** Entries in the Hub's form. */
async function entriesOf(
  server: Server,
  wish: {
    readonly repo: HubRepo;
    readonly revision: Revision | "empty";
    readonly items: readonly TreeItem[];
    readonly expand: boolean;
  },
): Promise<readonly object[]> {
  const { repo, revision, items, expand } = wish;
  const hashes = await server.hub.xetHashes(
    repo,
    items.flatMap(({ lfs }) => lfs ?? []),
  );
  const entries = items.map((item) => entryOf(item, hashes));
  if (!expand || revision === "empty") return entries;
  const paths = items.map(({ path }) => path);
  const last = await server.hub.reader.lastCommits(server.hub.folderOf(repo), revision.commit, paths);
  return entries.map((entry) => {
    const commit = last.get(entry.path);
    return {
      ...entry,
      ...(commit && {
        lastCommit: { id: commit.id, title: commit.title, date: iso(instant(commit.seconds * 1000)) },
      }),
    };
  });
}

/** `xetHashes`: by SHA-256; a client that is told need not ask for the file's own address first. */
function entryOf(
  { type, oid, size, path, lfs }: TreeItem,
  xetHashes: ReadonlyMap<string, string> = new Map(),
): { readonly path: string } {
  if (lfs === undefined) return { type, oid, size, path } as { path: string };
  const large = { oid: lfs.oid, size: lfs.size, pointerSize: size };
  const xetHash = xetHashes.get(lfs.oid);
  return { type, oid, size: lfs.size, path, lfs: large, ...(xetHash && { xetHash }) } as { path: string };
}

/** `@huggingface/hub` writes a pull request's reference with its slashes as they are. */
function askedTree(c: ApiContext): { readonly name: string; readonly path: string } {
  const [name = "main", path = ""] = [c.req.param("rev"), c.req.param("path")];
  const [, pull, rest = ""] = (name === "refs" && /^(pr\/[1-9]\d{0,8})(?:\/(.*))?$/.exec(path)) || [];
  return pull === undefined ? { name, path } : { name: `refs/${pull}`, path: rest };
}

/** The list's address at its commit, so that all pages are of the same tree. */
function pinned(c: ApiContext, name: string, revision: Revision | "empty"): string {
  const { pathname } = new URL(c.req.url);
  if (revision === "empty") return pathname;
  const [before = "", after = ""] = pathname.split("/tree/", 2);
  const isPlain = after.startsWith(`${name}/`) || after === name;
  const folder = after.split("/").slice(isPlain ? name.split("/").length : 1);
  return [before, "tree", revision.commit, ...folder].join("/");
}

/** Python sends a form, others JSON. */
async function askedPaths(
  c: ApiContext,
): Promise<{ readonly paths: readonly string[]; readonly expand: boolean } | Response> {
  const bytes = await boundedBody(c, pathsMaxBytes);
  if (bytes instanceof Response) return bytes;
  const text = Buffer.from(bytes).toString("utf8");
  const isForm = c.req.header("content-type")?.startsWith("application/x-www-form-urlencoded") === true;
  const asked = isForm ? ofForm(text) : pathsWish.safeParse(parseJson(text)).data;
  if (asked === undefined) return refuseWish(c, "The body has to name `paths`, as JSON or as a form.");
  const paths = typeof asked.paths === "string" ? [asked.paths] : asked.paths;
  const most = asked.expand === true ? expandedMost : pathsMax;
  if (paths.length > most)
    return refuseWish(c, `One request may ask for ${most} paths; this one asks for ${paths.length}.`);
  return { paths, expand: asked.expand === true };
}

function ofForm(text: string): z.infer<typeof pathsWish> | undefined {
  const form = new URLSearchParams(text);
  const paths = form.getAll("paths");
  return form.has("paths") || text === "expand=false"
    ? { paths, expand: isSet(form.get("expand") ?? undefined) }
    : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
