/** An agent that shares no folder with its server: commits, visitors' connections and calls from inside cross the network. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { borrowed, endedCall, newestCall } from "../support/calls.ts";
import { Cluster, logLines, type Role } from "../support/cluster.ts";
import { needs } from "../support/needs.ts";
import { until, visit, type Account, type App } from "../support/platform.ts";

/** Answers with the status that the platform's API gives it. */
const asksThePlatform = `import { createServer } from "node:http";
createServer(async (_request, response) => {
  const { status } = await fetch(process.env.WAYBILL_URL + "/api/status");
  response.end(String(status));
}).listen(Number(process.env.PORT));
`;

describe("an agent that shares no folder with its server", await needs("sandbox", "own-disk"), () => {
  let cluster: Cluster;
  let server: Role;
  let agent: Role;
  let place: readonly string[];
  let token: string;
  let alice: Account;
  let app: App;

  before(async () => {
    cluster = new Cluster("best");
    server = await cluster.serverToStay();
    place = await cluster.elsewhere();
    ({ token } = await cluster.admin.createNodeToken("far"));
    agent = cluster.agent("far", token, cluster.url, place);
    await agent.start().ready;
    alice = await cluster.account("alice");
    app = await cluster.deploy(alice, "app");
    assert.equal(app.deployed.ok, true, app.deployed.says);
  });
  after(() => cluster[Symbol.asyncDispose]());

  const replicas = async (): Promise<readonly string[]> =>
    (await alice.client.space(app.space)).replicas.filter(({ phase }) => phase === "ready").map(({ id }) => id);
  const answers = () => until("the app answers", async () => (await visit(`${app.url}/`, alice)).status === 200);

  test("says that it does not share the server's folder", () => {
    assert(
      agent.log.some((line) => line.includes('"sharesFolder":false')),
      agent.log.join("\n"),
    );
  });

  test("an app is built from the pushed commit, answers, borrows a GPU, and its log is read", async () => {
    assert.equal((await borrowed(alice, app)).outcome, "ok");
    assert((await logLines(alice, app)).length > 0, "the node gives the log");
  });

  test("an app there calls the platform from inside", async () => {
    const folder = join(cluster.folder, "asks");
    mkdirSync(folder);
    writeFileSync(join(folder, "server.js"), asksThePlatform);
    writeFileSync(
      join(folder, "package.json"),
      JSON.stringify({ name: "asks", type: "module", scripts: { start: "node server.js" } }),
    );
    writeFileSync(join(folder, "README.md"), "---\nsdk: node\n---\n");
    const asks = await cluster.deploy(alice, "asks", folder);
    assert.equal(asks.deployed.ok, true, asks.deployed.says);
    assert.equal((await visit(asks.url, alice)).text, "200");
  });

  test("its token reads no repository that it has no build of", async () => {
    const address = `${cluster.url}/spaces/${app.space}.git/info/refs?service=git-upload-pack`;
    const authorization = `Bearer ${token}`;
    assert.equal((await fetch(address, { headers: { authorization } })).status, 403);
    assert.equal((await fetch(`${cluster.url}/api/tokens`, { headers: { authorization } })).ok, false);
  });

  test("a server that is killed in the middle of a call comes back to the same replica, and the call is settled once", async () => {
    const before_ = await replicas();
    void visit(`${app.url}/gpu/hold?seconds=3`, alice).catch(() => undefined); // its edge is killed
    const { id } = await newestCall(alice, "running");
    await server.end("SIGKILL");
    await cluster.serve(server);
    const ended = await endedCall(alice.client, id);
    assert.equal(ended.outcome, "ok", JSON.stringify(ended));
    await answers();
    assert.deepEqual(await replicas(), before_);
  });

  test("an agent that is killed finds its apps again, and they answer", async () => {
    const before_ = await replicas();
    await agent.end("SIGKILL");
    await agent.start().ready;
    await answers();
    assert.deepEqual(await replicas(), before_);
  });

  test("a request under which the line to its node is lost, and one that finds none, says so and blames no app", async () => {
    const under = visit(`${app.url}/gpu/hold?seconds=4`, alice);
    const { id } = await newestCall(alice, "running");
    await agent.end("SIGKILL");
    for (const answer of [await under, await visit(`${app.url}/`, alice)]) {
      assert.equal(answer.status, 503);
      assert.match(answer.headers.get("proxy-status") ?? "", /destination_unavailable/);
      const { verdict } = await cluster.admin.explain(answer.work);
      assert.deepEqual(
        [verdict?.boundary, verdict?.code, verdict?.owner, verdict?.certainty],
        ["route", "node-away", "platform", "proved"],
        verdict?.sentence ?? "no verdict",
      );
    }
    await agent.start().ready;
    assert.equal((await endedCall(alice.client, id)).outcome, "ok");
    await answers();
  });

  test("an app is started again, goes to sleep, and the next request wakes it", async () => {
    await alice.client.restart(app.space);
    await answers();
    await alice.client.changeSpace(app.space, { "sleep-after": "1s" });
    await until("it is asleep", async () => (await alice.client.space(app.space)).state === "sleeping");
    await alice.client.changeSpace(app.space, { "sleep-after": "never" });
    assert.equal((await visit(`${app.url}/`, alice)).status, 200);
  });

  test("a token that is made anew ends all that the older one opened, visitors' connections too", async () => {
    const { token: next } = await cluster.admin.createNodeToken("far");
    await until("the agent is told", () => agent.log.some((line) => line.includes("refused this node's token")));
    assert.notEqual((await visit(`${app.url}/`, alice)).status, 200);
    await agent.end("SIGTERM");
    agent = cluster.agent("far", next, cluster.url, place);
    await agent.start().ready;
    await answers();
  });
});
