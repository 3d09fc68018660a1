/**
 * What people, Spaces and operators have beside calls and builds: members, domains, webhooks, tokens, keys, storage, incidents; each
 * written, and read again after a kill.
 */
import { WaybillClient } from "../../src/client/api.ts";
import { comeAndGo, ifKnown, numberIn, unlessConflict, type List, type Setting } from "./clients.ts";
import { giftedAccount, latest, quietSpace, type Writers } from "./load.ts";

/** An organisation of the owner's. */
export const firm = "firm";
const roles = ["read", "write"] as const;
const domain = "crash.example";
/** Webhooks that come and go: so many are there at a time. */
const webhooksKept = 3;
/** The log of receipts has no more keys than it takes changes of them; a few of a run show what there is to show. */
const keyActs = 500;
const baseBytes = 1_000_000;

/** `webhook`: the id of one of the owner's. */
export function belongingsOf({ operator, owner, webhook }: Writers): readonly Setting[] {
  return [
    {
      name: "a member's role",
      write: (n, asking) =>
        owner.client.changeMember(firm, { account: giftedAccount, role: roles[n % 2] ?? "read" }, asking),
      read: async (tried) => {
        const role = (await owner.client.members(firm)).find(({ user }) => user === giftedAccount)?.role;
        return latest(tried, role === roles[1] ? 1 : 0);
      },
    },
    {
      name: "a Space's own domain",
      // Asked for again it is there, or gone, already.
      write: (n, asking) =>
        n % 2 === 1
          ? operator.client.domains.add(quietSpace, { name: domain, withoutProof: true }, asking)
          : ifKnown(operator.client.domains.remove(quietSpace, domain, asking)),
      read: async (tried) => {
        const { items } = await owner.client.domains.list(quietSpace);
        return latest(tried, items.some(({ name }) => name === domain) ? 1 : 0);
      },
    },
    {
      name: "what a webhook is for",
      write: (n, asking) => owner.client.webhooks.change(webhook, { description: `hook ${n}` }, asking),
      read: async () => numberIn((await owner.client.webhooks.show(webhook)).description ?? ""),
    },
    {
      name: "what an account may keep",
      write: (n, asking) => operator.client.setStorage(giftedAccount, { maxBytes: baseBytes + n }, asking),
      read: async () => {
        const { accounts } = await operator.client.storageUsage();
        return (accounts.find(({ account }) => account === giftedAccount)?.maxBytes ?? 0) - baseBytes;
      },
    },
  ];
}

export function belongingsLists({ operator, owner, url, webhook }: Writers): readonly List[] {
  const revoked = new Map<string, string>();
  const keys = new Map<string, string>();
  const coming = async () => (await owner.client.webhooks.list()).items.filter(({ id }) => id !== webhook);
  return [
    {
      name: "tokens that are taken back",
      nameOf: (n) => `taken back ${n}`,
      add: async (n, asking) => {
        const made = await operator.client.createToken({ account: giftedAccount, name: `taken back ${n}` }, asking);
        await operator.client.revokeToken(made.id, asking);
        revoked.set(`taken back ${n}`, made.token);
      },
      // What shows is that such a token opens nothing.
      read: async (wishes) => {
        const asked = wishes.map(async ({ name }) => {
          const token = revoked.get(name);
          const who = token && (await ifKnown(new WaybillClient({ url, token }).whoami()));
          return token !== undefined && who === undefined ? [name] : [];
        });
        return (await Promise.all(asked)).flat();
      },
    },
    comeAndGo({
      name: "webhooks",
      nameOf: (n) => `comes and goes ${n}`,
      kept: webhooksKept,
      make: async (name, asking) => {
        const { id } = await owner.client.webhooks.add({ url: "https://hooks.example/", description: name }, asking);
        await owner.client.webhooks.rotate(id, asking);
      },
      remove: async (name, asking) => {
        for (const { id, description } of await coming())
          if (description === name) await owner.client.webhooks.remove(id, asking);
      },
      there: async () => (await coming()).flatMap(({ description }) => description ?? []),
    }),
    {
      name: "keys of the log of receipts",
      nameOf: (n) => `key ${n}`,
      everyActs: () => keyActs,
      add: async (n, asking) => {
        const now = await operator.client.receipts.rotateKey(asking);
        keys.set(`key ${n}`, now.keys.at(-1)?.kid ?? "");
      },
      read: async (wishes) => {
        const there = new Set((await operator.client.receipts.keys()).keys.map(({ kid }) => kid));
        return wishes.map(({ name }) => name).filter((name) => there.has(keys.get(name) ?? ""));
      },
    },
    {
      name: "notes beside incidents",
      nameOf: (n) => `note ${n}`,
      add: async (n, asking) => {
        const [newest] = (await operator.client.incidents.list()).items;
        if (newest === undefined) return false;
        if (n % 2 === 0) await unlessConflict(operator.client.incidents.close(newest.id, { says: "closed" }, asking));
        await operator.client.incidents.note(newest.id, { says: `note ${n}` }, asking);
        return true;
      },
      read: async () => {
        const { items } = await operator.client.incidents.list();
        return items.flatMap(({ notes }) => notes.map(({ says }) => says));
      },
    },
  ];
}
