/** What the clients add to: accounts, variables, secrets, states of Spaces, commits, builds and backups; and how each is found again. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { WaybillClient, type Asking } from "../../src/client/api.ts";
import type { CommitView } from "../../src/contract/api.ts";
import type { Account } from "../support/platform.ts";
import { ifKnown, unlessConflict, type List } from "./clients.ts";
import { brokenSpace, giftedAccount, quietSpace, repositoryOf, siteSpace, stillSpace, type Writers } from "./load.ts";

/** Variables that the Space has at a time, and secrets: it may not have many. */
const keptEach = 20;
/**
 * A commit takes several processes of git, as a build and a replica do: done as often as all else they would be most of the load. So each
 * comes once in so many acts of all clients, commits up to so many.
 */
const commitActsMax = 8;
const buildActs = 12;
const restartActs = 50;
/** It copies the whole folder. */
const backupActs = 40;

export function listsOf({ operator, owner, url, data, backups }: Writers): readonly List[] {
  const tokens = new Map<string, string>();
  return [
    {
      name: "accounts and tokens",
      nameOf: (n) => `member${n}`,
      add: async (n, asking) => {
        const { account, token } = await operator.client.createToken({ account: `member${n}`, create: true }, asking);
        tokens.set(account, token);
      },
      // One whose token was never told is not asked for.
      read: async (wishes) => {
        const known = wishes.flatMap(({ name }) => tokens.get(name) ?? []);
        const whoever = known.map((token) => ifKnown(new WaybillClient({ url, token }).whoami()));
        return (await Promise.all(whoever)).flatMap((who) => who?.name ?? []);
      },
    },
    {
      name: "variables",
      nameOf: (n) => `V_${n}`,
      add: async (n, asking) => {
        const set = await owner.client.setVariable(quietSpace, { key: `V_${n}`, value: String(n) }, asking);
        const kept = Object.keys(set);
        if (kept.length > keptEach) await owner.client.unsetVariable(quietSpace, kept[0] ?? "", asking);
      },
      read: async () => setsOf(owner, "variable"),
    },
    {
      name: "secrets",
      nameOf: (n) => `S_${n}`,
      add: async (n, asking) => {
        await owner.client.setSecret(quietSpace, { key: `S_${n}`, value: `secret ${n}` }, asking);
        const kept = Object.keys(await owner.client.secrets(quietSpace));
        if (kept.length > keptEach) await owner.client.unsetSecret(quietSpace, kept[0] ?? "", asking);
      },
      read: async () => setsOf(owner, "secret"),
    },
    giftsList(operator),
    {
      name: "pauses",
      nameOf: (n) => `reason ${n}`,
      add: async (n, asking) => {
        // Paused a second time it stays as it is.
        await owner.client.resume(stillSpace, asking);
        await owner.client.pause(stillSpace, { reason: `reason ${n}`, ...asking });
      },
      read: () => pausesOf(owner, stillSpace),
    },
    {
      name: "restarts, stops and pauses",
      nameOf: (n) => `reason ${n}`,
      everyActs: () => restartActs,
      add: async (n, asking) => {
        // Refused where its node has not come back yet after a start.
        if (!(await unlessConflict(owner.client.restart(siteSpace, asking)))) return false;
        await owner.client.stop(siteSpace, asking);
        await owner.client.pause(siteSpace, { reason: `reason ${n}`, ...asking });
        return true;
      },
      // An event that it is to be paused, and one that it is, where its app had to end first.
      read: async () => [...new Set(await pausesOf(owner, siteSpace))],
    },
    {
      name: "commits",
      nameOf: (n) => `commit ${n}`,
      everyActs: (n) => n % commitActsMax,
      add: (n, asking) => commitTo(owner, quietSpace, n, asking),
      read: async () => commitsOf(repositoryOf(data, quietSpace)).map(({ subject }) => subject),
    },
    buildsList(owner, operator, data),
    {
      name: "backups",
      nameOf: (n) => join(backups, String(n)),
      everyActs: () => backupActs,
      // Asked for again after a kill it is refused: what the first left in that folder is no backup. Who waits for one over a start is told
      // that it is not known.
      add: async (n, asking) =>
        (await ifKnown(unlessConflict(operator.client.backup({ folder: join(backups, String(n)) }, asking)))) ?? false,
      read: async (wishes) => {
        const whole = wishes.map(({ name }) => name).filter(isBackup);
        for (const name of whole.slice(0, -1)) rmSync(name, { recursive: true });
        return whole;
      },
    },
  ];
}

