/**
 * What people are told who sign in at the console, and cannot. None of it is work with a waybill: the platform's answer itself is what is
 * compared with the truth.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Problem } from "../../../src/contract/problem.ts";
import { get } from "../../support/edge-load.ts";
import { ScriptedProvider } from "../../support/openid-providers.ts";
import { until, visit } from "../../support/platform.ts";
import { seen } from "../answers.ts";
import { proved, type FaultCase, type Injected, type Stage } from "../case.ts";

const password = "correct horse battery staple";
/** Where nobody listens: a name that the platform takes for its own over plain HTTP. */
export const plainConsole = "waybill.lan";

/** The provider that people of the stage `doors` may sign in by. */
export class Doors implements AsyncDisposable {
  readonly provider: ScriptedProvider;
  readonly #folder: string;

  private constructor(provider: ScriptedProvider, folder: string) {
    this.provider = provider;
    this.#folder = folder;
  }

  static async open(): Promise<Doors> {
    const provider = await ScriptedProvider.listen();
    const folder = mkdtempSync(join(tmpdir(), "wb-doors-"));
    writeFileSync(join(folder, "secret"), "s3cret\n", { mode: 0o600 });
    const one = { name: "scripted", issuer: provider.issuer, "client-id": "wb", "secret-file": "secret" };
    writeFileSync(join(folder, "sign-in.json"), JSON.stringify({ providers: [one] }));
    return new Doors(provider, folder);
  }

  get env(): Readonly<Record<string, string>> {
    return { WAYBILL_SIGN_IN: join(this.#folder, "sign-in.json"), WAYBILL_CONSOLE_HOST: plainConsole };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.provider[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true });
  }
}

export const signInCases: readonly FaultCase[] = [
  {
    code: "identity/session-ended",
    how: "a browser comes to an app by a session that has been ended",
    on: "main",
    certainty: proved,
    async inject(stage) {
      const { cookie, session } = await handedOver(stage);
      await stage.alice.client.endSession(session);
      const late = await until("the session has ended", async () => {
        const answer = await visit(`${stage.app.url}/`, undefined, { headers: { cookie } });
        return answer.status === 200 ? undefined : answer;
      });
      return seen(late, 401);
    },
  },
  {
    code: "identity/cross-site",
    how: "a page of another site asks an app with a visitor's cookie",
    on: "main",
    certainty: proved,
    async inject(stage) {
      const { cookie } = await handedOver(stage);
      const headers = { cookie, origin: "https://elsewhere.example" };
      return seen(await visit(`${stage.app.url}/`, undefined, { headers, method: "POST" }), 403);
    },
  },
  {
    code: "identity/missing",
    how: "a program asks the API without a token",
    on: "main",
    certainty: proved,
    inject: async ({ up }) => told(await fetch(`${up.url}/api/tokens`)),
  },
  {
    code: "identity/bad-ticket",
    how: "somebody comes to an app with a ticket that was never given",
    on: "main",
    certainty: proved,
    inject: async ({ app }) => told(await fetch(`${app.url}/.waybill/enter?ticket=none`, { redirect: "manual" })),
  },
  {
    code: "identity/bad-password",
    how: "a password that is another one's",
    on: "doors",
    certainty: proved,
    async inject(stage) {
      await stage.up.admin.setPassword("alice", { password });
      return told(await login(stage, { name: "alice", password: "wrong horse battery staple" }));
    },
  },
  {
    code: "identity/bad-link",
    how: "the code of a link that was never printed",
    on: "doors",
    certainty: proved,
    inject: async (stage) => told(await login(stage, { code: "none" })),
  },
  {
    code: "identity/too-many-tries",
    how: "somebody guesses at a password",
    on: "doors",
    certainty: proved,
    async inject(stage) {
      await stage.up.account("guessed");
      await stage.up.admin.setPassword("guessed", { password });
      const wrong = { name: "guessed", password: "wrong horse battery staple" };
      return told(
        await until("it is stopped", async () => {
          const answer = await login(stage, wrong);
          return answer.status === 401 ? undefined : answer;
        }),
      );
    },
  },
  {
    code: "identity/insecure",
    how: "a browser comes to the console over plain HTTP from a network",
    on: "doors",
    certainty: proved,
    async inject({ up }) {
      const { status, text } = await get(`${up.url}/login`, { headers: { host: plainConsole } });
      return { told: JSON.parse(text) as Problem, also: () => (status === 403 ? undefined : `was ${status}`) };
    },
  },
  {
    code: "identity/provider-down",
    how: "a sign-in provider answers with an error of its own",
    on: "doors",
    certainty: proved,
    inject: (stage) => byProvider(stage, { token: 503 }),
  },
  {
    code: "identity/provider-answer",
    how: "a sign-in provider says who somebody is in a token that nobody published the key of",
    on: "doors",
    certainty: proved,
    inject: (stage) => byProvider(stage, { forged: true }),
  },
  {
    code: "identity/sign-in-ended",
    how: "somebody says no at the sign-in provider",
    on: "doors",
    certainty: proved,
    inject: (stage) => byProvider(stage, { callback: { error: "access_denied", code: "" } }),
  },
  {
    code: "identity/no-account",
    how: "somebody comes from a sign-in provider, and is nobody here",
    on: "doors",
    certainty: proved,
    inject: (stage) => byProvider(stage, {}),
  },
];

async function told(answer: Response): Promise<Injected> {
  return { told: (await answer.json()) as Problem };
}

function login({ up }: Stage, fields: Readonly<Record<string, string>>): Promise<Response> {
  const body = new URLSearchParams(fields);
  return fetch(`${up.url}/login`, { method: "POST", body, headers: { origin: up.url }, redirect: "manual" });
}

const cookieOf = (answer: Response, name: string): string =>
  answer.headers
    .getSetCookie()
    .map((line) => line.split(";", 1)[0] ?? "")
    .find((pair) => pair.startsWith(`${name}=`)) ?? "";

/** Alice signs in at the console and is sent on to the app, step by step as a browser is. */
async function handedOver(stage: Stage): Promise<{ readonly cookie: string; readonly session: string }> {
  const { up, alice, app } = stage;
  await up.admin.setPassword("alice", { password });
  const signedIn = cookieOf(await login(stage, { name: "alice", password }), "__Host-waybill-console");
  const go = (url: string, cookie: string): Promise<Response> =>
    fetch(url, { headers: { cookie }, redirect: "manual" });
  const to = (answer: Response): string => answer.headers.get("location") ?? "";
  const begun = await go(`${app.url}/.waybill/sign-in`, "");
  const ticket = await go(to(begun), signedIn);
  const entered = await go(to(ticket), cookieOf(begun, "__Host-waybill-state"));
  const cookie = cookieOf(entered, "__Host-waybill-visit");
  const answer = await visit(`${app.url}/`, undefined, { headers: { cookie } });
  if (answer.status !== 200) throw new Error(`the session was not handed over: ${answer.status} ${answer.text}`);
  const [session] = (await alice.client.sessions()).items;
  return { cookie, session: session?.id ?? "" };
}

/** A browser leaves for the provider, which then says so, and comes back. */
async function byProvider({ up, doors }: Stage, says: ScriptedProvider["says"]): Promise<Injected> {
  doors.provider.says = says;
  const left = await fetch(`${up.url}/login/with/scripted`, { redirect: "manual" });
  const there = await fetch(left.headers.get("location") ?? "", { redirect: "manual" });
  const cookie = cookieOf(left, "__Host-waybill-leaving");
  return told(await fetch(there.headers.get("location") ?? "", { headers: { cookie }, redirect: "manual" }));
}
