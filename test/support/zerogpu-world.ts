/** The Space of `test/apps/zerogpu` on a platform of its own, and people who call it with either of Gradio's clients. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { CallView } from "../../src/contract/api.ts";
import { readPlan } from "../../src/runtime/folder.ts";
import { callsOf, listOf } from "./calls.ts";
import { nodeCaller, pythonCaller, type GradioCaller, type Said } from "./gradio-callers.ts";
import { told } from "./gradio-app.ts";
import { until, type Account, type App, type Platform } from "./platform.ts";
import { deployWithPackages } from "./run.ts";
import type { Ended, Kind } from "./zerogpu-kinds.ts";

const folder = resolve(import.meta.dirname, "../apps/zerogpu");
/** The files that `deploy` would add. */
const nothingElse = { "package.json": "", "server.js": "", "work.js": "" };

/** A person with an account, or an address that has one by itself, and the client that they call with. */
export interface Visitor {
  readonly account: Pick<Account, "name" | "client"> & { readonly token?: string };
  readonly caller: GradioCaller;
}

export interface Versions {
  /** `sdk_version` of the Space. */
  readonly gradio: string;
  /** What its requirements.txt says; without it, the one of Gradio's time. */
  readonly spaces?: string;
}

export class ZeroGpuSpace implements AsyncDisposable {
  readonly up: Platform;
  readonly owner: Account;
  readonly app: App;
  /** One who calls with `@gradio/client`, and one with the `gradio_client` of the Space's own environment. */
  readonly visitors: readonly [Visitor, Visitor];

  private constructor(up: Platform, owner: Account, app: App, visitors: readonly [Visitor, Visitor]) {
    this.up = up;
    this.owner = owner;
    this.app = app;
    this.visitors = visitors;
  }

  /** Deploys it to a platform that runs; `name` is the Space's, and part of its visitors'. */
  static async deploy(up: Platform, owner: Account, name: string, versions: Versions): Promise<ZeroGpuSpace> {
    const app = await deployWithPackages(up, owner, name, { ...nothingElse, ...zeroGpuFiles(versions) });
    assert.equal(app.deployed.ok, true, `${app.deployed.says}\n${await lastWords(up, app)}`);
    const python = readPlan((await up.replica(app.space)).folder)?.release.argv?.[0] ?? "";
    return new ZeroGpuSpace(up, owner, app, [
      { account: await up.account(`${name}-node`, "pro"), caller: nodeCaller() },
      { account: await up.account(`${name}-python`, "pro"), caller: pythonCaller(python) },
    ]);
  }

  /** Someone without an account. */
  stranger(caller: GradioCaller): Visitor {
    return { account: { name: "address:127.0.0.1", client: this.up.admin }, caller };
  }

  say({ account, caller }: Visitor, api: string, x: number): Promise<Said> {
    return caller.call({ url: this.app.url, api, x, token: account.token });
  }

  /** Makes the call and waits for its receipt. The visitor makes no other meanwhile. */
  async call(visitor: Visitor, { api, x, paidBy }: Pick<Kind, "api" | "x" | "paidBy">): Promise<Ended> {
    const payer = paidBy === "owner" ? this.owner : visitor.account;
    const before = await callsOf(payer);
    const said = await this.say(visitor, api, x);
    const call = await until(
      `the call of ${api} has its receipt`,
      async () => (await listOf(payer)).find(({ id, receipt }) => !before.has(id) && receipt !== null),
      receiptWithinMs,
    );
    return { said, ...(await this.about(call)) };
  }

  async about(call: CallView): Promise<Omit<Ended, "said">> {
    const { receipt } = await this.up.admin.receipt(call.id);
    const asked = call.request === null ? null : await told(this.up, call.request);
    return { call, receipt, explained: await this.up.admin.explain(call.id), asked };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { caller } of this.visitors) await caller[Symbol.asyncDispose]();
  }
}

/** After its answer a call has its receipt at once; a worker that has to be ended takes up to a second; more is a failure. */
const receiptWithinMs = 180_000;

export function zeroGpuFiles({ gradio, spaces }: Versions): Record<string, string> {
  const readme = readFileSync(join(folder, "README.md"), "utf8").replace(/sdk_version: .*/, `sdk_version: ${gradio}`);
  const requirements = spaces === undefined ? "" : `spaces==${spaces}\n`;
  return {
    "README.md": readme,
    "app.py": readFileSync(join(folder, "app.py"), "utf8"),
    "requirements.txt": requirements,
  };
}

/** What its build and its app printed. */
async function lastWords(up: Platform, { space }: App): Promise<string> {
  const lines: string[] = [];
  const { build } = await up.admin.space(space);
  if (build) for await (const { text } of up.admin.buildLog(build.id)) lines.push(text);
  return [...lines, ...(await up.logTexts(space))].slice(-40).join("\n");
}