/** A commit that no build can be made of: it has no README. */
export function commitTo({ client }: Account, space: string, n: number, asking: Asking = {}): Promise<CommitView> {
  const lines = [
    { key: "header", value: { summary: `commit ${n}`, description: "" } },
    { key: "file", value: { path: "n.txt", content: Buffer.from(String(n)).toString("base64"), encoding: "base64" } },
  ];
  return client.commit(space, Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join("")), asking);
}

/** Odd: credits that an account is given. Even: all that it has, taken back. */
function giftsList({ client }: Account): List {
  const standing = async () => (await client.quota({ account: giftedAccount })).allowances;
  return {
    name: "allowances",
    nameOf: (n) => (n % 2 === 1 ? `gift ${n}` : `gift ${n - 1}, taken back`),
    add: async (n, asking) => {
      const reason = `gift ${n}`;
      if (n % 2 === 1) return client.allow({ account: giftedAccount, kind: "credits", ms: n, reason }, asking);
      for (const { id } of await standing()) await client.revoke(id, { account: giftedAccount, reason }, asking);
      return true;
    },
    read: async (wishes) => {
      const there = (await standing()).map(({ reason }) => reason);
      const isOver = (gift: string): boolean => !there.includes(gift);
      const back = wishes
        .map(({ name }) => name)
        .filter((name) => name.endsWith(", taken back") && isOver(giftOf(name)));
      // What is taken back, or may have been, was there.
      return [...there, ...back, ...back.map(giftOf)];
    },
  };
}

const giftOf = (name: string): string => name.replace(", taken back", "");

/** Odd: a commit's build, moved up the queue, which fails. Even: that build once more, cancelled where there is time for it. */
function buildsList(owner: Account, operator: Account, data: string): List {
  let last: { readonly n: number; readonly build: string } | undefined;
  return {
    name: "builds",
    nameOf: (n) => (n % 2 === 1 ? `commit ${n}` : `commit ${n - 1} again`),
    // What an odd one began is gone on with at once.
    everyActs: (n) => (n % 2 === 0 ? buildActs : 0),
    add: async (n, asking) => {
      if (n % 2 === 1) {
        const { build } = await commitTo(owner, brokenSpace, n, asking);
        if (build === null) return false;
        last = { n, build };
        await unlessConflict(operator.client.prioritizeBuild(build, n % 100, asking));
        return true;
      }
      if (last?.n !== n - 1) return false;
      if ((await owner.client.build(last.build)).outcome === null) return false;
      const { id } = await owner.client.retryBuild(last.build, asking);
      await unlessConflict(owner.client.cancelBuild(id, asking));
      return true;
    },
    read: async () => {
      const subjects = new Map(commitsOf(repositoryOf(data, brokenSpace)).map(({ oid, subject }) => [oid, subject]));
      const { items } = await owner.client.builds(brokenSpace);
      const names = (again: boolean): string[] =>
        items.filter(({ retryOf }) => (retryOf !== null) === again).map(({ commit }) => `${subjects.get(commit)}`);
      // A start builds the commit that a kill cut off; sent again when that build has failed, it is built once more (decision 40).
      return [...new Set(names(false)), ...names(true).map((name) => `${name} again`)];
    },
  };
}

/** With all the files that it lists. */
function isBackup(folder: string): boolean {
  const list = join(folder, "backup.json");
  if (!existsSync(list)) return false;
  const { files } = JSON.parse(readFileSync(list, "utf8")) as { files: readonly { path: string }[] };
  return files.every(({ path }) => existsSync(join(folder, path)));
}

/** Its newest commits. */
function commitsOf(repository: string): readonly { readonly oid: string; readonly subject: string }[] {
  const args = ["--git-dir", repository, "log", "-n", "200", "--format=%H %s", "main"];
  const lines = execFileSync("git", args, { encoding: "utf8" }).trim().split("\n");
  return lines.map((line) => ({ oid: line.split(" ", 1)[0] ?? "", subject: line.slice(line.indexOf(" ") + 1) }));
}

async function pausesOf({ client }: Account, space: string): Promise<readonly string[]> {
  const { items } = await client.spaceEvents(space);
  return items.flatMap(({ reason }) => /^reason \d+$/.exec(reason.says) ?? []);
}

async function setsOf({ client }: Account, kind: "variable" | "secret"): Promise<readonly string[]> {
  const { items } = await client.environmentChanges(quietSpace);
  return items.filter((item) => item.kind === kind && item.action === "set").map(({ name }) => name);
}
