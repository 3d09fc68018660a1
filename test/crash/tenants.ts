/** Who lives on the platform before the first kill: accounts, an app that borrows GPUs, and Spaces that nothing runs of. */
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { WaybillClient } from "../../src/client/api.ts";
import { prng, type Prng } from "../../src/stdx/prng.ts";
import { fixtureFiles, until, type Account, type Platform } from "../support/platform.ts";
import { belongingsLists, belongingsOf, firm } from "./belongings.ts";
import { Asker, ListClient, SettingClient, Visitor, type Client } from "./clients.ts";
import { commitTo, listsOf } from "./lists.ts";
import {
  brokenSpace,
  giftedAccount,
  pageSpace,
  questionsOf,
  quietSpace,
  settingsOf,
  siteSpace,
  stillSpace,
} from "./load.ts";
import type { Findings } from "./promises.ts";
import { fillShelf, repositoryLists, repositorySettings } from "./repositories.ts";

export interface Tenants {
  readonly operator: Account;
  readonly visitors: readonly Account[];
  readonly clients: readonly Client[];
}

const visitorCount = 10;
/** Fewer slots than visitors, so that some wait. */
export const gpus = "3x2";

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
  const releases = [
    await release(up, owner, "page", staticPage("one")),
    await release(up, owner, "page", staticPage("two")),
  ] as const;
  await release(up, owner, "site", site);
  for (const space of [pageSpace, siteSpace]) await owner.client.pause(space, { reason: "nobody visits it" });
  for (const space of [quietSpace, stillSpace, brokenSpace]) {
    await commitTo(owner, space, 0);
    const state = async (): Promise<string> => (await owner.client.space(space)).state;
    await until(`${space} has no README and is not built`, async () => (await state()) === "failing");
  }
  await owner.client.pause(quietSpace, { reason: "only its settings are wanted" });
  const visitors: Account[] = [];
  for (let n = 0; n < visitorCount; n++) visitors.push(await up.account(`visitor${n}`, n % 2 ? "unlimited" : "pro"));
  await fillShelf({ url: up.url, owner }, await up.account(giftedAccount));
  const backups = join(up.folder, "backups");
  mkdirSync(backups);
  await up.admin.createAccount({ name: firm, organisation: true, admin: "owner" });
  await owner.client.addMember(firm, { account: giftedAccount, role: "read" });
  const { id: webhook } = await owner.client.webhooks.add({ url: "https://hooks.example/", description: "hook 0" });
  await owner.client.webhooks.change(webhook, { state: "off" });
  const writers = { operator, owner, url: up.url, data: up.data, backups, releases, webhook };
  const settings = [...settingsOf(writers), ...belongingsOf(writers), ...repositorySettings(writers)];
  for (const setting of settings) await setting.write(0, {}); // What it shows is a write of ours from the start.
  const clients = [
    ...visitors.map((account) => new Visitor(account, { url: app.url, chance: prng(chance.int(2 ** 31)), findings })),
    ...settings.map((setting) => new SettingClient(setting, findings)),
    ...[...listsOf(writers), ...belongingsLists(writers), ...repositoryLists(writers)].map(
      (list) => new ListClient(list, findings),
    ),
    new Asker(questionsOf(writers)),
  ];
  return { operator, visitors, clients };
}

/** Deploys it; gives its release. */
async function release(
  up: Platform,
  owner: Account,
  name: string,
  files: Readonly<Record<string, string>>,
): Promise<string> {
  const { deployed } = await up.deploy(owner, name, { ...noFixture(), ...files });
  if (!deployed.ok || deployed.space.release === null) throw new Error(`${name} does not run: ${deployed.says}`);
  return deployed.space.release;
}

function staticPage(text: string): Record<string, string> {
  return { "README.md": "---\ntitle: Page\nsdk: static\n---\n", "index.html": text };
}

const site: Readonly<Record<string, string>> = {
  "README.md": "---\ntitle: Site\nsdk: node\n---\n",
  "package.json": JSON.stringify({ name: "site", private: true, scripts: { start: "node server.js" } }),
  "server.js": `require("node:http").createServer((_, response) => response.end("site")).listen(process.env.PORT);`,
};

/** With a token that outlives the start that gave it. */
async function operatorOf(up: Platform): Promise<Account> {
  const scopes = ["read", "write", "gpu", "admin"] as const;
  const { token } = await up.admin.createToken({ account: "admin", name: "crash", scopes });
  return { name: "admin", token, client: new WaybillClient({ url: up.url, token }) };
}

/** In place of the fixture's files. */
function appFiles(deeds: string): Record<string, string> {
  const folder = resolve(import.meta.dirname, "app");
  const own = Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "utf8")]));
  return { ...noFixture(), ...own, "ledger.txt": deeds };
}

function noFixture(): Record<string, string> {
  return Object.fromEntries(Object.keys(fixtureFiles()).map((name) => [name, ""]));
}
