/** What people and Spaces have beside calls and builds: members, domains, webhooks, models; each written, and read again after a kill. */
import { randomUUID } from "node:crypto";
import type { Asking } from "../../src/client/api.ts";
import { ifKnown, type List, type Setting } from "./clients.ts";
import { giftedAccount, latest, quietSpace, send, type Writers } from "./load.ts";

/** An organisation of the owner's. */
export const firm = "firm";
const roles = ["read", "write"] as const;
const domain = "crash.example";
/** Models that are there at a time. */
const modelsKept = 5;
/** A repository takes several processes of git. */
const modelActs = 20;

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
      read: async () => Number(/\d+/.exec((await owner.client.webhooks.show(webhook)).description ?? "") ?? -1),
    },
  ];
}

/** Models that are made, a few of them kept. */
export function modelsList({ owner, url }: Pick<Writers, "owner" | "url">): List {
  const ask = (method: string, path: string, name: string, asking: Asking) =>
    send(url, owner, { method, path, body: { type: "model", name }, key: `"${randomUUID()}"`, ...asking });
  /** Acknowledged as made, oldest first. */
  const made: string[] = [];
  /** Whose deletion was asked for, and whether it was acknowledged. */
  const deleted = new Map<string, boolean>();
  return {
    name: "models",
    nameOf: (n) => `model-${n}`,
    everyActs: () => modelActs,
    add: async (n, asking) => {
      await ask("POST", "repos/create", `model-${n}`, asking);
      made.push(`model-${n}`);
      const oldest = made.length > modelsKept ? made.shift() : undefined;
      if (oldest === undefined) return;
      deleted.set(oldest, false);
      await ask("DELETE", "repos/delete", oldest, asking);
      deleted.set(oldest, true);
    },
    read: async (wishes) => {
      const answer = await fetch(`${url}/api/models?author=owner&limit=100`, {
        headers: { authorization: `Bearer ${owner.token}` },
      });
      const listed = (await answer.json()) as readonly { readonly id: string }[];
      const there = listed.map(({ id }) => id.replace("owner/", ""));
      const back = there.filter((name) => deleted.get(name) === true);
      if (back.length > 0) throw new Error(`deleted, and there again: ${back.join(", ")}`);
      // One whose deletion was asked for may be there or not.
      return [...there, ...wishes.map(({ name }) => name).filter((name) => deleted.has(name) && !there.includes(name))];
    },
  };
}
