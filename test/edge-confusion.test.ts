/** Whose request it is, who says so, and what of it is kept: names for hosts, headers that claim, cookies for others, tokens in the wrong place. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { ask, shown } from "./support/edge-app.ts";
import { appHost, edgeWorld, rawExchange } from "./support/edge-world.ts";
import type { EdgeWorld } from "./support/edge-world.ts";

const otherHost = "bob-other.localhost";
const numbered = "127.77.0.2";
let world: EdgeWorld;
before(async () => {
  world = await edgeWorld((request, response) => {
    const answer = /^\/answer\?(.*)$/.exec(request.url ?? "");
    const [name = "", value = ""] = decodeURIComponent(answer?.[1] ?? "").split("\n");
    if (name !== "") response.setHeader(name, value);
    response.end(JSON.stringify({ url: request.url, raw: request.rawHeaders }));
  });
  const space = world.directory.get(appHost);
  assert.ok(space);
  world.directory.set(otherHost, { ...space, space: "bob/other", owner: "bob" });
  world.directory.set(numbered, { ...space, space: "bob/numbered", owner: "bob" });
});
after(() => world.close());

describe("a Host", () => {
  async function whose(host: string): Promise<string> {
    const text = await rawExchange(world.edge.port, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    if (text.includes("the console")) return "console";
    const id = /^x-waybill-id: (q_\w+)/m.exec(text)?.[1];
    if (id !== undefined) return world.emitter.packs.find(({ work }) => work === id)?.facts["space"] as string;
    return text.slice(9, 12);
  }

  const is: Record<string, string> = {
    [appHost]: "alice/demo",
    [appHost.toUpperCase()]: "alice/demo",
    [`${appHost}:1`]: "alice/demo",
    [otherHost]: "bob/other",
    [numbered]: "bob/numbered",
    [`${numbered}:80`]: "bob/numbered",
    localhost: "console",
    "LOCALHOST:80": "console",
    // Other names for loopback are nobody's: a page elsewhere could have its own name point here.
    "127.1": "404",
    "127.0.1": "404",
    "127.77.2": "404",
    "127.077.0.2": "404",
    "127.77.0.02": "404",
    "127.077.0.002": "404",
    "0x7f.77.0.2": "404",
    "0x7f4d0002": "404",
    "2135752706": "404",
    "017723200002": "404",
    "2130706433": "404",
    "0": "404",
    "0.0.0.0": "404",
    "[::1]": "404",
    "[::ffff:127.77.0.2]": "404",
    "[::ffff:7f4d:2]": "404",
    "[0:0:0:0:0:ffff:127.77.0.2]": "404",
    "alice-demo": "404",
    "xn--alice-demo-.localhost": "400",
    "x.alice-demo.localhost": "404",
    "alice-demo.localhost.evil.example": "404",
    "evil.example": "404",
    "localhost.": "400",
    [`${appHost}.`]: "400",
    [`${numbered}.`]: "400",
    [`user@${appHost}`]: "400",
    [`localhost@${appHost}`]: "400",
    [`${appHost}@localhost`]: "400",
    [`${appHost}%00`]: "400",
    "alice%2ddemo.localhost": "400",
    "[::1%25lo]": "400",
    "127.77.0.2\t": "bob/numbered",
    "\xe2\x91\xa027.77.0.2": "400",
    "127\xe3\x80\x8277.0.2": "400",
    "al\xc4\xb1ce-demo.localhost": "400",
    [`${appHost},${otherHost}`]: "400",
  };
  for (const [host, owner] of Object.entries(is))
    test(`${JSON.stringify(host)} is ${owner}`, async () => assert.equal(await whose(host), owner));

  test("decides alone: a Space's address with another's Host is the other's", async () => {
    assert.deepEqual(await world.edge.addAddress(numbered), { ok: true });
    const text = await new Promise<string>((resolve, reject) => {
      const socket = connect({ host: numbered, port: world.edge.port });
      let got = "";
      socket.on("data", (part) => (got += part.toString())).on("error", reject);
      socket.on("close", () => resolve(got));
      socket.write(`GET / HTTP/1.1\r\nHost: ${appHost}\r\nConnection: close\r\n\r\n`);
    });
    const id = /^x-waybill-id: (q_\w+)/m.exec(text)?.[1];
    assert.equal(world.emitter.packs.find(({ work }) => work === id)?.facts["space"], "alice/demo");
  });
});

describe("a header of a visitor", () => {
  const claims = [
    ...["Forwarded", "X-Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port"],
    ...["X-Forwarded-Scheme", "X-Forwarded-Protocol", "X-Forwarded-Ssl", "X-Forwarded-Server", "X-Forwarded-Prefix"],
    ...["X-Forwarded-Uri", "X-Forwarded-User", "X-Original-URL", "X-Rewrite-URL", "X-Original-Host", "X-Host"],
    ...["X-HTTP-Host-Override", "X-Scheme", "X-Url-Scheme", "Front-End-Https", "X-Real-IP", "X-Client-IP", "Client-IP"],
    ...["True-Client-IP", "X-Cluster-Client-IP", "CF-Connecting-IP", "Fastly-Client-IP", "X-IP-Token", "X-Waybill-Id"],
    ...["X-Waybill-Account", "Proxy-Status", "Via", "X-Request-Id", "tracestate", "X_Forwarded_For", "X_IP_Token"],
  ];
  for (const name of claims)
    test(`${name} says nothing to the app, and nothing of it comes back`, async () => {
      // What is echoed of X-Request-Id is no more than an id.
      const claim = "evil.example/<x>";
      const answer = await ask(world, "/", { [name]: claim });
      assert.equal(answer.status, 200);
      assert.ok(!answer.text.includes("evil"), answer.text);
      assert.ok(!JSON.stringify(answer.headers).includes("evil"));
    });

  test("is named in no page of ours", async () => {
    for (const host of ["nobody.localhost", "alice-asleep.localhost"]) {
      const headers = Object.fromEntries(claims.map((name) => [name, "evil.example"]));
      const answer = await ask(world, "/evil.example", { ...headers, host, accept: "text/html" });
      assert.ok(!answer.text.includes("evil"), answer.text);
    }
  });

  test("CDN-Loop is added to, and passes by as often as it may", async () => {
    const answer = await ask(world, "/", { "cdn-loop": "other" });
    assert.equal(shown(answer.text).get("cdn-loop"), "other, waybill");
    assert.equal((await ask(world, "/", { "cdn-loop": "waybill, ".repeat(8) })).status, 502);
  });
});

describe("a header of an app", () => {
  const dropped: Record<string, string[]> = {
    "Proxy-Status": ["waybill; error=connection_refused"],
    Via: ["1.1 evil"],
    "X-Request-Id": ["evil"],
    "X-IP-Token": ["evil"],
    "X-Waybill-Id": ["q_evil"],
    "X-Waybill-Anything": ["evil"],
    "X-Forwarded-For": ["evil"],
    "X-Accel-Redirect": ["/evil"],
    "X-Sendfile": ["/evil"],
    "Clear-Site-Data": ['"cookies", "evil"', '"evil", "*"'],
    "Set-Cookie": [
      ...["evil=1; Domain=localhost", "evil=1; domain=.localhost", "evil=1;DOMAIN = localhost ; Path=/"],
      ...[
        `evil=1; Domain=${appHost}; Domain=localhost`,
        `evil=1; Domain=${otherHost}`,
        "evil=1; Domain=demo.localhost",
      ],
      ...["evil=1; Path=/; Domain=example.com", "evil=1; Domain=..localhost", 'evil=1; Domain="localhost"'],
      ...["__Host-waybill-console=evil; Secure; Path=/", "__Secure-waybill=evil; Secure", "waybill_session=evil"],
      ...["__hOsT-WAYBILL-console=evil; Secure; Path=/", "=__Host-waybill-console=evil; Secure; Path=/"],
      ...["=waybill_session=evil", " = waybill_session=evil", "\twaybill_session=evil"],
    ],
  };
  for (const [name, values] of Object.entries(dropped))
    for (const value of values)
      test(`${name}: ${value} does not reach the visitor`, async () => {
        const answer = await ask(world, `/answer?${encodeURIComponent(`${name}\n${value}`)}`);
        assert.equal(answer.status, 200);
        assert.ok(!JSON.stringify(answer.headers).includes("evil"), JSON.stringify(answer.headers));
        assert.notEqual(answer.headers["proxy-status"], value);
      });

  const passed: Record<string, string[]> = {
    "Set-Cookie": [
      "a=1",
      `a=1; Domain=${appHost}`,
      `a=1; Domain=.${appHost.toUpperCase()}`,
      "__Host-mine=1; Secure; Path=/",
    ],
    "Clear-Site-Data": ['"cache"', '"storage"'],
  };
  for (const [name, values] of Object.entries(passed))
    for (const value of values)
      test(`${name}: ${value} does`, async () => {
        const answer = await ask(world, `/answer?${encodeURIComponent(`${name}\n${value}`)}`);
        assert.deepEqual([answer.headers[name.toLowerCase()]].flat(), [value]);
      });
});

describe("a cookie of the console", () => {
  for (const cookie of [
    "__Host-waybill-console=secret",
    "__Secure-waybill=secret",
    "waybill_session=secret",
    "__HOST-WAYBILL-x=secret",
  ])
    test(`reaches no app: ${cookie}`, async () => {
      for (const sent of [cookie, `a=1; ${cookie}; b=2`, `${cookie};a=1;b=2`, ` ;; ${cookie}`]) {
        const answer = await ask(world, "/", { cookie: sent });
        assert.ok(!answer.text.includes("secret"), answer.text);
        if (sent.includes("a=1")) assert.equal(shown(answer.text).get("cookie"), "a=1; b=2");
      }
    });
});

test("a token in the wrong place is kept nowhere", async () => {
  const secret = "hf_wbSecretSecretSecret";
  const asked = [
    { path: `/x?token=${secret}&__sign=${secret}`, headers: {} },
    { path: `/file=${secret}/x`, headers: {} },
    {
      path: "/x",
      headers: { authorization: `Bearer ${secret}`, cookie: `t=${secret}`, referer: `http://x/?t=${secret}` },
    },
    { path: "/x", headers: { "x-ip-token": secret, "x-hf-authorization": `Bearer ${secret}` } },
    { path: `/x?${secret}`, headers: { host: "nobody.localhost", accept: "text/html" } },
    { path: `/x?${secret}`, headers: { host: "alice-asleep.localhost", accept: "text/html" } },
    { path: `/x?${secret}`, headers: { authorization: "Bearer hf_wbwrong", cookie: secret } },
    { path: `/x?${secret}`, headers: { expect: secret } },
    { path: `/x#${secret}`, headers: {} },
    { path: `/x?${secret}`, headers: { "content-length": `+1` } },
    { path: `/x?${secret}`, headers: { connection: `close, authorization, ${secret}` } },
  ];
  for (const { path, headers } of asked) {
    const lines = Object.entries({ host: appHost, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    const text = await rawExchange(
      world.edge.port,
      `GET ${path} HTTP/1.1\r\n${lines.join("")}Connection: close\r\n\r\n`,
    );
    if (!text.startsWith("HTTP/1.1 200")) assert.ok(!text.includes(secret), text);
  }
  const { entries, packs } = world.emitter;
  const kept = JSON.stringify([entries, packs, world.counted, world.errors, world.gone]);
  assert.ok(!kept.includes(secret), kept.slice(kept.indexOf(secret) - 300, kept.indexOf(secret) + 50));
  assert.match(kept, /"\/x"/);
});
