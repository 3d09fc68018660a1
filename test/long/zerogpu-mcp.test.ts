/** A Gradio app as an MCP server: a tool that borrows a GPU is billed to whoever called the tool. The app calls itself for it, past the edge. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { CallView } from "../../src/contract/api.ts";
import { listOf } from "../support/calls.ts";
import { needs } from "../support/needs.ts";
import { Platform, until, type Account, type App } from "../support/platform.ts";
import { deployWithPackages } from "../support/run.ts";

const { skip } = await needs("gradio");
const program = `
import gradio as gr
import spaces


@spaces.GPU(duration=10)
def double(x: float) -> float:
    """Doubles a number.

    Args:
        x: the number
    """
    return 2 * x


demo = gr.Interface(double, gr.Number(), gr.Number(), api_name="double")
demo.launch(mcp_server=True)
`;
const files = {
  "package.json": "",
  "server.js": "",
  "work.js": "",
  "app.py": program,
  "requirements.txt": "gradio[mcp]==6.31.0\n",
  "README.md": '---\nsdk: gradio\nsdk_version: 6.31.0\npython_version: "3.10"\napp_file: app.py\n---\n',
};

describe("a Gradio app as an MCP server", { skip }, () => {
  let up: Platform;
  let app: App;
  let alice: Account;
  before(async () => {
    up = await Platform.start({ gpus: "1x2", sandbox: "best" });
    app = await deployWithPackages(up, await up.account("owner"), "tools", files);
    assert.equal(app.deployed.ok, true, app.deployed.says);
    alice = await up.account("alice");
  });
  after(() => up[Symbol.asyncDispose]());

  /** One tool call, as the Streamable HTTP transport has it; resolves with what it gave and the request that asked. */
  const callTool = async (token?: string): Promise<{ readonly text: string; readonly work: string }> => {
    const bearer = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const params = { name: "tools_double", arguments: { x: 21 } };
    const answer = await fetch(`${app.url}/gradio_api/mcp/`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...bearer },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params }),
    });
    return { text: await answer.text(), work: answer.headers.get("x-waybill-id") ?? "" };
  };
  const callOf = (account: string): Promise<CallView> =>
    until(`${account} has a call`, async () =>
      (await listOf({ name: account, client: up.admin })).find(({ receipt }) => receipt !== null),
    );

  for (const [who, account, billedBy] of [
    ["a caller with a token", "alice", "token"],
    ["a caller without an account", "address:127.0.0.1", "address"],
  ] as const) {
    test(`${who} pays, and the call names the request that asked`, async () => {
      const { text, work } = await callTool(account === "alice" ? alice.token : undefined);
      assert.match(text, /"text":"42/);
      const { id, outcome, request } = await callOf(account);
      assert.deepEqual([outcome, request], ["ok", work]);
      assert.equal((await up.admin.receipt(id)).receipt.billedBy, billedBy);
    });
  }
});
