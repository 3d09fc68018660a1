/** The changing verbs of the Hub's API, as those of ours in `keyed-verbs.suite.ts`. */
import { repoName } from "../hub/repo-name.ts";
import { commitBytes, type ControlWorld } from "./control.suite.ts";
import type { HubRepo } from "./hub-repos.ts";
import { builds, type Verb } from "./keyed-verbs.suite.ts";
import { parsedCommit } from "./commits.ts";

const by = { account: "alice", mayWrite: true };
const files = commitBytes({ "README.md": "2" });

/* ── what shows an effect ───────────────────────────────────────────────── */

const models = ({ hubRepos }: ControlWorld): readonly string[] => hubRepos.list("models").map(({ id }) => id);
function tiny({ hubRepos }: ControlWorld, owner = "alice"): HubRepo {
  const found = hubRepos.find(repoName("models", owner, "tiny"));
  if (found === undefined) throw new Error("there is no model");
  return found;
}
/** Branches, tags and pull requests, each with its commit. */
const refs = async (world: ControlWorld): Promise<readonly string[]> => {
  const { hub } = world.server;
  const kinds = await Promise.all(
    (["heads", "tags", "pr"] as const).map((kind) => Array.fromAsync(hub.reader.refs(hub.folderOf(tiny(world)), kind))),
  );
  return kinds.flat().map(({ ref, commit }) => `${ref} ${commit}`);
};
const talks = async (world: ControlWorld): Promise<unknown> => {
  const { discussions } = world.catalog;
  const { rows } = await discussions.list(tiny(world).stored, {}, { skip: 0, limit: 20 });
  return Promise.all(rows.map(async (row) => [row.title, row.status, await discussions.events(row)]));
};
const asks =
  (owner: string) =>
  async (world: ControlWorld): Promise<unknown> => {
    const repo = tiny(world, owner);
    const rows = await Promise.all(
      (["pending", "accepted"] as const).map((status) => world.server.gates.list(repo, status, { skip: 0, limit: 9 })),
    );
    return rows.flat();
  };

/* ── what has to be there ───────────────────────────────────────────────── */

const made =
  (owner: string, gated: "no" | "manual") =>
  async ({ hubRepos }: ControlWorld): Promise<void> => {
    await hubRepos.create(repoName("models", owner, "tiny"), { private: false, gated, by: owner });
  };
const model = made("alice", "no");
const gatedModel = async (world: ControlWorld): Promise<void> => {
  await made("alice", "manual")(world);
  await world.catalog.accounts.create({ name: "bob", tier: "free", role: "user", createdAt: world.clock.wall() });
};
const branchAndTag = async (world: ControlWorld): Promise<void> => {
  await model(world);
  const { hub } = world.server;
  const repository = hub.folderOf(tiny(world));
  const commit = (await hub.store.head(repository, "main")) ?? "none";
  await hub.refs.makeBranch({ repository, name: "dev" }, commit, false);
  await hub.refs.makeTag({ repository, name: "v1" }, commit, {
    message: "",
    author: { name: "alice", email: "a" },
    seconds: 1,
  });
};
const talk = async (world: ControlWorld): Promise<void> => {
  await model(world);
  await world.server.discussions.open(tiny(world), { title: "why", description: "so", pull: false }, by);
};
const pull = async (world: ControlWorld): Promise<void> => {
  await model(world);
  const parsed = parsedCommit(files);
  if (parsed.ok) await world.server.discussions.propose(tiny(world), parsed.commit, by);
};
const comment = async (world: ControlWorld): Promise<Readonly<Record<string, string>>> => {
  const [first] = await world.catalog.discussions.events({ repo: tiny(world).stored, num: 1 });
  return { ...here, comment: first?.id ?? "none" };
};

/* ── the verbs ──────────────────────────────────────────────────────────── */

const here = { kind: "models", name: "tiny", num: "1", branch: "dev" } as const;
const path = async (): Promise<Readonly<Record<string, string>>> => here;
const ofTalk = { before: talk, path, shows: talks } as const;

