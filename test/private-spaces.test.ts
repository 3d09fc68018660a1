/** Who is let in where, and told as whom they were counted: with an edge in the server's process, and with one apart. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { connect } from "node:http2";
import { request } from "node:http";
import { connect as connectTcp } from "node:net";
import { after, before, describe, test } from "node:test";
import { Role } from "./support/cluster.ts";
import { get, type Answer } from "./support/edge-load.ts";
import { freePort } from "./support/free-port.ts";
import { GitClient } from "./support/git-client.ts";
import { askH2 } from "./support/h2-client.ts";
import { Platform, until, visit, type Account, type App } from "./support/platform.ts";

const server = `
import { createServer } from "node:http";
const server = createServer((request, response) => {
  if (request.url === "/events") {
    response.writeHead(200, { "content-type": "text/event-stream" });
    const timer = setInterval(() => response.write("data: x\\n\\n"), 20);
    return void response.on("close", () => clearInterval(timer));
  }
  response.setHeader("X-Waybill-Account", "mallory;by=token");
  if (request.url === "/kept") response.setHeader("cache-control", "public, max-age=60");
  response.writeHead(request.url === "/fail" ? 500 : 200).end("served");
});
server.on("upgrade", (request, socket) => {
  socket.write("HTTP/1.1 101 Switching Protocols\\r\\nconnection: upgrade\\r\\nupgrade: websocket\\r\\n\\r\\n");
  socket.on("error", () => socket.destroy()).pipe(socket);
});
server.listen(process.env.PORT);
`;

/** Something that stays open: a stream, or a WebSocket. */
interface Open {
  readonly bytes: () => number;
  readonly over: () => boolean;
  readonly work: () => string;
  end(): void;
}

/** The answer's longest way to everybody; the rest is for a machine that is busy. */
const toldWithinMs = 1_000;

