/** An access token that was put where it does not belong (a query, a path, a field, a body, a log) is written down nowhere. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { newAccessToken } from "../src/identity/access-token.ts";
import { Platform, until, visit, type Account, type App } from "./support/platform.ts";

describe("an access token where it does not belong", () => {
  let up: Platform;
  let alice: Account;
  let app: App;
  /** Some are good and some were never made. */
  let planted: readonly string[];
  const works: string[] = [];

  before(async () => {
    up = await Platform.start();
    alice = await up.account("alice");
    planted = [alice.token, newAccessToken((count) => crypto.getRandomValues(new Uint8Array(count)))];
    const script = `node -e 'console.log("with ${planted.join(" and ")}")'`;
    const packages = { name: "a", private: true, type: "module", scripts: { build: script, start: "node server.js" } };
    app = await up.deploy(alice, "demo", { "package.json": JSON.stringify(packages) });
    assert.equal(app.deployed.ok, true, app.deployed.says);
    for (const token of planted) await plant(token);
  });
  after(() => up?.[Symbol.asyncDispose]());

  /** Sent as it is, and the answer read to its end: what a client would not send is sent too. */
  const raw = (head: string): Promise<string> =>
    new Promise((done, reject) => {
      const { hostname, port } = new URL(app.url);
      const socket = connect(Number(port), hostname, () => void socket.end(head.replaceAll("\n", "\r\n")));
      let answer = "";
      socket.on("data", (bytes: Buffer) => (answer += bytes.toString("latin1"))).on("error", reject);
      socket.on("close", () => done(answer));
    });

  async function plant(token: string): Promise<void> {
    const encoded = [...token].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join("");
    const json = { "content-type": "application/json" };
    const asks: readonly Promise<{ work: string }>[] = [
      visit(`${app.url}/?token=${token}`),
      visit(`${app.url}/?q=${token}&r=${encoded}`),
      visit(`${app.url}/files/${token}/raw`),
      visit(`${app.url}/say?line=${encodeURIComponent(`the app says ${token}`)}`, alice),
      visit(`${app.url}/`, undefined, { headers: { authorization: token } }),
      visit(`${app.url}/`, undefined, { headers: { authorization: `Token ${token}` } }),
      visit(`${app.url}/`, undefined, { headers: { "x-hf-authorization": token } }),
      visit(`${app.url}/`, undefined, { headers: { authorization: `Bearer ${token.slice(0, -1)}` } }),
      visit(`${app.url}/`, undefined, { headers: { "x-ip-token": token } }),
      visit(`${app.url}/`, undefined, { headers: { "x-request-id": token, "user-agent": token, referer: token } }),
      visit(`${app.url}/`, undefined, { headers: { cookie: `token=${token}`, traceparent: token } }),
      visit(`${app.url}/again?token=${token}`, undefined, { method: "POST", body: JSON.stringify({ token }) }),
      visit(`${app.url}/never-there/${token}?x=${token}`, undefined, { headers: { accept: "text/html" } }),
      visit(`${up.url}/api/spaces/alice/${token}`, alice),
      visit(`${up.url}/api/explain/${token}`, alice),
      visit(`${up.url}/w/${token}`, alice),
      visit(`${up.url}/api/${token}?token=${token}`, alice),
      visit(`${up.url}/spaces/alice/${token}/info/refs?service=git-upload-pack`, alice),
      visit(`${up.url}/api/tokens`, alice, { method: "POST", headers: json, body: `{"name": ${token}` }),
      visit(`${up.url}/api/spaces/alice/demo/settings`, alice, {
        method: "PATCH",
        headers: json,
        body: JSON.stringify({ [token]: token }),
      }),
      visit(`${up.url}/api/spaces/alice/demo/pause`, alice, {
        method: "POST",
        headers: { ...json, "idempotency-key": token },
        body: JSON.stringify({ reason: { token } }),
      }),
    ];
    for (const { work } of await Promise.all(asks)) if (work !== "") works.push(work);
    // What is refused before it is a request, and counted with an example of what came.
    await raw(`GET /?token=${token} HTTP/1.1\nHost: ${token}.localhost\nConnection: close\n\n`);
    await raw(`GET /${token} HTTP/1.1\nHost: a b ${token}\nConnection: close\n\n`);
    await raw(`GET /${token} ${token}\n\n`);
    await raw(`POST / HTTP/1.1\nHost: ${new URL(app.url).host}\nContent-Length: ${token}\nConnection: close\n\n`);
    await raw(`GET / HTTP/1.1\nHost: ${new URL(app.url).host}\nExpect: ${token}\nConnection: close\n\n`);
  }

  test("stands in no answer to who looks at it afterwards", async () => {
    const told: string[] = [];
    for (const work of works) {
      const answer = await visit(`${up.url}/api/explain/${work}`, { ...alice, token: alice.token });
      told.push(answer.text, (await visit(`${up.url}/w/${work}`, alice)).text);
    }
    assert.ok(told.length > 2 * 20, "the works have ids");
    told.push(JSON.stringify(await alice.client.requests(app.space)));
    told.push(...(await up.logTexts(app.space)));
    const { build } = await up.admin.space(app.space);
    for await (const { text } of up.admin.buildLog(build?.id ?? "")) told.push(text);
    told.push(JSON.stringify(await up.admin.audit()));
    const text = told.join("\n");
    assert.match(text, /with \*\*\*token\*\*\* and \*\*\*token\*\*\*/, "the build said it");
    assert.match(text, /the app says \*\*\*token\*\*\*/, "the app said it");
    assert.deepEqual(leaksIn(text), []);
  });

  test("stands in no file of the platform's, and in nothing that it printed", async () => {
    await until("the evidence is shipped", async () => (await alice.client.requests(app.space)).items.length > 15);
    await up.stop();
    const leaks = filesOf(up.data).flatMap((path) =>
      leaksIn(readFileSync(path).toString("latin1")).map((leak) => `${path.slice(up.data.length + 1)}: ${leak}`),
    );
    assert.deepEqual(leaks, []);
    assert.deepEqual(leaksIn(up.log.join("\n")), []);
  });

  /** What stands around it. */
  function leaksIn(text: string): readonly string[] {
    return planted.flatMap((token) => {
      const forms = [token, token.slice(0, -1), Buffer.from(token).toString("base64").slice(0, -4)];
      return forms.flatMap((form) => {
        const at = text.indexOf(form);
        return at === -1 ? [] : [text.slice(Math.max(0, at - 60), at + 60)];
      });
    });
  }
});

/** All files below a folder, but the Space's own: its repository and its release hold what its author wrote. */
function filesOf(folder: string): readonly string[] {
  const own = new Set(["repositories", "releases", "owners"]);
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return own.has(entry.name) ? [] : filesOf(path);
    return entry.isFile() && statSync(path).size > 0 ? [path] : [];
  });
}
