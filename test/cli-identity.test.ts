/** The commands about accounts, tokens and the audit log, against a scripted console. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { runCli } from "../src/cli/program.ts";
import type { CliWorld } from "../src/cli/world.ts";
import { cliWorld } from "./support/cli-world.ts";
import { ScriptedConsole } from "./support/console-api.ts";

let api: ScriptedConsole;
let url: string;
beforeEach(async () => {
  api = new ScriptedConsole();
  url = await api.listen();
});
afterEach(() => api[Symbol.asyncDispose]());

async function waybill(
  args: readonly string[],
  stdin?: CliWorld["stdin"],
): Promise<{ readonly code: number; readonly out: string }> {
  const env = { WAYBILL_URL: url, WAYBILL_TOKEN: "hf_wbtest" };
  const { world, said } = cliWorld({ env, ...(stdin && { stdin }) });
  const code = await runCli(args, world);
  return { code, out: said.out };
}

describe("waybill", () => {
  test("audit asks for what fits and says what became of what", async () => {
    const entry = {
      ...{ id: 7, at: "2026-11-22T12:00:00.000Z", account: "admin", token: "t_1", session: null, address: "192.0.2.7" },
      ...{ action: "space.set", target: "space/alice/demo", owner: "alice", request: "q_1", outcome: "failed" },
      ...{ before: { "on-leave": "finish" }, after: { "on-leave": "stop" } },
    };
    api.routes.set("GET /api/audit?account=admin&action=space&target=space%2Falice%2Fdemo", {
      items: [entry],
      next: null,
    });
    const { code, out } = await waybill(["audit", "--account", "admin", "--action", "space", "--space", "alice/demo"]);
    assert.equal(code, 0);
    assert.match(out, /admin +space\.set \(failed\) +space\/alice\/demo/);
  });

  test("a password is typed twice and unseen, or one line of standard input, and never anything else", async () => {
    api.routes.set("PUT /api/accounts/alice/password", { account: "alice" });
    const set = async (stdin: CliWorld["stdin"], ...more: string[]) => {
      api.received.length = 0;
      const { code } = await waybill(["account", "password", "alice", ...more], stdin);
      const sent = api.received.find(({ method }) => method === "PUT")?.body;
      return [code, sent === undefined ? undefined : (JSON.parse(sent) as unknown)];
    };
    const piped = (text: string) => ({ text: async () => text });
    const typed = (...lines: string[]) => ({
      text: async () => assert.fail("a terminal is read by lines"),
      hidden: async () => lines.shift() ?? assert.fail("one line too many"),
    });
    assert.deepEqual(await set(piped("a good one\r\n")), [0, { password: "a good one" }]);
    assert.deepEqual(await set(piped("old\nnew\n"), "--current"), [0, { password: "new", current: "old" }]);
    assert.deepEqual(await set(typed("a", "a")), [0, { password: "a" }]);
    assert.deepEqual(await set(typed("old", "a", "a"), "--current"), [0, { password: "a", current: "old" }]);
    for (const [stdin, ...more] of [
      [piped("")],
      [piped("two\nlines")],
      [piped("one"), "--current"],
      [piped("1\n2\n3"), "--current"],
      [typed("a", "b")],
    ] as const)
      assert.deepEqual(await set(stdin, ...more), [2, undefined]);
  });

  test("sessions are listed and ended, one's own or another's", async () => {
    const session = {
      ...{ id: "s_1", how: "password", createdAt: "2026-11-22T12:00:00.000Z", lastUsedAt: "2026-11-22T12:00:00.000Z" },
      ...{ expiresAt: "2026-12-22T12:00:00.000Z", address: "192.0.2.7", agent: "Firefox", current: false },
    };
    api.routes.set("GET /api/sessions", { items: [session], next: null });
    api.routes.set("GET /api/sessions?account=bob", { items: [], next: null });
    api.routes.set("DELETE /api/sessions/s_1?account=bob", { id: "s_1" });
    assert.match((await waybill(["session", "list"])).out, /s_1 .*password.*192\.0\.2\.7.*Firefox/);
    assert.match((await waybill(["session", "list", "--account", "bob"])).out, /No browser/);
    assert.equal((await waybill(["session", "end", "s_1", "--account", "bob"])).out, "s_1 has ended\n");
  });

  test("accounts, members and tokens are asked for by what was named", async () => {
    const made = {
      name: "acme",
      kind: "organisation",
      tier: "free",
      role: "user",
      createdAt: "2026-11-22T12:00:00.000Z",
    };
    const member = { user: "bob", fullname: "bob", avatarUrl: "", role: "write", since: made.createdAt, addedBy: "al" };
    api.routes.set("POST /api/accounts", made);
    api.routes.set("POST /api/organizations/acme/members", [member]);
    api.routes.set("POST /api/tokens", { account: "alice", id: "t_9", token: "hf_wb9" });
    api.routes.set("DELETE /api/tokens/t_9", { id: "t_9" });
    assert.equal((await waybill(["account", "create", "acme", "--organisation", "--admin", "alice"])).out, "acme\n");
    assert.match((await waybill(["member", "add", "acme", "bob", "--role", "write"])).out, /^bob +write /m);
    assert.equal((await waybill(["member", "add", "acme", "bob", "--role", "boss"])).code, 2);
    const create = ["token", "create", "--scope", "read,gpu", "--write-space", "alice/demo", "--expires", "30d"];
    assert.equal((await waybill(create)).out, "hf_wb9\n");
    assert.equal((await waybill(["token", "create", "--scope", "all"])).code, 2);
    assert.equal((await waybill(["token", "revoke", "t_9"])).out, "t_9 is revoked\n");
    assert.deepEqual(
      api.received.slice(0, 3).map(({ body }) => JSON.parse(body) as unknown),
      [
        { name: "acme", organisation: true, admin: "alice" },
        { account: "bob", role: "write" },
        { scopes: ["read", "gpu"], spaces: [{ space: "alice/demo", right: "write" }], expiresInMs: 30 * 86_400_000 },
      ],
    );
  });
});
