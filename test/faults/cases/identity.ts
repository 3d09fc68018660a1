/** Who somebody claims to be, and is not. */
import { FaultyLibc } from "../../support/faulty-libc.ts";
import { Platform, until, visit, type Account } from "../../support/platform.ts";
import { seen } from "../answers.ts";
import { proved, type FaultCase, type Injected } from "../case.ts";

export const identityCases: readonly FaultCase[] = [
  {
    code: "identity/bad-signature",
    how: "the app makes a visitor's token itself",
    on: "main",
    certainty: proved,
    async inject({ app, alice }) {
      const real = (await visit(`${app.url}/token`, alice)).text;
      const [head = "", , signature = ""] = real.split(".");
      const claims = Buffer.from(JSON.stringify({ account: "crowd", tier: "unlimited" })).toString("base64url");
      const { call } = await visit(`${app.url}/raw/schedule?token=${[head, claims, signature].join(".")}`, alice);
      return { id: call };
    },
  },
  {
    code: "identity/wrong-audience",
    how: "the app uses a token that a visitor gave to another Space",
    on: "main",
    certainty: proved,
    async inject({ app, fresh, alice, crowd }) {
      const other = await fresh();
      const theirs = (await visit(`${other.url}/token`, crowd)).text;
      const { call } = await visit(`${app.url}/raw/schedule?token=${encodeURIComponent(theirs)}`, alice);
      return { id: call };
    },
  },
  {
    code: "identity/expired",
    needs: "cc",
    how: "an app keeps a visitor's token for three hours, by a clock that is set",
    on: "main",
    certainty: proved,
    async inject() {
      const libc = new FaultyLibc();
      const up = await Platform.start({ env: libc.env, gpus: "1x1" });
      const done = async (): Promise<void> => {
        await up[Symbol.asyncDispose]();
        libc[Symbol.dispose]();
      };
      const alice = await up.account("alice");
      const { url } = await up.deploy(alice, "app");
      const token = (await visit(`${url}/token`, alice)).text;
      libc.setWall(3 * 3_600_000);
      const { call } = await visit(`${url}/raw/schedule?seconds=1&token=${encodeURIComponent(token)}`, alice);
      return { id: call, asks: alice.client, done, of: up };
    },
  },
  {
    code: "identity/forwarded",
    how: "a visitor's token of an app in a sandbox comes from outside",
    on: "boxed",
    certainty: proved,
    async inject({ app, alice }) {
      const token = (await visit(`${app.url}/token`, alice)).text;
      return seen(await visit(`${app.url}/`, undefined, { headers: { "x-ip-token": token } }), 401);
    },
  },
  {
    code: "identity/bad-signature",
    how: "somebody sends a visitor's token that was never made",
    on: "main",
    certainty: proved,
    async inject({ app }) {
      return seen(await visit(`${app.url}/`, undefined, { headers: { "x-ip-token": "a.b.c" } }), 401);
    },
  },
  {
    code: "identity/private",
    how: "somebody who may not read a private Space asks for its app",
    on: "main",
    certainty: proved,
    async inject({ fresh, alice, crowd }) {
      const app = await fresh();
      await alice.client.changeSpace(app.space, { private: "true" });
      await until("it is private", async () => (await visit(app.url, crowd)).status === 404);
      const refused = await until("its owner is told", async () => {
        const { items } = await alice.client.requests(app.space);
        return items.find(({ account, status }) => account === crowd.name && status === 404);
      });
      return { id: refused.id };
    },
  },
  {
    code: "identity/gated",
    how: "somebody without access fetches a file of a gated model",
    on: "main",
    certainty: proved,
    async inject({ up, alice, crowd }) {
      const ask = (method: string, path: string, { token }: Account, body?: object): Promise<Response> =>
        fetch(`${up.url}${path}`, {
          method,
          headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
          ...(body && { body: JSON.stringify(body) }),
        });
      await ask("POST", "/api/repos/create", alice, { name: "gated" });
      await ask("PUT", "/api/models/alice/gated/settings", alice, { gated: "manual" });
      const { status, headers } = await ask("GET", "/alice/gated/resolve/main/.gitattributes", crowd);
      return seen({ work: headers.get("x-waybill-id") ?? "", status }, 403);
    },
  },
  {
    code: "identity/bad-token",
    how: "an access token that was never made",
    on: "main",
    certainty: proved,
    async inject({ app }) {
      return seen(
        await visit(`${app.url}/`, undefined, {
          headers: { authorization: `Bearer hf_wb${"x".repeat(32)}` },
        }),
        401,
      );
    },
  },
  {
    code: "identity/bad-token",
    how: "an access token that its account has revoked",
    on: "main",
    certainty: proved,
    async inject({ app, alice }) {
      const { id, token } = await alice.client.createToken({ scopes: ["read", "gpu"] });
      await alice.client.revokeToken(id);
      return refused(await visit(`${app.url}/`, { ...alice, token }), 401, "This access token was revoked at ");
    },
  },
  {
    code: "identity/bad-token",
    how: "an access token of alice's without its scheme",
    on: "main",
    certainty: proved,
    async inject({ app, alice }) {
      const headers = { authorization: alice.token };
      return refused(await visit(`${app.url}/`, undefined, { headers }), 401, "Authorization is not as `Bearer ");
    },
  },
  {
    code: "identity/token-expired",
    how: "an access token is used after its time",
    on: "main",
    certainty: proved,
    async inject({ app, alice }) {
      const { token } = await alice.client.createToken({ scopes: ["read", "gpu"], expiresInMs: 1_000 });
      const late = await until("it has expired", async () => {
        const answer = await visit(`${app.url}/`, { ...alice, token });
        return answer.status === 200 ? undefined : answer;
      });
      return refused(late, 401, "This access token expired at ");
    },
  },
  {
    code: "identity/forbidden",
    how: "an access token that may not spend GPU time",
    on: "main",
    certainty: proved,
    async inject({ app, alice }) {
      const { token } = await alice.client.createToken({ scopes: ["read", "write"] });
      return refused(await visit(`${app.url}/`, { ...alice, token }), 403, "it has not the scope gpu");
    },
  },
];

/** The reason stands in what explain says, and nobody is counted for it. */
function refused(answer: Parameters<typeof seen>[0], status: number, says: string): Injected {
  return {
    ...seen(answer, status),
    also: ({ sentence, payer }) =>
      payer !== undefined ? `counted as ${payer.says}` : sentence.includes(says) ? undefined : `it says ${sentence}`,
  };
}
