/** What the clients ask of the API: each setting and list that is written, and how it is read again. */
import { execFileSync } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { WaybillClient, type Asking } from "../../src/client/api.ts";
import type { Account } from "../support/platform.ts";
import { ifKnown, type List, type Setting } from "./clients.ts";

/** Who writes: an operator, and the owner of Spaces that nothing runs of. */
export interface Writers {
  readonly operator: Account;
  readonly owner: Account;
  readonly url: string;
  /** The bare repository of {@link quietSpace}, which git reads. */
  readonly repository: string;
}

/** A Space that takes commits and settings and is never built: it is paused. */
export const quietSpace = "owner/quiet";
/** A Space that is paused and resumed. */
export const stillSpace = "owner/still";

/** Variables that the Space has at a time, and secrets: it may not have many. */
const keptEach = 20;
const baseMs = 1_000_000;
/** A commit takes several processes of git; without a pause they would be most of the load. */
const commitEveryMs = 200;

export function settingsOf({ operator, owner }: Writers): readonly Setting[] {
  return [
    {
      name: "the pool's queue limit",
      write: (n, asking) => operator.client.changePool("main", { queueLimitMs: baseMs + n }, asking),
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
      name: "a Space's sleep-after",
      write: (n, asking) => owner.client.changeSpace(quietSpace, { "sleep-after": `${n + 60}s` }, asking),
      read: async () => secondsOf((await owner.client.space(quietSpace)).settings["sleep-after"]) - 60,
    },
  ];
}

export function listsOf({ operator, owner, url, repository }: Writers): readonly List[] {
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
        await owner.client.setVariable(quietSpace, { key: `V_${n}`, value: String(n) }, asking);
        const kept = Object.keys(await owner.client.variables(quietSpace));
        if (kept.length > keptEach) await owner.client.unsetVariable(quietSpace, kept[0] ?? "");
      },
      read: async () => setsOf(owner, "variable"),
    },
    {
      name: "secrets",
      nameOf: (n) => `S_${n}`,
      add: async (n, asking) => {
        await owner.client.setSecret(quietSpace, { key: `S_${n}`, value: `secret ${n}` }, asking);
        const kept = Object.keys(await owner.client.secrets(quietSpace));
        if (kept.length > keptEach) await owner.client.unsetSecret(quietSpace, kept[0] ?? "");
      },
      read: async () => setsOf(owner, "secret"),
    },
    {
      name: "pauses",
      nameOf: (n) => `reason ${n}`,
      add: async (n, asking) => {
        // Paused a second time it stays as it is.
        await owner.client.resume(stillSpace, asking);
        await owner.client.pause(stillSpace, { reason: `reason ${n}`, ...asking });
      },
      read: async () => {
        const { items } = await owner.client.spaceEvents(stillSpace);
        return items.flatMap(({ reason }) => /^reason \d+$/.exec(reason.says) ?? []);
      },
    },
    {
      name: "commits",
      nameOf: (n) => `commit ${n}`,
      add: async (n, asking) => {
        await delay(n % commitEveryMs);
        await commitTo(owner, quietSpace, n, asking);
      },
      read: async () => subjectsOf(repository),
    },
  ];
}

/** A commit that no build is made of: it has no README. */
export function commitTo({ client }: Account, space: string, n: number, asking: Asking = {}): Promise<unknown> {
  const lines = [
    { key: "header", value: { summary: `commit ${n}`, description: "" } },
    { key: "file", value: { path: "n.txt", content: Buffer.from(String(n)).toString("base64"), encoding: "base64" } },
  ];
  return client.commit(space, Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join("")), asking);
}

/** The subjects of its newest commits. */
function subjectsOf(repository: string): readonly string[] {
  const args = ["--git-dir", repository, "log", "-n", "200", "--format=%s", "main"];
  return execFileSync("git", args, { encoding: "utf8" }).trim().split("\n");
}

async function setsOf({ client }: Account, kind: "variable" | "secret"): Promise<readonly string[]> {
  const { items } = await client.environmentChanges(quietSpace);
  return items.filter((item) => item.kind === kind && item.action === "set").map(({ name }) => name);
}

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** `90s`, `30m`, `48h`. */
function secondsOf(length: string): number {
  const [, count = "0", unit = "s"] = /^(\d+)([smhd])$/.exec(length) ?? [];
  return Number(count) * (unitSeconds[unit] ?? 1);
}
