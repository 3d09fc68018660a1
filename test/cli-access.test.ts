/** `waybill access` against a scripted console: who asks for a gated repository's files, and who decides. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { runCli } from "../src/cli/program.ts";
import type { OwnAccess } from "../src/contract/access.ts";
import { cliWorld } from "./support/cli-world.ts";
import { ScriptedConsole } from "./support/console-api.ts";

let api: ScriptedConsole;
let url: string;
beforeEach(async () => {
  api = new ScriptedConsole();
  url = await api.listen();
});
afterEach(() => api[Symbol.asyncDispose]());

async function waybill(...args: readonly string[]): Promise<{ readonly code: number; readonly out: string }> {
  const { world, said } = cliWorld({ env: { WAYBILL_URL: url, WAYBILL_TOKEN: "hf_wbtest" } });
  const code = await runCli(["access", ...args], world);
  return { code, out: said.out };
}

const own: OwnAccess = {
  ...{ gated: "manual", status: "none", requestId: null, timestamp: null, rejectionReason: null, formProblem: null },
  form: {
    ...{ heading: null, description: null, button: null, prompt: "Be good.\u001b[2J\nAlways." },
    fields: [
      { name: "Company", type: "text" },
      { name: "Alice's use", type: "select", options: ["Research", "Other"] },
      { name: "I agree", type: "checkbox" },
    ],
  },
};
const path = "/api/models/alice/tiny/user-access-request";
const sent = (): readonly unknown[] =>
  api.received.flatMap(({ method, path: to, body }) =>
    method === "GET" ? [] : [[method, to, body === "" ? undefined : (JSON.parse(body) as unknown)]],
  );

describe("waybill access", () => {
  test("show says where one stands, and how to ask, in words that a shell takes", async () => {
    api.routes.set(`GET ${path}`, own);
    const { code, out } = await waybill("show", "alice/tiny");
    assert.equal(code, 0);
    assert.equal(
      out,
      [
        "You have not asked for access.",
        "",
        "Be good.[2J",
        "Always.",
        "",
        `Ask: waybill access ask models/alice/tiny --field 'Company=…' --field 'Alice'\\''s use=Research|Other' --field 'I agree'`,
        "",
      ].join("\n"),
    );
    api.routes.set("GET /api/datasets/alice/rows/user-access-request", {
      ...own,
      form: null,
      status: "rejected",
      rejectionReason: "no",
    });
    assert.match((await waybill("show", "datasets/alice/rows")).out, /turned down\.\nThe reason: no\n$/);
    for (const wrong of ["tiny", "spaces/alice/app", "alice/a/b", "models/alice"])
      assert.equal((await waybill("show", wrong)).code, 2, wrong);
  });

  test("ask sends what was filled in, as text or as agreed to, and says what became of it", async () => {
    api.routes.set(`POST ${path}`, { ...own, form: null, status: "pending" });
    const fields = ["--field", "Company=A=B & Co", "--field", "I agree"];
    const { code, out } = await waybill("ask", "models/alice/tiny", ...fields);
    assert.deepEqual([code, out], [0, "You have asked, and nobody has decided yet.\n"]);
    assert.deepEqual(sent(), [["POST", path, { fields: { Company: "A=B & Co", "I agree": true } }]]);
    assert.equal((await waybill("ask", "alice/tiny", "--field", "=x")).code, 2);
    api.routes.set(`DELETE ${path}`, { ...own, form: null });
    assert.equal((await waybill("withdraw", "alice/tiny", "-q")).out, "none\n");
  });

  test("list draws who has asked with what they filled in; accept, reject, cancel and grant name one of them", async () => {
    const request = {
      requestId: "ar_1",
      user: { _id: "bob", user: "bob", fullname: "bob", avatarUrl: "", isPro: false, type: "user" },
      ...{
        status: "accepted",
        timestamp: "2026-11-30T12:00:00.000Z",
        fields: { Company: "A\n& \u001bCo", "I agree": true },
      },
      decided: { at: "2026-11-30T12:01:00.000Z", by: "alice" },
    };
    api.routes.set(`GET ${path}/accepted?cursor=0&limit=1000`, [request]);
    api.routes.set(`GET ${path}/pending?cursor=0&limit=1000`, []);
    const { out } = await waybill("list", "alice/tiny", "--status", "accepted");
    assert.match(out, /bob +accepted .* alice +Company: A & Co; I agree$/m);
    assert.match((await waybill("list", "alice/tiny")).out, /No access request is pending\./);
    assert.equal((await waybill("list", "alice/tiny", "--status", "open")).code, 2);
    api.routes.set(`POST ${path}/handle`, request);
    api.routes.set(`POST ${path}/grant`, request);
    assert.equal((await waybill("accept", "alice/tiny", "bob")).out, "bob: accepted\n");
    await waybill("reject", "alice/tiny", "bob", "--reason", "not you");
    await waybill("cancel", "alice/tiny", "bob");
    await waybill("grant", "alice/tiny", "bob");
    assert.deepEqual(sent(), [
      ["POST", `${path}/handle`, { user: "bob", status: "accepted" }],
      ["POST", `${path}/handle`, { user: "bob", status: "rejected", rejectionReason: "not you" }],
      ["POST", `${path}/handle`, { user: "bob", status: "pending" }],
      ["POST", `${path}/grant`, { user: "bob" }],
    ]);
  });
});
