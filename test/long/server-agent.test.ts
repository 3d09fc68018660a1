/** `waybill server` and `waybill agent` as processes of their own: each goes away and comes back, and what runs goes on. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { borrowed, endedCall, newestCall } from "../support/calls.ts";
import { Cluster, logLines, type Role } from "../support/cluster.ts";
import { needs } from "../support/needs.ts";
import { until, visit, type Account, type App } from "../support/platform.ts";

describe("a server and its agents", () => {
  let cluster: Cluster;
  let server: Role;
  let agent: Role;
  let token: string;
  let alice: Account;
  let app: App;

  before(async () => {
    cluster = new Cluster();
    server = await cluster.serverToStay();
    ({ token } = await cluster.admin.createNodeToken("n1"));
    agent = cluster.agent("n1", token);
    assert.deepEqual(await agent.start().ready, { ready: true, node: "n1" });
    alice = await cluster.account("alice");
    app = await cluster.deploy(alice, "app");
    assert.equal(app.deployed.ok, true, app.deployed.says);
  });
  after(() => cluster[Symbol.asyncDispose]());

  const replicas = async (): Promise<readonly string[]> =>
    (await alice.client.space(app.space)).replicas.filter(({ phase }) => phase === "ready").map(({ id }) => id);
  const nodeIsThere = () => until("the node is there", async () => (await replicas()).length === 1);
  /** A call that nobody waits for: the edge that carries its answer may go. */
  const call = async (seconds: number) => {
    void visit(`${app.url}/gpu/hold?seconds=${seconds}`, alice).catch(() => undefined);
    return newestCall(alice, "running");
  };

  test("an app is built, runs and borrows a GPU on the agent's node", async () => {
    assert.equal((await borrowed(alice, app)).outcome, "ok");
    assert((await logLines(alice, app)).length > 0, "the node gives the log");
  });

  test("a server that is killed in the middle of a call comes back to the same replica, and the call is settled once", async () => {
    const before_ = await replicas();
    const { id } = await call(3);
    await server.end("SIGKILL");
    await cluster.serve(server);
    const ended = await endedCall(alice.client, id);
    assert.equal(ended.outcome, "ok", JSON.stringify(ended));
    assert(ended.chargedMs >= 3_000, `${ended.chargedMs} ms are charged`);
    assert.deepEqual(await replicas(), before_);
  });

  test("while an agent is gone its apps answer, and it finds them and their calls again", async () => {
    const before_ = await replicas();
    const { id } = await call(3);
    await agent.end("SIGKILL");
    assert.equal((await visit(`${app.url}/`, alice)).status, 200);
    await agent.start().ready;
    assert.equal((await endedCall(alice.client, id)).outcome, "ok");
    assert.deepEqual(await replicas(), before_);
  });

  test("an agent that starts while no server is there finds its apps, and joins when one is", async () => {
    const before_ = await replicas();
    assert.equal(await agent.end("SIGTERM"), 0);
    await server.end("SIGKILL");
    assert.equal(cluster.shims("n1").length, 1, "the app goes on");
    await agent.start().ready;
    await cluster.serve(server);
    await nodeIsThere();
    assert.deepEqual(await replicas(), before_);
    assert.equal((await visit(`${app.url}/`, alice)).status, 200);
  });

  test("a second agent on the node's folder is refused", async () => {
    const second = cluster.agent("n1", token);
    assert.equal(await second.start().ended, 1);
  });

  test("another node's apps are built and run there", async () => {
    const n2 = cluster.agent("n2", (await cluster.admin.createNodeToken("n2")).token);
    await n2.start().ready;
    await agent.end("SIGTERM");
    const other = await cluster.deploy(alice, "other");
    assert.equal(other.deployed.ok, true, other.deployed.says);
    const answer = await visit(`${other.url}/gpu/hold?seconds=0.1`, alice);
    assert.equal((await endedCall(alice.client, answer.call)).outcome, "ok");
    await agent.start().ready;
    await nodeIsThere();
    assert.equal((await visit(`${app.url}/`, alice)).status, 200);
  });

  test("an agent that does not share the server's disk, or its way of running apps, is refused", async () => {
    const file = join(cluster.data, "folder.id");
    const id = readFileSync(file, "utf8");
    const { token: third } = await cluster.admin.createNodeToken("n3");
    writeFileSync(file, "another folder");
    assert.equal(await cluster.agent("n3", third).start().ended, 1);
    writeFileSync(file, id);
  });

  test("a token that is made anew ends what the older one opened, and the older is refused", async () => {
    const { token: next } = await cluster.admin.createNodeToken("n1");
    await until("the agent is told", () => agent.log.some((line) => line.includes("refused this node's token")));
    assert.equal((await visit(`${app.url}/`, alice)).status, 200, "its apps go on");
    assert.equal(await cluster.agent("n4", token).start().ended, 4);
    await agent.end("SIGTERM");
    agent = cluster.agent("n1", next);
    await agent.start().ready;
    await nodeIsThere();
  });
});

/** Answers with the status that the platform's API gives it. */
const asksThePlatform = `import { createServer } from "node:http";
createServer(async (_request, response) => {
  const { status } = await fetch(process.env.WAYBILL_URL + "/api/status");
  response.end(String(status));
}).listen(Number(process.env.PORT));
`;

test(
  "apps of an agent run in its sandbox, and reach the platform from inside, also after the server was restarted",
  await needs("sandbox"),
  async () => {
    await using cluster = new Cluster("best");
    const first = cluster.server("server", ["--port", "0"]);
    await cluster.serve(first);
    const agent = cluster.agent("n1", (await cluster.admin.createNodeToken("n1")).token);
    await agent.start().ready;
    const folder = join(cluster.folder, "app");
    mkdirSync(folder);
    writeFileSync(join(folder, "server.js"), asksThePlatform);
    writeFileSync(
      join(folder, "package.json"),
      JSON.stringify({ name: "app", type: "module", scripts: { start: "node server.js" } }),
    );
    writeFileSync(join(folder, "README.md"), "---\nsdk: node\n---\n");
    const bob = await cluster.account("bob");
    const app = await cluster.deploy(bob, "app", folder);
    assert.equal(app.deployed.ok, true, app.deployed.says);
    assert.equal((await visit(app.url, bob)).text, "200");
    const { port } = new URL(cluster.url);
    await first.end("SIGKILL");
    await cluster.serve(cluster.server("again", ["--port", port]));
    await until("the node is there", async () =>
      (await bob.client.space(app.space)).replicas.some(({ phase }) => phase === "ready"),
    );
    assert.equal((await visit(app.url, bob)).text, "200");
  },
);