for (const apart of [false, true]) {
  describe(apart ? "visits through an edge apart" : "visits", () => {
    let up: Platform;
    let edge: Role | undefined;
    let alice: Account;
    let bob: Account;
    let carol: Account;
    let open: App;
    let closed: App;
    before(async () => {
      up = await Platform.start({ gpus: null, service: true, ...(apart && { apart: await freePort() }) });
      edge = apart ? new Role("edge", ["edge", "--data", up.data, "--workers", "2", "--drain", "60"], {}) : undefined;
      await edge?.start().ready;
      [alice, bob, carol] = [await up.account("alice"), await up.account("bob"), await up.account("carol")];
      await up.admin.createAccount({ name: "acme", organisation: true, admin: "alice" });
      await up.admin.addMember("acme", { account: "bob", role: "read" });
      open = await up.deploy(alice, "open", { "server.js": server });
      assert.ok(open.deployed.ok, open.deployed.says);
      closed = await up.deploy({ ...alice, name: "acme" }, "closed", { "server.js": server });
      assert.ok(closed.deployed.ok, closed.deployed.says);
    });
    after(async () => {
      await edge?.end("SIGTERM");
      await up?.[Symbol.asyncDispose]();
    });

    const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
    const ask = (
      app: App,
      headers: Readonly<Record<string, string>> = {},
      path = "/",
      host?: string,
    ): Promise<Answer> => get(`${app.url}${path}`, { headers: { ...headers, ...(host !== undefined && { host }) } });
    const upgraded = (
      app: App,
      headers: Readonly<Record<string, string>> = {},
    ): Promise<Open & { readonly head: string }> =>
      new Promise((resolve, reject) => {
        const { hostname, port, host } = new URL(app.url);
        const lines = Object.entries({ host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
        const socket = connectTcp(Number(port), hostname);
        let [bytes, over, head] = [0, false, ""];
        const timer = setInterval(() => socket.write("x"), 20);
        const end = (): void => {
          over = true;
          clearInterval(timer);
          socket.destroy();
          reject(new Error(`closed: ${head}`));
        };
        socket.on("close", end).on("error", end).on("end", end);
        socket.on("data", (piece) => {
          bytes += piece.length;
          if (!head.includes("\r\n\r\n")) head += piece.toString("latin1");
          const work = /x-waybill-id: (\S+)/.exec(head)?.[1] ?? "";
          if (head.includes("\r\n\r\n") && !head.startsWith("HTTP/1.1 101")) return end();
          if (head.includes("\r\n\r\n")) resolve({ head, bytes: () => bytes, over: () => over, work: () => work, end });
        });
        socket.write(`GET /socket HTTP/1.1\r\n${lines.join("")}connection: upgrade\r\nupgrade: websocket\r\n`);
        socket.write("sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
      });
    const stream = (app: App, headers: Readonly<Record<string, string>> = {}): Promise<Open> =>
      new Promise((resolve, reject) => {
        const asked = request(`${app.url}/events`, { agent: false, headers }, (response) => {
          let [bytes, over] = [0, false];
          const ends = (): void => void (over = true);
          response.on("data", (piece: Buffer) => (bytes += piece.length));
          response.on("end", ends).on("error", ends).on("close", ends);
          const work = String(response.headers["x-waybill-id"]);
          resolve({ bytes: () => bytes, over: () => over, work: () => work, end: () => void asked.destroy() });
        });
        asked.on("error", reject).end();
      });
    const field = async (asked: Promise<Answer>) => {
      const { status, headers } = await asked;
      return `${status} ${String(headers["x-waybill-account"])}`;
    };
    /** Without what is of one answer alone. */
    const told = ({ status, headers, text }: Answer, host: string): string =>
      JSON.stringify([status, Object.keys(headers), headers["proxy-status"], text])
        .replaceAll(/n_[0-9a-z]+/g, "ID")
        .replaceAll(host, "HOST");
    const nowhere = "nobody-there.localhost";
    const set = (isPrivate: boolean) => alice.client.changeSpace("acme/closed", { private: String(isPrivate) });
    /** Resolves with how long it took. */
    const within = async (says: string, is: () => Promise<boolean>): Promise<number> => {
      const since = performance.now();
      await until(says, is);
      return performance.now() - since;
    };

    test("each answer says as whom its caller was counted, and no app can", async () => {
      assert.equal(await field(ask(open)), "200 address:127.0.0.1;by=address");
      assert.equal(await field(ask(open, bearer(alice.token))), "200 alice;by=token");
      assert.equal(await field(ask(open, { "x-hf-authorization": `Bearer ${bob.token}` })), "200 bob;by=token");
      assert.equal(await field(ask(open, bearer(bob.token), "/fail")), "500 bob;by=token");
      assert.equal(
        await field(ask(open, bearer(bob.token), "/kept")),
        "200 undefined",
        "others may be given what is kept",
      );
      const session = connect(open.url);
      const { headers } = await askH2(session, { ":authority": new URL(open.url).host, ...bearer(alice.token) });
      session.destroy();
      assert.deepEqual([headers[":status"], headers["x-waybill-account"]], [200, "alice;by=token"]);
      const socket = await upgraded(open, bearer(carol.token));
      socket.end();
      assert.match(socket.head, /^HTTP\/1.1 101 [^]*\r\nx-waybill-account: carol;by=token\r\n/);
      await alice.client.stop("alice/open");
      const down = await until("it is stopped", async () => {
        const answer = await ask(open, bearer(bob.token));
        return answer.status === 503 && answer;
      });
      assert.equal(down.headers["x-waybill-account"], "bob;by=token");
      await alice.client.resume("alice/open");
      await until("it runs", async () => (await ask(open)).status === 200);
    });

    test("a token that does not hold is refused, also where nothing is: nobody is counted as a stranger instead", async () => {
      const unknown = bearer(`hf_wb${"0".repeat(32)}`);
      for (const host of [undefined, nowhere]) {
        const answer = await ask(open, unknown, "/", host);
        assert.deepEqual([answer.status, answer.headers["x-waybill-account"]], [401, undefined]);
        assert.match(answer.text, /"code":"bad-token"/);
      }
    });

    test("who may not read a private Space is answered as where no Space is", async () => {
      await set(true);
      const ms = await within("strangers are refused", async () => (await ask(closed)).status === 404);
      assert.ok(ms <= toldWithinMs * 3, `it took ${Math.round(ms)} ms`);
      const own = new URL(closed.url).host;
      const cases = [{}, bearer(carol.token), bearer(`hf_wb${"0".repeat(32)}`), { "x-ip-token": "a.b.c" }];
      for (const headers of [...cases, { ...bearer(carol.token), accept: "text/html" }])
        assert.equal(told(await ask(closed, headers), own), told(await ask(closed, headers, "/", nowhere), nowhere));
      await assert.rejects(upgraded(closed), /closed: HTTP\/1.1 404/);
      const made = async (account: Account, body: object) =>
        (await account.client.createToken({ account: account.name, ...body })).token;
      const tokens = {
        owner: alice.token,
        member: bob.token,
        operator: up.operatorToken,
        reads: await made(bob, { scopes: ["read", "gpu"] }),
        "of it": await made(bob, { scopes: ["gpu"], spaces: [{ space: "acme/closed", right: "read" }] }),
        "of another": await made(alice, { scopes: ["gpu"], spaces: [{ space: "alice/open", right: "read" }] }),
        gpu: await made(bob, { scopes: ["gpu"] }),
        read: await made(bob, { scopes: ["read"] }),
        other: carol.token,
      };
      const statuses: Record<string, number> = {};
      for (const [name, token] of Object.entries(tokens)) statuses[name] = (await ask(closed, bearer(token))).status;
      assert.deepEqual(statuses, {
        ...{ owner: 200, member: 200, operator: 200, reads: 200, "of it": 200 },
        // What spends no GPU time visits nothing.
        ...{ "of another": 404, gpu: 404, read: 403, other: 404 },
      });
      (await upgraded(closed, bearer(bob.token))).end();
    });

    test("its owner reads who was refused, and why", async () => {
      await ask(closed, bearer(carol.token));
      const refused = await until("it is in the record", async () => {
        const { items } = await alice.client.requests("acme/closed", {});
        return items.find(({ code, account }) => code === "identity/private" && account === "carol");
      });
      assert.deepEqual([refused.status, refused.answeredBy], [404, "edge"]);
      const { verdict } = await alice.client.explain(refused.id);
      assert.deepEqual([verdict?.boundary, verdict?.code, verdict?.certainty], ["identity", "private", "proved"]);
    });

    test("what is open ends when it becomes private, a token is revoked or a member goes; who may stay is not disturbed", async () => {
      await set(false);
      await until("all may come", async () => (await ask(closed)).status === 200);
      const { token, id } = await bob.client.createToken({ account: "bob" });
      const [stranger, socket] = [await stream(closed), await upgraded(closed, bearer(carol.token))];
      const [owner, revoked, member] = [
        await upgraded(closed, bearer(alice.token)),
        await stream(closed, bearer(token)),
        await stream(closed, bearer(bob.token)),
      ];
      const over = (...all: Open[]) => within("they end", async () => all.every((one) => one.over()));
      const took: Record<string, number> = {};
      await set(true);
      took["private"] = await over(stranger, socket);
      assert.deepEqual([owner.over(), revoked.over(), member.over()], [false, false, false]);
      await bob.client.revokeToken(id);
      took["revoked"] = await over(revoked);
      assert.deepEqual([owner.over(), member.over()], [false, false]);
      await up.admin.removeMember("acme", "bob");
      took["member"] = await over(member);
      const bytes = owner.bytes();
      await until("the owner's goes on", () => owner.bytes() > bytes + 10);
      owner.end();
      await up.admin.addMember("acme", { account: "bob", role: "read" });
      console.log(
        `open ones ended after, in ms: ${JSON.stringify(took, (_, value) => (typeof value === "number" ? Math.round(value) : value))}`,
      );
      const { verdict } = await until("its entries are there", async () => {
        const explained = await alice.client.explain(stranger.work());
        return explained.verdict?.code === "private" && explained;
      });
      assert.equal(verdict?.certainty, "proved");
    });

    test("git reads it with a token that may alone, and tells nobody else that it is there", async () => {
      using git = new GitClient();
      const url = (name: string, token?: string) => {
        const at = new URL(`${up.url}/spaces/acme/${name}.git`);
        if (token !== undefined) [at.username, at.password] = ["x", token];
        return at.href;
      };
      const refs = async (at: string) =>
        (await git.work(git.folder).run("ls-remote", at)).says
          .replaceAll(/closed|absent/g, "NAME")
          .replaceAll(/hf_wb\w+/g, "T");
      assert.match(await refs(url("closed", bob.token)), /refs\/heads\/main/);
      assert.equal(await refs(url("closed")), await refs(url("absent")));
      assert.equal(await refs(url("closed", carol.token)), await refs(url("absent", carol.token)));
      const batch = async (name: string, account?: Account) => {
        const body = JSON.stringify({ operation: "download", objects: [] });
        const answer = await visit(`${up.url}/spaces/acme/${name}.git/info/lfs/objects/batch`, account, {
          method: "POST",
          body,
        });
        return `${answer.status} ${answer.text.replaceAll(name, "NAME").replaceAll(/q_\w+/g, "ID")}`;
      };
      assert.match(await batch("closed", bob), /^200 /);
      assert.equal(await batch("closed"), await batch("absent"));
      assert.equal(await batch("closed", carol), await batch("absent", carol));
    });

    test("a large file is not taken by an address that was signed before its account lost the right to write", async () => {
      await up.admin.addMember("acme", { account: "carol", role: "write" });
      const bytes = Buffer.from("large");
      const objects = [{ oid: createHash("sha256").update(bytes).digest("hex"), size: bytes.length }];
      const batch = await visit(`${up.url}/spaces/acme/closed.git/info/lfs/objects/batch`, carol, {
        method: "POST",
        body: JSON.stringify({ operation: "upload", objects }),
      });
      const [object] = (JSON.parse(batch.text) as { objects: { actions: { upload: { href: string } } }[] }).objects;
      const href = object?.actions.upload.href ?? "";
      const put = async (): Promise<number> => (await fetch(href, { method: "PUT", body: bytes })).status;
      await up.admin.removeMember("acme", "carol");
      assert.equal(await put(), 403);
      await up.admin.addMember("acme", { account: "carol", role: "write" });
      assert.equal(await put(), 200);
      await up.admin.removeMember("acme", "carol");
    });
  });
}
