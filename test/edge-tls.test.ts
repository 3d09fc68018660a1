/** TLS at the edge with real handshakes: which certificate whom, which protocol, what changes while it runs; and visitors without it. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { request as httpRequest } from "node:http";
import type { IncomingMessage } from "node:http";
import { connect as connectH2 } from "node:http2";
import { request as httpsRequest } from "node:https";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import type { Duplex } from "node:stream";
import { text as allText } from "node:stream/consumers";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { connect } from "node:tls";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import { WebSocket, WebSocketServer } from "ws";
import { Authority, createRoot } from "../src/tls/authority.ts";
import { authorityFolder, Certificates } from "../src/tls/certificates.ts";
import type { CertificatesOptions } from "../src/tls/certificates.ts";
import { app, shown } from "./support/edge-app.ts";
import { appHost, edgeWorld } from "./support/edge-world.ts";
import type { EdgeWorld } from "./support/edge-world.ts";
import { eventually } from "./support/eventually.ts";
import { freePort } from "./support/free-port.ts";
import { askH2 } from "./support/h2-client.ts";
import { loopback } from "./support/loopback.ts";
import { openChromium } from "./support/browser.ts";
import { needs } from "./support/needs.ts";

const folder = mkdtempSync(join(tmpdir(), "waybill-tls-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const day = 86_400_000;
const said: string[] = [];
const log = { info: (_: object, says: string) => said.push(says), warn: (_: object, says: string) => said.push(says) };

async function certificates(sources: Partial<CertificatesOptions["sources"]>, now = Date.now): Promise<Certificates> {
  return Certificates.open({
    ...{ folder, appsDomain: "localhost", now, log },
    sources: { files: [], isAuthority: false, acme: null, ...sources },
    isOurs: (host) => host === appHost || host === "localhost",
  });
}

/** As an operator's files: a pair for these names from an authority of the test's own. */
async function pairFiles(
  name: string,
  names: readonly [string, ...string[]],
): Promise<{ cert: string; key: string; ca: string }> {
  const own = join(folder, "operator");
  const root = await createRoot(own, { now: Date.now(), name: "the operator's" });
  const authority = await Authority.open({ folder: own, now: Date.now });
  const pair = await authority.issued(names);
  const files = { cert: join(folder, `${name}.pem`), key: join(folder, `${name}.key`), ca: root.pem };
  writeFileSync(files.cert, pair.cert);
  writeFileSync(files.key, pair.key);
  return files;
}

function handshake(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connect({ host: "127.0.0.1", port, ...options }, () => resolve(socket));
    socket.on("error", reject);
  });
}

async function namesShown(port: number, options: ConnectionOptions): Promise<string> {
  const socket = await handshake(port, options);
  const { subjectaltname } = socket.getPeerCertificate();
  socket.destroy();
  return subjectaltname ?? "";
}

const chromiumNeeds = await needs("chromium");

