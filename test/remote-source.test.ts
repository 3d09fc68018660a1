/** A commit fetched from a server that shares no folder with the builder: by git's own protocol and git-lfs', with a node's token. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { getCACertificates } from "node:tls";
import { GitFace, type GitDesk } from "../src/hub/git-face.ts";
import { LfsFace } from "../src/hub/lfs-face.ts";
import { LfsStore } from "../src/hub/lfs-store.ts";
import { openRemoteSource, type RemoteSourceOptions } from "../src/hub/remote-source.ts";
import { largeWorld } from "../src/hub/xet/world.suite.ts";
import { openRepositories } from "../src/hub/repository.ts";
import { clock, random } from "./support/commits.ts";
import { pointerTo } from "./support/sha256.ts";
import { memoryTransfers } from "./support/transfers.ts";

const large = randomBytes(3 << 20);
const pointer = pointerTo(large);

/**
 * A server with alice's Space, whose commit has a large file; `cut`: so many of its first connections break; `stall`: so many of the
 * first commits that are asked for begin to come, and then nothing comes.
 */
async function open({ cut = 0, stall = 0, reads = "alice/app" } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "wb-far-"));
  const repositories = openRepositories({ folder: join(folder, "repositories"), clock, random });
  await repositories.createRepository("alice/app");
  const repository = repositories.repositoryOf("alice/app");
  const store = new LfsStore(random, { freeMinBytes: 0 });
  const bytes = async function* () {
    yield large;
  };
  assert.deepEqual(await store.put(repository, pointer, bytes(), "alice"), { ok: true });
  const commit = await repositories.commitFiles({
    ...{ repository, branch: "main", summary: "all", author: { name: "Alice", email: "a@example.org" } },
    files: [{ path: "README.md", content: { bytes: Buffer.from("read me\n") } }],
    largeFiles: [{ path: "model.bin", ...pointer }],
  });
  assert(commit.ok);
  const refused = (): never => assert.fail("a node never writes");
  const desk: GitDesk = {
    callerOf: async (field) =>
      field === "Bearer n2's"
        ? { node: "n2", reads: (space, build = "b_1") => space === reads && build === "b_1" }
        : { refused: "identity/bad-token" },
    named: (repo) => repo,
    standing: () => "public",
    gate: async () => undefined,
    storedAs: ({ id }) => id,
    mayRead: async () => true,
    mayWrite: async () => true,
    mayPropose: refused,
    ensure: refused,
    inTurn: refused,
    refuse: refused,
    tooLarge: refused,
    pushed: refused,
    watch: refused,
    onFailure: (what, error) => assert.fail(`${what}: ${String(error)}`),
  };
  const { transfers, emitter } = memoryTransfers();
  const git = await GitFace.open({
    repositories,
    desk,
    transfers,
    clock,
    random,
    folder: join(folder, "git"),
  });
  const world = await largeWorld();
  const parts = {
    repositories,
    store,
    transfers,
    large: world.files,
    storage: world.storage,
    xet: { key: randomBytes(32), instance: "x" },
    proposers: { addProposer: refused },
  };
  const lfs = new LfsFace({ ...parts, desk, key: randomBytes(32), clock, random });
  let stalls = stall;
  const server = createServer((request, response) => {
    if (request.url?.endsWith("/git-upload-pack") && stalls-- > 0) {
      response.writeHead(200, { "content-type": "application/x-git-upload-pack-result" });
      return void response.write("0");
    }
    return git.serve(request, response) || lfs.serve(request, response);
  });
  let left = cut;
  server.on("connection", (socket) => void (left-- > 0 && socket.destroy()));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const fetches = join(folder, "fetches");
  return {
    commit: commit.commit,
    /** What packs that were fetched name. */
    links: () => emitter.packs.filter(({ facts }) => facts["via"] === "git").map(({ facts }) => facts["link"]),
    into: join(folder, "app"),
    fetches,
    folder,
    source: (token = "n2's", more: Partial<RemoteSourceOptions> = {}) =>
      openRemoteSource({
        ...{ servers: [`http://127.0.0.1:${port}`], token: () => token, folder: fetches, reserveBytes: 0 },
        ...{ clock, random, ...more },
      }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await git[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

const address = "/spaces/alice/app.git";

test("a commit comes with its large files, also where connections break, and leaves nothing beside it", async () => {
  await using far = await open({ cut: 2 });
  const source = await far.source();
  const result = await source.checkout(address, far.commit, far.into);
  assert.deepEqual(result, { ok: true, files: 3, notes: [] });
  assert.equal(readFileSync(join(far.into, "README.md"), "utf8"), "read me\n");
  assert(readFileSync(join(far.into, "model.bin")).equals(large));
  assert.deepEqual(readdirSync(far.fetches), []);
});

test("the pack that a build fetches is linked to it, where it is one of the node's own", async () => {
  await using far = await open();
  const source = await far.source();
  assert.equal((await source.checkout(address, far.commit, far.into, undefined, "b_1")).ok, true);
  assert.equal((await source.checkout(address, far.commit, `${far.into}2`, undefined, "b_2")).ok, true);
  assert.deepEqual(far.links(), [["b_1"], undefined]);
});

test("a fetch in which nothing comes any more is tried again, long before the bound of it all", async () => {
  await using far = await open({ stall: 1 });
  const source = await far.source("n2's", { stalledMs: 1_000 });
  assert.equal((await source.checkout(address, far.commit, far.into)).ok, true);
});

test("an authority of the operator's own is trusted beside the machine's, not in their place", async () => {
  await using far = await open();
  const [one = ""] = getCACertificates("bundled");
  const own = `# the operator's own\n${one}`;
  const file = join(far.folder, "own.pem");
  writeFileSync(file, own);
  const source = await far.source("n2's", { authorities: file });
  const all = readFileSync(join(far.fetches, "authorities.pem"), "utf8");
  assert(all.endsWith(own), "the operator's");
  const system = getCACertificates("system");
  for (const each of system.length > 0 ? system : getCACertificates("bundled")) assert(all.includes(each));
  assert.equal((await source.checkout(address, far.commit, far.into)).ok, true);
});

test("a commit that the repository does not have is refused as unknown", async () => {
  await using far = await open();
  const result = await (await far.source()).checkout(address, "1".repeat(40), far.into);
  assert.equal(!result.ok && result.refusal, "unknown-commit");
});

test("a node that has no build of the Space, or a token that does not hold, is given nothing", async () => {
  await using far = await open({ reads: "alice/other" });
  for (const token of ["n2's", "another's"]) {
    const source = await far.source(token);
    await assert.rejects(source.checkout(address, far.commit, far.into), /returned error: 403|could not read Username/);
  }
});