export const hubVerbs: Readonly<Record<string, Verb>> = {
  "POST /api/repos/create": { body: { name: "tiny" }, shows: models },
  "DELETE /api/repos/delete": { before: model, body: { name: "tiny", type: "model" }, shows: models },
  "POST /api/repos/move": {
    before: model,
    body: { fromRepo: "alice/tiny", toRepo: "alice/small", type: "model" },
    shows: models,
  },
  "PUT /api/{kind}/{owner}/{name}/settings": {
    before: model,
    path,
    body: { private: true },
    shows: (world) => tiny(world).private,
  },
  "POST /api/{kind}/{owner}/{name}/duplicate": { before: model, path, body: { repository: "copy" }, shows: models },
  "POST /api/{kind}/{owner}/{name}/user-access-request": {
    before: made("admin", "manual"),
    path: async () => ({ ...here, owner: "admin" }),
    shows: asks("admin"),
  },
  "DELETE /api/{kind}/{owner}/{name}/user-access-request": {
    before: async (world) => {
      await made("admin", "manual")(world);
      await world.server.gates.ask(tiny(world, "admin"), "alice", {});
    },
    path: async () => ({ ...here, owner: "admin" }),
    shows: asks("admin"),
  },
  "POST /api/{kind}/{owner}/{name}/user-access-request/handle": {
    before: async (world) => {
      await gatedModel(world);
      await world.server.gates.ask(tiny(world), "bob", {});
    },
    path,
    body: { user: "bob", status: "accepted" },
    shows: asks("alice"),
  },
  "POST /api/{kind}/{owner}/{name}/user-access-request/grant": {
    before: gatedModel,
    path,
    body: { user: "bob" },
    shows: asks("alice"),
  },
  "POST /api/{kind}/{owner}/{name}/commit/{rev}": { body: files, shows: builds },
  "POST /api/{kind}/{owner}/{name}/branch/{branch}": { before: model, path, shows: refs },
  "DELETE /api/{kind}/{owner}/{name}/branch/{branch}": { before: branchAndTag, path, shows: refs },
  "POST /api/{kind}/{owner}/{name}/tag/{rev}": {
    before: model,
    path,
    body: { tag: "v1", message: "one" },
    shows: refs,
  },
  "DELETE /api/{kind}/{owner}/{name}/tag/{rev}": {
    before: branchAndTag,
    path: async () => ({ ...here, rev: "v1" }),
    shows: refs,
  },
  "POST /api/{kind}/{owner}/{name}/super-squash/{branch}": {
    before: branchAndTag,
    path,
    body: { message: "all" },
    shows: refs,
  },
  "POST /api/{kind}/{owner}/{name}/discussions": { before: model, path, body: { title: "why" }, shows: talks },
  "POST /api/{kind}/{owner}/{name}/discussions/{num}/comment": { ...ofTalk, body: { comment: "then" } },
  "POST /api/{kind}/{owner}/{name}/discussions/{num}/title": { ...ofTalk, body: { title: "how" } },
  "POST /api/{kind}/{owner}/{name}/discussions/{num}/status": {
    ...ofTalk,
    body: { status: "closed", comment: "done" },
  },
  "POST /api/{kind}/{owner}/{name}/discussions/{num}/merge": { before: pull, path, shows: talks },
  "POST /api/{kind}/{owner}/{name}/discussions/{num}/comment/{comment}/edit": {
    ...ofTalk,
    path: comment,
    body: { content: "because" },
  },
  "POST /api/{kind}/{owner}/{name}/discussions/{num}/comment/{comment}/hide": { ...ofTalk, path: comment },
};

/** Commits to what is not a Space's main, by what they are to. */
export const otherCommits: Readonly<Record<string, Verb>> = {
  "to a model": { before: model, path, body: files, shows: refs },
  "that opens a pull request": { before: model, path, query: "?create_pr=1", body: files, shows: refs },
  "to a pull request": {
    before: pull,
    path: async () => ({ ...here, rev: "refs%2Fpr%2F1" }),
    body: commitBytes({ "README.md": "3" }),
    shows: refs,
  },
};

/** Those to which a key is nothing, and why. */
export const hubElsewhere: Readonly<Record<string, string>> = {
  "POST /api/validate-yaml": "it changes nothing",
  "POST /api/{kind}/{owner}/{name}/paths-info/{rev}": "it reads",
  "POST /api/{kind}/{owner}/{name}/preupload/{rev}": "it changes nothing",
};
