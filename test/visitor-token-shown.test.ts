/** A visitor's token shown by whom it was not made for, and when it should not be: apps in sandboxes, each with a connection of its own. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { decodeJwt as claims } from "jose";
import { needs } from "./support/needs.ts";
import { Platform, visit, type Account, type App } from "./support/platform.ts";

const { skip } = await needs("sandbox");

/** Keeps the token of its last visitor, and shows whichever it is told to another app. */
const shower = `
import { createServer } from "node:http";
createServer(async (incoming, response) => {
  const { pathname, searchParams } = new URL(incoming.url, "http://app");
  incoming.resume();
  if (pathname === "/token") return response.end(incoming.headers["x-ip-token"] ?? "");
  if (pathname !== "/show") return response.end("ok");
  const token = searchParams.get("token") ?? incoming.headers["x-ip-token"];
  try {
    const answer = await fetch(searchParams.get("at"), { headers: { "x-ip-token": token } });
    response.writeHead(answer.status, { "x-asked": answer.headers.get("x-waybill-id") ?? "" }).end(await answer.text());
  } catch (error) {
    response.writeHead(500).end(String(error.cause ?? error));
  }
}).listen(process.env.PORT);
`;

describe("a visitor's token", { skip }, () => {
  let up: Platform;
  let alice: Account;
  let bob: Account;
  let mine: App;
  let other: App;
  before(async () => {
    up = await Platform.start({ sandbox: "best", gpus: "1x1" });
    [alice, bob] = [await up.account("alice"), await up.account("bob")];
    mine = await up.deploy(alice, "mine", { "server.js": shower });
    other = await up.deploy(bob, "other", { "server.js": shower });
    assert.ok(mine.deployed.ok && other.deployed.ok, `${mine.deployed.says} ${other.deployed.says}`);
  });
  after(async () => up?.[Symbol.asyncDispose]());

  const named = ({ space }: App): string => `http://${space.replace("/", "-")}.localhost:${new URL(up.url).port}`;
  const tokenOf = async (app: App, who: Account): Promise<string> => (await visit(`${app.url}/token`, who)).text;
  /** `by` asks the other of the two with this token, or its visitor's own. */
  const shows = (by: App, to: App, token?: string) => {
    const shown = token === undefined ? "" : `&token=${encodeURIComponent(token)}`;
    return visit(`${by.url}/show?at=${encodeURIComponent(`${named(to)}/token`)}${shown}`, bob);
  };

  test("that its own Space passes on becomes the called Space's, for the same account, with the chain", async () => {
    const { status, text, work } = await shows(mine, other);
    assert.equal(status, 200, text);
    const { aud, sub, by, root, hops } = claims(text);
    assert.deepEqual([aud, sub, by, root, hops], ["bob/other", "bob", "token", work, 1]);
  });

  test("that another Space shows is refused as not its own", async () => {
    const stolen = await tokenOf(mine, alice);
    const { status, text, headers } = await shows(other, mine, stolen);
    assert.equal(status, 401, text);
    const { verdict } = await up.admin.explain(headers.get("x-asked") ?? "");
    assert.deepEqual([verdict?.boundary, verdict?.code, verdict?.certainty], ["identity", "wrong-audience", "proved"]);
  });

  test("that comes from outside is refused, whoever has it, and is no stranger's request", async () => {
    const token = await tokenOf(mine, alice);
    for (const app of [mine, other])
      for (const who of [undefined, alice, bob]) {
        const { status, work } = await visit(app.url, who, { headers: { "x-ip-token": token } });
        assert.equal(status, 401);
        assert.equal((await up.admin.explain(work)).verdict?.code, "forwarded");
      }
  });

  test("shown by its Space after its request has ended names that request, in a chain that cannot be grown beyond it", async () => {
    const kept = await tokenOf(mine, alice);
    const { status, text } = await shows(mine, other, kept);
    assert.equal(status, 200, "a thread may work on for its visitor");
    const { sub, root, hops } = claims(text);
    assert.deepEqual([sub, root, hops], ["alice", claims(kept)["jti"], 1], "its caps are those of the one request");
    const again = await shows(other, mine, text);
    assert.deepEqual(
      [again.status, claims(again.text)["root"], claims(again.text)["hops"]],
      [200, claims(kept)["jti"], 2],
    );
  });

  test("passed through eight Spaces is passed on no further", async () => {
    let token = await tokenOf(mine, alice);
    let at = mine;
    for (let hops = 1; hops <= 8; hops++) {
      const to = at === mine ? other : mine;
      const { status, text } = await shows(at, to, token);
      assert.deepEqual([status, claims(text)["hops"]], [200, hops]);
      [token, at] = [text, to];
    }
    const last = await shows(at, at === mine ? other : mine, token);
    assert.match(last.text, /"code":"loop"/);
  });
});
