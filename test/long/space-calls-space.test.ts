/** A Space calls a Space, in the sandbox and with the unmodified packages: by its name, through the platform's API, on its visitor's account. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { globSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import type { SpaceView } from "../../src/contract/api.ts";
import type { HubSpace } from "../../src/contract/hub.ts";
import { callByHand, gradioFiles, resultByHand, told } from "../support/gradio-app.ts";
import { needs } from "../support/needs.ts";
import { Platform, until, visit, type Account, type App } from "../support/platform.ts";
import { deployWithPackages } from "../support/run.ts";

const { skip } = await needs("gradio", "sandbox");
const run = promisify(execFile);

const caller = `
import os
import threading
import urllib.request

os.environ["HF_ENDPOINT"] = os.environ["WAYBILL_URL"]

import gradio as gr
from gradio_client import Client


def ask(seconds):
    return Client("carol/callee", verbose=False).predict(seconds, api_name="/works")


def alone(seconds):
    """Where no visitor's request is known."""
    said = []
    thread = threading.Thread(target=lambda: said.append(ask(seconds)))
    thread.start()
    thread.join()
    return said[0]


def passed(address, request: gr.Request):
    """By its address, and who asks is passed on: a private one has no name for whoever looks it up without a token."""
    headers = {"x-ip-token": request.headers["x-ip-token"]}
    return Client(address, headers=headers, verbose=False).predict(0.1, api_name="/works")


def token(_, request: gr.Request):
    return request.headers["x-ip-token"]


def fetched(path):
    return urllib.request.urlopen(os.environ["WAYBILL_URL"] + path).read().decode()


with gr.Blocks() as demo:
    number, text, out = gr.Number(value=0), gr.Textbox(), gr.Textbox()
    for fn in (ask, alone, token):
        gr.Button().click(fn, number, out, api_name=fn.__name__)
    for fn in (fetched, passed):
        gr.Button().click(fn, text, out, api_name=fn.__name__)

demo.launch()
`;

describe("a Space that calls a Space", { skip }, () => {
  let up: Platform;
  let alice: Account;
  let bob: Account;
  let carol: Account;
  let callee: App;
  let calling: App;
  const callsTo = async (account: Account, space: string) =>
    (await account.client.calls({ account: account.name })).items.filter((call) => call.space === space);
  const said = async (app: App, name: string, input: unknown, by: Account): Promise<{ work: string; text: string }> => {
    const { work, event } = await callByHand(app.url, name, [input], by);
    return { work, text: await resultByHand(app.url, name, event) };
  };
  /** One call of a function of alice's Space by bob; resolves with the join and what the function returned. */
  const asked = async (name: string, input: unknown): Promise<{ work: string; result: string }> => {
    const { work, text } = await said(calling, name, input, bob);
    const result = /event: complete\ndata: (.*)\n/.exec(text)?.[1];
    assert.ok(result !== undefined, text);
    return { work, result: String((JSON.parse(result) as unknown[])[0]) };
  };
  /** `gradio_client` on a machine of bob's: of the Space's name or address, with this token, or none. */
  const client = async (src: string, token?: string): Promise<{ stdout: string; stderr: string }> => {
    const [python] = globSync(join(up.data, "node", "**", "envs", "*", "bin", "python"));
    assert.ok(python, "the environment of the Spaces");
    const script = `
import sys
from gradio_client import Client
print(Client(sys.argv[1], token=sys.argv[2] or None, verbose=False).predict(0.1, api_name="/works"))`;
    return run(python, ["-c", script, src, token ?? ""], {
      env: { PATH: "/usr/bin:/bin", HOME: up.folder, HF_ENDPOINT: up.url },
    });
  };

  before(async () => {
    up = await Platform.start({ sandbox: "bubblewrap" });
    [alice, bob, carol] = [await up.account("alice"), await up.account("bob"), await up.account("carol")];
    callee = await deployWithPackages(up, carol, "callee", gradioFiles);
    assert.equal(callee.deployed.ok, true, callee.deployed.says);
    calling = await deployWithPackages(up, alice, "caller", { ...gradioFiles, "app.py": caller });
    assert.equal(calling.deployed.ok, true, calling.deployed.says);
  });
  after(async () => {
    await up[Symbol.asyncDispose]();
  });

  test("its visitor pays for what it asks of the other, and both requests are linked", async () => {
    const { work, result } = await asked("ask", 0.1);
    assert.equal(result, "done");
    const call = await until("bob's call is settled", async () =>
      (await callsTo(bob, "carol/callee")).find(({ receipt }) => receipt !== null),
    );
    assert.equal(call.outcome, "ok");
    assert.ok(call.chargedMs > 0 && call.request !== null);
    const theirs = await told(up, call.request ?? "");
    assert.equal(theirs.outcome, "ok");
    assert.ok(
      theirs.links.some(({ id }) => id === work),
      JSON.stringify(theirs.links),
    );
    const linked = async (to: Account): Promise<boolean> => {
      const text = JSON.stringify(await to.client.explain(theirs.id));
      return text.includes(work);
    };
    assert.deepEqual(
      [await linked(bob), await linked(carol)],
      [true, false],
      "the callee's owner is not told of the caller's",
    );
    const { receipt } = await bob.client.receipt(call.id);
    assert.deepEqual([receipt.account, receipt.billedBy], ["bob", "token"]);
    assert.deepEqual(await callsTo(carol, "carol/callee"), [], "the callee's owner pays nothing");
  });

  test("without a visitor the calling Space's owner pays", async () => {
    assert.equal((await asked("alone", 0.1)).result, "done");
    const call = await until("alice's call is settled", async () =>
      (await callsTo(alice, "carol/callee")).find(({ receipt }) => receipt !== null),
    );
    const { receipt } = await alice.client.receipt(call.id);
    assert.deepEqual([receipt.account, receipt.billedBy], ["alice", "owner"]);
  });

  test("the API tells it names, and programs outside numbers", async () => {
    const port = new URL(up.url).port;
    const there = JSON.parse((await asked("fetched", "/api/spaces/carol/callee")).result) as HubSpace & SpaceView;
    assert.equal(there.host, `http://carol-callee.localhost:${port}`);
    const here = (await (await fetch(`${up.url}/api/spaces/carol/callee`)).json()) as HubSpace & SpaceView;
    assert.equal(here.host, callee.url);
    const { id, author, sdk, state, subdomain, private: isPrivate, runtime } = here;
    assert.deepEqual(
      { id, author, sdk, state, subdomain, isPrivate, stage: runtime.stage },
      {
        id: "carol/callee",
        author: "carol",
        sdk: "gradio",
        state: "running",
        subdomain: "carol-callee",
        isPrivate: false,
        stage: "RUNNING",
      },
    );
    assert.match(here.sha ?? "", /^[0-9a-f]{40}$/);
  });

  test("a visitor's token is of no use outside of the Space that it was made for", async () => {
    const { result } = await asked("token", 0);
    assert.equal(result.split(".").length, 3);
    const refused = await visit(`${callee.url}/config`, undefined, { headers: { "x-ip-token": result } });
    assert.equal(refused.status, 401);
    assert.match(refused.text, /"code":"forwarded"/);
    const { verdict } = await told(up, refused.work);
    assert.deepEqual([verdict?.boundary, verdict?.code, verdict?.certainty], ["identity", "forwarded", "proved"]);
  });

  test("gradio_client finds a Space by its name with HF_ENDPOINT alone", async () => {
    const before_ = (await callsTo(bob, "carol/callee")).length;
    const { stdout } = await client("carol/callee", bob.token);
    assert.equal(stdout.trim(), "done");
    await until("bob is billed", async () => (await callsTo(bob, "carol/callee")).length > before_);
  });

  test("that keeps to nothing reaches no other and not the API, at once and after the platform was killed; to those that it names it does", async () => {
    const path = "/api/spaces/carol/callee";
    const answers = async (): Promise<boolean> =>
      /event: complete/.test((await said(calling, "fetched", path, bob)).text);
    assert.ok(await answers());
    const [before_] = (await alice.client.space("alice/caller")).replicas;
    await alice.client.changeSpace("alice/caller", { reach: "none" });
    await until("it is refused", async () => !(await answers()));
    const lines = await Array.fromAsync(alice.client.logs("alice/caller", { source: "egress" }));
    const [, id] = /name-denied: .*own setting "reach none" \((x_\w+)\)/.exec(lines.at(-1)?.text ?? "") ?? [];
    if (id === undefined) assert.fail(lines.at(-1)?.text);
    const { verdict } = await until("its story is told", async () => {
      const told = await alice.client.explain(id);
      return told.verdict === null ? undefined : told;
    });
    assert.match(verdict?.sentence ?? "", /what the Space keeps to, which its owner has set/);
    await up.restart();
    assert.equal(await answers(), false);
    const port = new URL(up.url).port;
    await alice.client.changeSpace("alice/caller", { reach: `console.localhost:${port}` });
    await until("it reaches the API again", answers);
    assert.match((await said(calling, "ask", 0.1, bob)).text, /event: error/, "but not the other Space");
    await alice.client.changeSpace("alice/caller", { reach: "all" });
    assert.equal((await asked("ask", 0.1)).result, "done");
    const [after_] = (await alice.client.space("alice/caller")).replicas;
    assert.equal(after_?.id, before_?.id, "nothing was started again for it");
  });

  test("a private one is asked as its visitor, where that may read it and it was straight from a Space of who may", async () => {
    const own = await deployWithPackages(up, carol, "caller", { ...gradioFiles, "app.py": caller });
    assert.equal(own.deployed.ok, true, own.deployed.says);
    await carol.client.changeSpace("carol/callee", { private: "true" });
    await until("strangers are refused", async () => (await visit(`${callee.url}/config`)).status === 404);
    const before_ = (await callsTo(carol, "carol/callee")).length;
    const inside = `http://carol-callee.localhost:${new URL(up.url).port}`;
    assert.match((await said(own, "passed", inside, carol)).text, /event: complete\ndata: \["done"\]/);
    await until("carol is billed", async () => (await callsTo(carol, "carol/callee")).length > before_);
    const refused = [
      // He may not read it; of alice's Space nobody who owns it may; and being inside opens nothing.
      [own, "passed", inside, bob],
      [calling, "passed", inside, carol],
      [own, "ask", 0.1, carol],
      [own, "alone", 0.1, carol],
    ] as const;
    for (const [app, name, input, by] of refused)
      assert.match((await said(app, name, input, by)).text, /event: error/, `${app.space} ${name} ${by.name}`);
  });

  test("gradio_client reaches a private one by its name and its address, with a token that may read", async () => {
    const { token } = await carol.client.createToken({
      scopes: ["gpu"],
      spaces: [{ space: "carol/callee", right: "read" }],
    });
    for (const src of ["carol/callee", callee.url]) {
      assert.equal((await client(src, carol.token)).stdout.trim(), "done");
      assert.equal((await client(src, token)).stdout.trim(), "done");
      await assert.rejects(client(src, bob.token), /carol\/callee|404|not found|Could not/i);
      await assert.rejects(client(src), /carol\/callee|404|not found|Could not/i);
    }
  });
});
