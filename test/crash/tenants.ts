/** Who lives on the platform before the first kill: accounts, an app that borrows GPUs, and Spaces that nothing runs of. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { WaybillClient } from "../../src/client/api.ts";
import { prng, type Prng } from "../../src/stdx/prng.ts";
import { fixtureFiles, until, type Account, type Platform } from "../support/platform.ts";
import { ListClient, SettingClient, Visitor, type Client } from "./clients.ts";
import { commitTo, listsOf, quietSpace, settingsOf, stillSpace } from "./load.ts";
import type { Findings } from "./promises.ts";

export interface Tenants {
  readonly operator: Account;
  readonly visitors: readonly Account[];
  readonly clients: readonly Client[];
}

const visitorCount = 10;
/** Fewer slots than visitors, so that some wait. */
export const gpus = "2x4";

/** `deeds`: the file in which the app writes down what it was answered. */
export async function moveIn(
  up: Platform,
  deeds: string,
  { chance, findings }: { chance: Prng; findings: Findings },
): Promise<Tenants> {
  const operator = await operatorOf(up);
  const owner = await up.account("owner");
  const app = await up.deploy(owner, "app", appFiles(deeds));
  if (!app.deployed.ok) throw new Error(`the app does not run: ${app.deployed.says}`);
  for (const space of [quietSpace, stillSpace]) {
    await commitTo(owner, space, 0);
    const state = async (): Promise<string> => (await owner.client.space(space)).state;
    await until(`${space} has no README and is not built`, async () => (await state()) === "failing");
  }
  await owner.client.pause(quietSpace, { reason: "only its settings are wanted" });
  const visitors: Account[] = [];
  for (let n = 0; n < visitorCount; n++) visitors.push(await up.account(`visitor${n}`, n % 2 ? "unlimited" : "pro"));
  const repository = join(up.data, "repositories", `${quietSpace}.git`);
  const writers = { operator, owner, url: up.url, repository };
  const clients = [
    ...visitors.map((account) => new Visitor(account, { url: app.url, chance: prng(chance.int(2 ** 31)), findings })),
    ...settingsOf(writers).map((setting) => new SettingClient(setting, findings)),
    ...listsOf(writers).map((list) => new ListClient(list, findings)),
  ];
  return { operator, visitors, clients };
}

/** With a token that outlives the start that gave it. */
async function operatorOf(up: Platform): Promise<Account> {
  const scopes = ["read", "write", "gpu", "admin"] as const;
  const { token } = await up.admin.createToken({ account: "admin", name: "crash", scopes });
  return { name: "admin", token, client: new WaybillClient({ url: up.url, token }) };
}

/** In place of the fixture's files. */
function appFiles(deeds: string): Record<string, string> {
  const folder = resolve(import.meta.dirname, "app");
  const none = Object.fromEntries(Object.keys(fixtureFiles()).map((name) => [name, ""]));
  const own = Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "utf8")]));
  return { ...none, ...own, "ledger.txt": deeds };
}
