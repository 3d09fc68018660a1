/** What repositories have beside commits: models and datasets that come, move and go, tags, pull requests' talk, and who may read. */
import { randomUUID } from "node:crypto";
import type { Asking } from "../../src/client/api.ts";
import type { Account } from "../support/platform.ts";
import { comeAndGo, ifKnown, numberIn, unlessConflict, type List, type Setting } from "./clients.ts";
import { giftedAccount, latest, send, type Writers } from "./load.ts";

/** Whoever may read it asks for that first, and its files and talk are many writes'. */
export const shelf = "shelf";
/** It has another name each time. */
export const roaming = "roaming";
/** Repositories, tags of a kind that are there at a time. */
const keptEach = 5;
/** A repository, a tag or a move takes several processes of git. */
const repositoryActs = 20;

const standings = ["accepted", "rejected"] as const;
const shelfPath = `models/owner/${shelf}`;

/** The model that the rest is about; its first discussion. */
export async function fillShelf({ url, owner }: Pick<Writers, "url" | "owner">, reader: Account): Promise<void> {
  await post(url, owner, "repos/create", { type: "model", name: shelf, files: [readme] });
  await post(url, owner, "repos/create", { type: "model", name: `${roaming}-0` });
  await send(url, owner, { method: "PUT", path: `${shelfPath}/settings`, body: { gated: "manual" } });
  await reader.client.access.ask(shelfPath, {});
  await post(url, owner, `${shelfPath}/discussions`, { title: "title 0", description: "What is on it?" });
}

const readme = {
  path: "README.md",
  content: Buffer.from("A shelf.\n").toString("base64"),
  encoding: "base64",
};

export function repositorySettings({ owner, url }: Writers): readonly Setting[] {
  const discussion = `${shelfPath}/discussions/1`;
  return [
    {
      name: "a discussion's title",
      write: (n, asking) => post(url, owner, `${discussion}/title`, { title: `title ${n}` }, asking),
      read: async () => numberIn((await get<{ title: string }>(url, owner, discussion)).title),
    },
    {
      name: "whether a discussion is open",
      // Asked for once more it is so already.
      write: (n, asking) =>
        unlessConflict(post(url, owner, `${discussion}/status`, { status: n % 2 === 0 ? "open" : "closed" }, asking)),
      read: async (tried) => {
        const { status } = await get<{ status: string }>(url, owner, discussion);
        return latest(tried, status === "closed" ? 1 : 0);
      },
    },
    {
      name: "who may read a gated model",
      // Decided so once more it is in no other list.
      write: (n, asking) => {
        const decision = { user: giftedAccount, status: standings[n % 2] ?? "rejected" };
        return ifKnown(owner.client.access.handle(shelfPath, decision, asking));
      },
      read: async (tried) => {
        const accepted = await owner.client.access.requests(shelfPath, "accepted");
        return latest(tried, accepted.some(({ user }) => user.user === giftedAccount) ? 0 : 1);
      },
    },
    {
      name: "a model's name",
      everyActs: () => repositoryActs,
      write: async (n, asking) => {
        const there = await roamingOf(url, owner);
        if (there === n) return;
        const wish = { fromRepo: `owner/${roaming}-${there}`, toRepo: `owner/${roaming}-${n}`, type: "model" };
        await post(url, owner, "repos/move", wish, asking);
      },
      read: () => roamingOf(url, owner),
    },
  ];
}

export function repositoryLists({ owner, url }: Writers): readonly List[] {
  const tag = (method: "POST" | "DELETE", name: string, asking: Asking) =>
    send(url, owner, {
      method,
      path: `${shelfPath}/tag/${method === "POST" ? "main" : name}`,
      body: method === "POST" ? { tag: name } : {},
      key: keyed(),
      ...asking,
    });
  return [
    ...(["model", "dataset"] as const).map((type) => {
      const ask = (method: string, path: string, name: string, asking: Asking) =>
        send(url, owner, { method, path, body: { type, name }, key: keyed(), ...asking });
      return comeAndGo({
        name: `${type}s`,
        nameOf: (n) => `${type}-${n}`,
        everyActs: () => repositoryActs,
        kept: keptEach,
        make: (name, asking) => ask("POST", "repos/create", name, asking),
        remove: (name, asking) => ask("DELETE", "repos/delete", name, asking),
        there: async () => {
          const listed = await get<readonly { id: string }[]>(url, owner, `${type}s?author=owner&limit=100`);
          return listed.map(({ id }) => id.replace("owner/", "")).filter((name) => name.startsWith(`${type}-`));
        },
      });
    }),
    comeAndGo({
      name: "tags",
      nameOf: (n) => `tag-${n}`,
      everyActs: () => repositoryActs,
      kept: keptEach,
      make: (name, asking) => tag("POST", name, asking),
      remove: (name, asking) => tag("DELETE", name, asking),
      there: async () => {
        const { tags } = await get<{ tags: readonly { name: string }[] }>(url, owner, `${shelfPath}/refs`);
        return tags.map(({ name }) => name);
      },
    }),
    {
      name: "comments",
      nameOf: (n) => `comment ${n}`,
      add: (n, asking) => post(url, owner, `${shelfPath}/discussions/1/comment`, { comment: `comment ${n}` }, asking),
      read: async () => {
        const { events } = await get<Discussion>(url, owner, `${shelfPath}/discussions/1`);
        return events.flatMap(({ data }) => data.latest?.raw ?? []);
      },
    },
  ];
}

interface Discussion {
  readonly events: readonly { readonly data: { readonly latest?: { readonly raw: string } } }[];
}

async function roamingOf(url: string, owner: Account): Promise<number> {
  const listed = await get<readonly { id: string }[]>(url, owner, "models?author=owner&limit=100");
  const names = listed.filter(({ id }) => id.startsWith(`owner/${roaming}-`));
  if (names.length !== 1) throw new Error(`the model that moves is there ${names.length} times`);
  return numberIn(names[0]?.id ?? "");
}

async function get<Found>(url: string, { token }: Account, path: string): Promise<Found> {
  const answer = await fetch(`${url}/api/${path}`, { headers: { authorization: `Bearer ${token}` } });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as Found;
}

function post(url: string, account: Account, path: string, body: object, asking: Asking = {}): Promise<void> {
  return send(url, account, { method: "POST", path, body, key: keyed(), ...asking });
}

const keyed = (): string => `"${randomUUID()}"`;
