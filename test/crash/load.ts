/** What the clients ask of the API: each setting that is written, how it is read again, and what is only read. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Asking } from "../../src/client/api.ts";
import { ApiError } from "../../src/client/errors.ts";
import type { CardView, NodeView } from "../../src/contract/nodes.ts";
import type { Problem } from "../../src/contract/problem.ts";
import type { Account } from "../support/platform.ts";
import { ifKnown, unlessConflict, type Setting } from "./clients.ts";

/** Who writes: an operator, and the owner of Spaces that nothing runs of. */
export interface Writers {
  readonly operator: Account;
  readonly owner: Account;
  readonly url: string;
  /** The data folder, whose repositories git reads. */
  readonly data: string;
  /** Where backups are made. */
  readonly backups: string;
  /** Two releases of {@link pageSpace}. */
  readonly releases: readonly [string, string];
  /** Of the owner's. */
  readonly webhook: string;
}

/** A Space that takes commits and settings and is never built: it is paused. */
export const quietSpace = "owner/quiet";
/** A Space that is paused and resumed. */
export const stillSpace = "owner/still";
/** A Space whose builds fail. */
export const brokenSpace = "owner/broken";
/** A Space with two releases, which is paused. */
export const pageSpace = "owner/page";
/** A Space that is started and stopped. */
export const siteSpace = "owner/site";

const baseMs = 1_000_000;
const baseSeconds = 60;
/** Of the cards that are there, one is taken out of use and given back, and put into another pool and back. */
const drained = { node: "n1", card: 2 } as const;
/** What is taken out of use in turn; what a card says of itself is the widest. */
const drainable = [drained, { pool: "main" }, { node: drained.node }] as const;
/** Calls are to be served most of the time. */
const drainActs = 30;
/** A pool beside the one that serves calls. */
const spare = "spare";
/** An account that nobody calls as: what it is given changes no other's charges. */
export const giftedAccount = "gifted";

export function settingsOf({ operator, owner, url, releases }: Writers): readonly Setting[] {
  return [
    {
      name: "the pool's queue limit",
      // Without a key: its answer waits for nothing but its own record.
      write: (n, asking) =>
        send(url, operator, { method: "PATCH", path: "pools/main", body: { queueLimitMs: baseMs + n }, ...asking }),
      read: async () => (await operator.client.pool("main")).queueLimitMs - baseMs,
    },
    {
      name: "a tier's budget",
      write: (n, asking) => operator.client.changeTier("enterprise", { windowLimitMs: baseMs + n }, asking),
      read: async () => {
        const { tiers } = await operator.client.tiers();
        return (tiers.find(({ name }) => name === "enterprise")?.windowLimitMs ?? 0) - baseMs;
      },
    },
    {
      name: "what a Space's owner pays for visitors",
      write: (n, asking) => owner.client.changeBudget(quietSpace, { limitMs: baseMs + n }, asking),
      read: async () => ((await owner.client.budget(quietSpace)).limitMs ?? 0) - baseMs,
    },
    {
      name: "the pools of a Space's calls",
      write: (n, asking) =>
        operator.client.changeRoute({ space: quietSpace }, { pools: ["main"], moveAfterMs: baseMs + n }, asking),
      read: async () => ((await operator.client.route({ space: quietSpace })).moveAfterMs ?? 0) - baseMs,
    },
    {
      name: "the pools of an account's calls",
      write: (n, asking) =>
        operator.client.changeRoute({ account: giftedAccount }, { pools: ["main"], moveAfterMs: baseMs + n }, asking),
      read: async () => ((await operator.client.route({ account: giftedAccount })).moveAfterMs ?? 0) - baseMs,
    },
    {
      name: "a pool that is made, and its bound",
      write: (n, asking) => operator.client.makePool(spare, { queueMax: n }, asking),
      read: async () => (await operator.client.pool(spare)).queueMax,
    },
    {
      name: "a card's pool",
      write: (n, asking) => operator.client.givePool(drained, n % 2 === 0 ? null : spare, asking),
      read: async (tried) => latest(tried, (await cardOf(operator))?.pool === spare ? 1 : 0),
    },
    {
      name: "a Space's sleep-after",
      write: (n, asking) => owner.client.changeSpace(quietSpace, { "sleep-after": `${n + baseSeconds}s` }, asking),
      read: async () => secondsOf((await owner.client.space(quietSpace)).settings["sleep-after"]) - baseSeconds,
    },
    {
      name: "a Space's sleep time in the Hub's form",
      write: (n, asking) =>
        post(url, owner, { path: `spaces/${stillSpace}/sleeptime`, body: { seconds: n + baseSeconds }, ...asking }),
      read: async () => secondsOf((await owner.client.space(stillSpace)).settings["sleep-after"]) - baseSeconds,
    },
    {
      name: "a Space's hardware",
      write: (n, asking) =>
        post(url, owner, { path: `spaces/${quietSpace}/hardware`, body: { flavor: hardware[n % 2] }, ...asking }),
      read: async (tried) =>
        latest(tried, hardware.indexOf((await owner.client.space(quietSpace)).settings.hardware as "cpu-basic") % 2),
    },
    {
      name: "a drain of a card, a pool or a node",
      // What takes all cards out of use is soon over.
      everyActs: (n) => (n % 2 === 0 ? drainActs : 0),
      write: async (n, asking) => {
        for (const of of drainable) await operator.client.undrain(of, asking);
        const of = drainable[((n - 1) / 2) % drainable.length];
        if (n % 2 === 1 && of) await operator.client.drain(of, { reason: `drain ${n}` }, asking);
      },
      read: async (tried) => {
        // The card may be in the other pool.
        const drain = (await nodeOf(operator))?.drain ?? (await cardOf(operator))?.drain;
        return drain ? Number(/\d+/.exec(drain.reason)) : latest(tried, 0);
      },
    },
    {
      name: "the release that would run",
      write: (n, asking) => owner.client.rollBack(pageSpace, { release: releases[n % 2], ...asking }),
      read: async (tried) => {
        const { release } = await owner.client.space(pageSpace);
        return latest(tried, release === releases[1] ? 1 : 0);
      },
    },
  ];
}