describe("with the private authority", () => {
  let world: EdgeWorld;
  let tls: Certificates;
  let ca = "";
  before(async () => {
    tls = await certificates({ isAuthority: true });
    ca = (await createRoot(authorityFolder(folder), { now: Date.now(), name: "again" })).pem;
    world = await edgeWorld(app, { tls: { pairs: tls, plainPort: await freePort(), publicPort: 8443 } });
    world.directory.set("127.0.0.1", world.directory.get(appHost) as never);
  });
  after(async () => {
    tls[Symbol.dispose]();
    await world.close();
  });

  test("nothing is issued for a name that is not ours, nor for an address that nobody called", async () => {
    const address = "127.0.0.1";
    for (const name of ["6.6.6.6", "2001:db8::1", "else.example"])
      assert.equal(await tls.pairFor({ name, address }), undefined);
    const { certificates: all } = await tls.shown();
    assert.ok(!all.some(({ names }) => names.includes("6.6.6.6")));
    assert.equal((await tls.pairFor({ name: undefined, address })) === undefined, false);
  });

  test("a visitor that knows HTTP/2 speaks it by ALPN, and the app is told https and 2", async () => {
    const session = connectH2(`https://${appHost}:${world.edge.port}`, { ca, lookup: loopback });
    const headers = shown((await askH2(session, { ":path": "/" })).text);
    session.destroy();
    assert.deepEqual([headers.get("x-forwarded-proto"), headers.get("via")], ["https", "2 waybill"]);
  });

  test("one that does not speaks HTTP/1.1 as ever", async () => {
    const text = await new Promise<string>((resolve, reject) => {
      httpsRequest(`https://${appHost}:${world.edge.port}/`, { ca, lookup: loopback, agent: false }, (response) => {
        let all = "";
        response
          .setEncoding("utf8")
          .on("data", (part: string) => (all += part))
          .on("end", () => resolve(all));
      })
        .on("error", reject)
        .end();
    });
    assert.deepEqual([shown(text).get("x-forwarded-proto"), shown(text).get("via")], ["https", "1.1 waybill"]);
  });

  test("within a connection of the PROXY protocol it is https too, and the visitor the one that the proxy names", async () => {
    const port = await freePort();
    const proxies = { has: (one: string) => one === "127.0.0.1", headers: "x-forwarded" as const };
    const proxied = await edgeWorld(app, {
      tls: { pairs: tls },
      proxies,
      proxyProtocol: { address: "127.0.0.1", port },
    });
    try {
      const carrier = connectTcp(port, "127.0.0.1");
      carrier.write("PROXY TCP4 203.0.113.9 127.0.0.1 4000 443\r\n");
      const socket = connect({ socket: carrier, servername: appHost, ca });
      socket.write(`GET / HTTP/1.1\r\nHost: ${appHost}\r\nConnection: close\r\n\r\n`);
      const text = await allText(socket);
      assert.match(text, /"x-forwarded-proto","https"/);
      assert.match(text, /"x-forwarded-for","203\.0\.113\.9"/);
    } finally {
      await proxied.close();
    }
  });

  test("each name of ours and the address that was called have a certificate that the root vouches for", async () => {
    assert.match(
      await namesShown(world.edge.port, { ca, servername: appHost }),
      /DNS:alice-demo\.localhost, .*DNS:\*\.localhost/,
    );
    assert.equal(await namesShown(world.edge.port, { ca }), "IP Address:127.0.0.1");
  });

  test("a name that is not ours gets none of its own", async () => {
    await assert.rejects(handshake(world.edge.port, { ca, servername: "bank.example" }), /altnames|alert|handshake/i);
  });

  test("its keys are nobody else's to read, and its root signs no other authority", async () => {
    assert.equal(statSync(join(authorityFolder(folder), "root.key")).mode & 0o777, 0o600);
    const root = new X509Certificate(ca);
    assert.equal(root.ca, true);
    const leaf = new X509Certificate((await tls.pairFor({ name: appHost, address: "127.0.0.1" }))?.cert ?? "");
    assert.deepEqual([leaf.ca, leaf.verify(root.publicKey)], [false, true]);
  });

  test("on the port without TLS visitors are sent on, and nothing of theirs gets to an app", async () => {
    const port = await eventually("the plain port", () =>
      world.edge.addresses().find((one) => one.startsWith("plain:")),
    );
    const sentOn = (method: string): Promise<unknown> =>
      new Promise((resolve, reject) => {
        httpRequest(
          {
            ...{ host: "127.0.0.1", port: Number(port.slice(6)), path: "/a?b=c", method, agent: false },
            headers: { host: `${appHost}:80` },
          },
          ({ statusCode: status, headers: { location } }) => resolve({ status, location }),
        )
          .on("error", reject)
          .end(method === "POST" ? "secret" : undefined);
      });
    const there = { status: 308, location: `https://${appHost}:8443/a?b=c` };
    const before = world.upstream.connections.size;
    assert.deepEqual(await Promise.all(["GET", "HEAD", "POST"].map(sentOn)), [there, there, there]);
    assert.equal(world.upstream.connections.size, before);
  });

  test("on the port with TLS this machine's own programs may do without", async () => {
    const session = connectH2(world.url);
    assert.equal(shown((await askH2(session, { ":path": "/" })).text).get("x-forwarded-proto"), "http");
    session.destroy();
  });

  test("a WebSocket over HTTP/1.1 and TLS is carried as ever", async () => {
    const sockets = new WebSocketServer({ noServer: true });
    const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void =>
      sockets.handleUpgrade(request, socket, head, (ws) =>
        ws.on("message", (data, binary) => ws.send(data, { binary })),
      );
    world.app.on("upgrade", upgrade);
    const client = new WebSocket(`wss://${appHost}:${world.edge.port}/ws`, { ca, lookup: loopback });
    await once(client, "open");
    client.send("to and fro");
    const [echoed] = (await once(client, "message")) as [Buffer];
    assert.equal(echoed.toString(), "to and fro");
    client.terminate();
    world.app.off("upgrade", upgrade);
  });

  test("a browser speaks HTTP/2 to a page and its WebSocket", chromiumNeeds, async () => {
    const sockets = new WebSocketServer({ noServer: true });
    const via: unknown[] = [];
    world.app.on("upgrade", (request, socket, head) => {
      via.push(request.headers["via"]);
      sockets.handleUpgrade(request, socket, head, (ws) =>
        ws.on("message", (data, binary) => ws.send(data, { binary })),
      );
    });
    await using browser = await openChromium("--ignore-certificate-errors");
    const page = await browser.newPage();
    await page.goto(`https://${appHost}:${world.edge.port}/`);
    const spoken = await page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol");
    assert.equal(spoken, "h2");
    const echoed = await page.evaluate(`new Promise((resolve, reject) => {
      const socket = new WebSocket("wss://" + location.host + "/ws");
      socket.onopen = () => socket.send("to and fro");
      socket.onmessage = ({ data }) => resolve(data);
      socket.onerror = () => reject(new Error("the WebSocket broke"));
    })`);
    assert.equal(echoed, "to and fro");
    assert.deepEqual(via, ["2 waybill"]);
  });
});

describe("certificates of the authority", () => {
  test("are made anew from two thirds of their life on, and none outlives the root", async () => {
    let now = Date.now();
    const own = join(folder, "aging");
    await createRoot(own, { now, name: "aging" });
    const authority = await Authority.open({ folder: own, now: () => now });
    const first = await authority.issued(["a.localhost"]);
    now += 15 * day;
    assert.equal(await authority.issued(["a.localhost"]), first);
    now += 10 * day;
    const second = await authority.issued(["a.localhost"]);
    assert.ok(second.notAfter > first.notAfter);
    now += 3_600 * day;
    const last = await authority.issued(["a.localhost"]);
    assert.ok(last.notAfter < now + 30 * day);
  });

  test("come from the root that is kept: a second create changes nothing", async () => {
    const own = join(folder, "kept");
    const first = await createRoot(own, { now: Date.now(), name: "first" });
    assert.deepEqual(await createRoot(own, { now: Date.now(), name: "second" }), first);
  });

  test("are not given by a root whose key is another's", async () => {
    const [one, other] = [join(folder, "one"), join(folder, "other")];
    await createRoot(one, { now: Date.now(), name: "one" });
    const { pem } = await createRoot(other, { now: Date.now(), name: "other" });
    writeFileSync(join(one, "root.pem"), pem);
    await assert.rejects(Authority.open({ folder: one, now: Date.now }), /its key is another's/);
  });
});

describe("with files", () => {
  test("the pair is chosen by the visitor's name, the first where there is none", async () => {
    const [a, b] = [await pairFiles("a", ["a.example", "*.apps.example"]), await pairFiles("b", ["b.example"])];
    using tls = await certificates({ files: [a, b] });
    const world = await edgeWorld(app, { tls: { pairs: tls } });
    try {
      const { port } = world.edge;
      assert.equal(await namesShown(port, { ca: a.ca, servername: "b.example" }), "DNS:b.example");
      assert.match(await namesShown(port, { ca: a.ca, servername: "alice-demo.apps.example" }), /^DNS:a\.example/);
      assert.match(await namesShown(port, { rejectUnauthorized: false }), /^DNS:a\.example/);
    } finally {
      await world.close();
    }
  });

  test("a changed pair is taken by the next handshake; one that does not fit is refused and told, and the old one stays", async () => {
    const files = await pairFiles("changing", ["before.example"]);
    using tls = await certificates({ files: [files] });
    const world = await edgeWorld(app, { tls: { pairs: tls } });
    try {
      const names = () => namesShown(world.edge.port, { rejectUnauthorized: false });
      assert.equal(await names(), "DNS:before.example");
      said.length = 0;
      const other = await pairFiles("other", ["after.example"]);
      writeFileSync(files.cert, readFileSync(other.cert));
      await eventually("the operator is told", () =>
        said.find((says) => says.includes("the key is not the certificate's")),
      );
      assert.match(said.join(), /the one before it is still in use/);
      assert.equal(await names(), "DNS:before.example");
      writeFileSync(files.key, readFileSync(other.key));
      await eventually("the new pair is taken", () => said.includes("a certificate was replaced"));
      assert.equal(await names(), "DNS:after.example");
    } finally {
      await world.close();
    }
  });

  test("all that is wrong with them at the start is told at once", async () => {
    const [a, b] = [await pairFiles("wrong", ["a.example"]), await pairFiles("right", ["b.example"])];
    await assert.rejects(
      certificates({
        files: [
          { cert: a.cert, key: b.key },
          { cert: join(folder, "none.pem"), key: b.key },
        ],
      }),
      /the key is not the certificate's; .*none\.pem .* cannot be read/,
    );
    await assert.rejects(
      certificates({ files: [a] }, () => Date.now() + 400 * day),
      /the certificate ended on/,
    );
  });
});