async function nodeOf({ client }: Account): Promise<NodeView | undefined> {
  const { nodes } = await client.nodes();
  return nodes.find(({ name }) => name === drained.node);
}

async function cardOf(operator: Account): Promise<CardView | undefined> {
  return (await nodeOf(operator))?.cards.find(({ index }) => index === drained.card);
}

/** What changes nothing, or nothing that is seen again; none of it may be refused. Resolves with nothing of interest. */
export function questionsOf({ operator, owner, webhook }: Writers): readonly ((asking: Asking) => Promise<unknown>)[] {
  const { client } = operator;
  return [
    () => client.status(),
    () => client.spaces(),
    () => client.quota({ account: "visitor0" }),
    () => owner.client.quote({ space: "owner/app", declaredMs: 5_000 }),
    () => client.gpuQueue(),
    () => client.gpuBoard(),
    () => client.pools(),
    () => client.rules(),
    () => client.tiers(),
    () => client.buildQueue(),
    () => client.requests("owner/app"),
    () => client.releases(pageSpace),
    () => client.runtime("owner/app"),
    async () => {
      const { items } = await client.calls();
      if (items[0]) await client.explain(items[0].id);
    },
    async (asking) => {
      const open = (await client.calls({ account: "visitor0" })).items.find(({ stage }) => stage !== "ended");
      // As if its visitor had left.
      if (open) await unlessConflict(client.cancelCall(open.id, asking));
    },
    () => client.explain("owner/app"),
    () => client.incidents.list(),
    () => client.trials.run({ ...lastMinute(), tiers: { pro: { weight: 2 } } }),
    () => owner.client.webhooks.list(),
    // No more keys than so many are known at a time.
    (asking) => unlessConflict(client.rotateVisitorKeys({}, asking)),
    () => client.receipts.keys(),
    () => client.audit(),
    () => client.accounts(),
    () => owner.client.sessions(),
    () => owner.client.webhooks.deliveries(webhook),
    () => client.domains.list(quietSpace),
    (asking) => client.setPassword(giftedAccount, { password: randomUUID() }, asking),
    // One at a time, and after a start what it had found is not known.
    (asking) => ifKnown(unlessConflict(client.beginHubJob({ kind: "verify" }, asking))),
    (asking) => client.createNodeToken("elsewhere", asking),
    // Just after a start its node may not be connected yet.
    (asking) => ifKnown(client.checkCards(drained.node, asking)),
  ];
}

function lastMinute(): { readonly from: string; readonly to: string } {
  const now = Date.now();
  return { from: new Date(now - 60_000).toISOString(), to: new Date(now).toISOString() };
}

export function repositoryOf(data: string, space: string): string {
  return join(data, "repositories", `${space}.git`);
}

interface Sent extends Asking {
  readonly method: string;
  readonly path: string;
  readonly body: object;
  readonly key?: string;
}

/** A verb that only the Hub's clients have a name for. */
function post(url: string, account: Account, asked: Omit<Sent, "method" | "key">): Promise<void> {
  return send(url, account, { ...asked, method: "POST", key: `"${randomUUID()}"` });
}

/** Sent once. */
export async function send(url: string, { token }: Account, { method, path, body, key, signal }: Sent): Promise<void> {
  const headers = {
    authorization: `Bearer ${token}`,
    "content-type": "application/json",
    ...(key === undefined ? {} : { "idempotency-key": key }),
  };
  const init = { method, headers, body: JSON.stringify(body), signal: signal ?? null };
  const answer = await fetch(`${url}/api/${path}`, init);
  if (!answer.ok) throw new ApiError((await answer.json()) as Problem);
  await answer.body?.cancel();
}

const hardware = ["cpu-basic", "zero-a10g"] as const;

/** The last of the writes until `tried` that leaves this: they alternate. */
export function latest(tried: number, parity: number): number {
  return tried % 2 === parity ? tried : tried - 1;
}

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** `90s`, `30m`, `48h`. */
function secondsOf(length: string): number {
  const [, count = "0", unit = "s"] = /^(\d+)([smhd])$/.exec(length) ?? [];
  return Number(count) * (unitSeconds[unit] ?? 1);
}
