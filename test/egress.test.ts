/** What a sandbox reaches and what not, in a real network namespace, through a real gateway, with what each connection leaves behind. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createSocket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { createServer as createHttp } from "node:http";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, test } from "node:test";
import { dialLimits, interleaved, systemDialler } from "../src/egress/dial.ts";
import { answerOf, outcome, parseQuestion, types } from "../src/egress/dns.ts";
import { systemResolver } from "../src/egress/resolve.ts";
import { EgressWorld, fullListener, lacking, range, rule, serve } from "./support/egress-world.ts";
import { eventually } from "./support/eventually.ts";

const skip = lacking();
/** A sender that has written nothing for so long waits for its reader. */
const heldForMs = 300;
const loopback = [range("127.0.0.1/32")];
const echo = (socket: Socket): void => void socket.pipe(socket);
/** Connects by name, sends, and says what came until the end, or the error. */
const talk = (host: string, port: number, send = "hello"): string => `
try:
  s = socket.create_connection((${JSON.stringify(host)}, ${port}), timeout=20)
  s.sendall(b${JSON.stringify(send)}); s.shutdown(socket.SHUT_WR)
  got = b""
  while True:
    more = s.recv(65536)
    if not more: break
    got += more
  print("end", got.decode())
except OSError as e:
  print(type(e).__name__, "after", got.decode() if "got" in dir() else "")`;

describe("a sandbox's way out", { skip }, () => {
  test("a name is reached, by one synthetic address, and the connection says where, how much and by which rule", async () => {
    await using server = await serve(echo);
    await using world = await EgressWorld.open({
      policy: { ports: [80, server.port], addresses: loopback },
      names: { "api.example.com": "127.0.0.1" },
    });
    const { out } = await world.python(
      `print(socket.gethostbyname("api.example.com"))${talk("api.example.com", server.port)}`,
    );
    assert.equal(out, "100.64.0.1\nend hello");
    const { outcome, sentence, entries, links } = await world.carried("api.example.com");
    assert.equal(outcome, "ok");
    assert.match(
      sentence,
      /api\.example\.com:\d+ was carried over 127\.0\.0\.1: 5 bytes sent, 5 bytes received.*Allowed by: allow \* on port \d+; the operator's range 127\.0\.0\.1\/32\.$/,
    );
    assert.deepEqual(
      entries.map(({ hop }) => hop),
      ["egress.open", "egress.resolve", "egress.policy", "egress.dial", "egress.stream"],
    );
    assert.deepEqual(
      links.map(({ id }) => id),
      ["p_0123456789abcdef"],
    );
    assert.deepEqual(world.notes, []);
  });

  test("any resolver that is asked is ours, over UDP and TCP; other kinds of names have no data or are not known", async () => {
    await using world = await EgressWorld.open();
    const ask = (name: string, type: number, server: string, tcp: boolean): string => `
q = b"\\x12\\x34\\x01\\0\\0\\x01\\0\\0\\0\\0\\0\\0" + b"".join(bytes([len(l)]) + l for l in b"${name}".split(b".")) + b"\\0\\0\\x${type.toString(16).padStart(2, "0")}\\0\\x01"
s = socket.socket(socket.${server.includes(":") ? "AF_INET6" : "AF_INET"}, socket.${tcp ? "SOCK_STREAM" : "SOCK_DGRAM"}); s.settimeout(3)
s.connect(("${server}", 53)); s.sendall(${tcp ? 'len(q).to_bytes(2, "big") + ' : ""}q); r = s.recv(4096)${tcp ? "[2:]" : ""}
print(r[3] & 15, int.from_bytes(r[6:8], "big"), ".".join(map(str, r[-4:])) if r[7] else "-")`;
    const asks = [
      ask("a.example", 1, "8.8.8.8", false),
      ask("a.example", 1, "1.1.1.1", true),
      ask("a.example", 1, "127.0.0.1", false),
      ask("a.example", 1, "::1", false),
      ask("a.example", 1, "2001:4860:4860::8888", true),
      ask("a.example", 28, "8.8.8.8", false),
      ask("a.example", 65, "8.8.8.8", false),
      ask("a.example", 16, "8.8.8.8", false),
      ask("a b.example", 1, "8.8.8.8", false),
      ask("localhost", 1, "8.8.8.8", false),
    ];
    const { out } = await world.python(asks.join(""));
    const same = Array.from({ length: 5 }, () => "0 1 100.64.0.1");
    assert.deepEqual(out.split("\n"), [...same, "0 0 -", "0 0 -", "4 0 -", "3 0 -", "0 1 127.0.0.1"]);
    assert.deepEqual(world.asked, []);
  });

  test("bytes that are no question are answered as such or not at all, and questions are answered after them", async () => {
    await using world = await EgressWorld.open();
    const { out } = await world.python(`
import os
for size in (0, 1, 11, 12, 13, 40, 600, 5000):
  s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
  for _ in range(20): s.sendto(os.urandom(size), ("127.0.0.1", 53))
t = socket.create_connection(("127.0.0.1", 53)); t.sendall(os.urandom(3000)); t.close()
print(socket.gethostbyname("still.example"))`);
    assert.match(out, /^100\.64\.0\.\d+$/);
  });

  test("an address that no name was answered with is refused, with its code, its rule and a record, whichever it is", async () => {
    await using world = await EgressWorld.open({ names: { "a.example": "127.0.0.1" } });
    for (const address of [
      "93.184.216.34",
      "169.254.169.254",
      "10.0.0.1",
      "192.168.1.1",
      "100.64.9.9",
      "2606:4700::1111",
    ]) {
      const { out } = await world.python(talk(address, 443));
      assert.match(out, /^(ConnectionResetError|BrokenPipeError) after$/, address);
      const { note, told } = await world.refused(
        new RegExp(`address-denied: \\[?${address.replaceAll(".", "\\.")}]?:443 was not reached`),
      );
      assert.match(note, /no name was answered with this address/);
      assert.deepEqual(
        [told.outcome, told.verdict?.code, told.verdict?.certainty],
        ["refused", "address-denied", "proved"],
      );
      assert.equal(told.entries.at(-1)?.facts["rule"], "by name only");
    }
    assert.deepEqual(world.asked, []);
  });

  test("a name that resolves to a private address is refused with the address and its range", async () => {
    await using world = await EgressWorld.open({
      names: { "db.internal": "10.0.0.5", "meta.example": "169.254.169.254" },
    });
    await world.python(talk("db.internal", 80) + talk("meta.example", 80));
    const { told } = await world.refused(/db\.internal resolves to 10\.0\.0\.5/);
    assert.equal(told.entries.at(-1)?.facts["rule"], "private, 10.0.0.0/8");
    assert.deepEqual(Object.keys(told.verdict?.ruledOut ?? {}).sort(), ["name", "network"]);
    assert.match((await world.refused(/meta\.example resolves/)).note, /metadata service, 169\.254\.169\.254\/32/);
  });

  test("a name that first was public and then is private is refused then: each connection is resolved and checked by itself", async () => {
    await using server = await serve(echo);
    await using world = await EgressWorld.open({
      policy: { ports: [server.port], addresses: loopback },
      names: { "rebind.example": ["127.0.0.1", "127.0.0.2"] },
    });
    const { out } = await world.python(talk("rebind.example", server.port) + talk("rebind.example", server.port));
    assert.match(out, /^end hello\n(ConnectionResetError|BrokenPipeError)/);
    assert.match((await world.refused(/rebind\.example/)).note, /resolves to 127\.0\.0\.2.*loopback/);
  });

  test("of several addresses only those that may be reached are dialled", async () => {
    await using server = await serve(echo);
    const names = { "many.example": { all: ["127.0.0.2", "127.0.0.1", "10.0.0.1"] } };
    await using world = await EgressWorld.open({ policy: { ports: [server.port], addresses: loopback }, names });
    assert.match((await world.python(talk("many.example", server.port))).out, /^end hello$/);
    const { sentence, entries } = await world.carried("many.example");
    assert.match(sentence, /over 127\.0\.0\.1:/);
    assert.match(JSON.stringify(entries.at(-1)?.facts["notDialled"]), /127\.0\.0\.2.*10\.0\.0\.1/);
  });

  test("a denied name, and a port that is on no list, say the rule that decided", async () => {
    await using world = await EgressWorld.open({ policy: { deny: [rule("*.evil.example")] } });
    await world.python(talk("www.evil.example", 443) + talk("mail.example", 25) + talk("mail.example", 6667));
    const name = await world.refused(/name-denied/);
    assert.match(
      name.told.sentence,
      /www\.evil\.example may not be reached.*"deny \*\.evil\.example".*policy for apps; nothing was dialled/i,
    );
    for (const port of [25, 6667]) {
      const { told } = await world.refused(new RegExp(`port-denied: port ${port} of mail\\.example`));
      assert.equal(told.entries.at(-1)?.facts["rule"], "allow only ports 80, 443");
    }
    assert.deepEqual(world.asked, []);
  });

  test("what its Space keeps to holds at once, within the policy: what is open and not among it ends, and a refusal says whose rule it was", async () => {
    await using server = await serve((socket) => void socket.write("hello"));
    await using world = await EgressWorld.open({
      policy: { ports: [80, server.port], addresses: loopback, deny: [rule("*.evil.example")] },
      names: { "api.example.com": "127.0.0.1", "db.example.com": "127.0.0.1" },
    });
    const held = world.python(`
s = socket.create_connection(("api.example.com", ${server.port}), timeout=60); t = socket.create_connection(("db.example.com", ${server.port}), timeout=60)
print(s.recv(5).decode(), t.recv(5).decode())
try: print("api", s.recv(5))
except OSError as e: print("api", type(e).__name__)
t.settimeout(0.2)
try: print("db", t.recv(5))
except TimeoutError: print("db goes on")`);
    await eventually("both are open", () => (world.asked.length === 2 ? true : undefined));
    const open = (): number => server.open();
    await eventually("both are taken", () => (open() === 2 ? true : undefined));
    world.gateway.keepTo("bob/other", []);
    world.gateway.keepTo("alice/demo", [rule("db.example.com"), rule("evil.example"), rule("*.evil.example")]);
    assert.match((await held).out, /^hello hello\napi (b''|ConnectionResetError)\ndb goes on$/);
    await world.python(talk("api.example.com", server.port) + talk("www.evil.example", 80));
    const { told } = await world.refused(
      /name-denied: api\.example\.com .*Space's own setting "reach db\.example\.com, /,
    );
    assert.deepEqual(
      [told.entries.at(-1)?.facts["setBy"], told.verdict?.owner, /setting `reach`/.test(told.verdict?.next ?? "")],
      ["owner", "app", true],
    );
    const operators = await world.refused(/www\.evil\.example .*by the rule "deny \*\.evil\.example"/);
    assert.equal(operators.told.entries.at(-1)?.facts["setBy"], undefined);
    world.gateway.keepTo("alice/demo", null);
    assert.match((await world.python(talk("api.example.com", server.port))).out, /hello/);
  });

  test("a name's own port is reached by a listener of its own, and through the catch-all", async () => {
    await using server = await serve(echo);
    const policy = { allow: [rule(`db.example:${server.port}`)], addresses: loopback };
    await using world = await EgressWorld.open({ policy, names: { "db.example": "127.0.0.1" } });
    assert.equal((await world.python(talk("db.example", server.port))).out, "end hello");
    await using unlisted = await EgressWorld.open({ policy, names: { "db.example": "127.0.0.1" }, listensOn: [80] });
    assert.equal((await unlisted.python(talk("db.example", server.port))).out, "end hello");
  });

  test("other UDP and other protocols are refused at once, over both families", async () => {
    await using world = await EgressWorld.open();
    const { out } = await world.python(`
for family, address in ((socket.AF_INET, "8.8.8.8"), (socket.AF_INET6, "2001:4860:4860::8888"), (socket.AF_INET, "100.64.0.1")):
  try: socket.socket(family, socket.SOCK_DGRAM).sendto(b"x", (address, 4433)); print("sent")
  except OSError as e: print(type(e).__name__)
try: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).sendto(b"\\x08\\0\\0\\0\\0\\0\\0\\0", ("8.8.8.8", 0)); print("sent")
except OSError as e: print(type(e).__name__)`);
    assert.deepEqual(out.split("\n"), ["PermissionError", "PermissionError", "PermissionError", "PermissionError"]);
  });

  test("the app's own loopback is its own, and leaves no record", async () => {
    await using world = await EgressWorld.open();
    const { out } = await world.python(`
l = socket.create_server(("127.0.0.1", 5555)); c = socket.create_connection(("127.0.0.1", 5555)); a, _ = l.accept(); a.sendall(b"own"); print(c.recv(3).decode())${talk("127.0.0.1", 80)}${talk("127.0.0.1", 5556)}`);
    assert.match(out, /^own\n(ConnectionResetError|BrokenPipeError) after \nConnectionRefusedError after$/);
    assert.deepEqual([world.written(), world.notes], [[], []]);
  });

  test("what the other side does is told as what it is: no such name, refused, silent, broken", async () => {
    await using closing = await serve((socket) => {
      socket.once("data", () => socket.resetAndDestroy());
    });
    const free = createServer();
    free.listen(0, "127.0.0.1");
    await once(free, "listening");
    const nobody = (free.address() as AddressInfo).port;
    free.close();
    const names = { "closing.example": "127.0.0.1", "nobody.example": "127.0.0.1" };
    const policy = { ports: [80, closing.port, nobody], addresses: loopback };
    await using world = await EgressWorld.open({
      policy,
      names,
      silent: ["quiet.example"],
      limits: { resolveMs: 200 },
    });
    await world.python(
      ["missing.example", "quiet.example"].map((name) => talk(name, 80)).join("") + talk("nobody.example", nobody),
    );
    await world.python(talk("closing.example", closing.port).replace("s.shutdown(socket.SHUT_WR)", "pass"));
    const owner = async (pattern: RegExp): Promise<readonly unknown[]> => {
      const { told } = await world.refused(pattern);
      return [told.outcome, told.verdict?.code, told.verdict?.owner, told.verdict?.certainty];
    };
    assert.deepEqual(await owner(/missing\.example does not exist/), ["failed", "dns-failed", "outside", "proved"]);
    assert.deepEqual(await owner(/quiet\.example could not be resolved: its name servers did not answer in time/), [
      "failed",
      "dns-failed",
      "outside",
      "proved",
    ]);
    assert.deepEqual(
      await owner(/nobody\.example:\d+ did not take the connection; tried 127\.0\.0\.1 \(ECONNREFUSED\)/),
      ["failed", "dial-refused", "outside", "proved"],
    );
    assert.deepEqual(await owner(/closing\.example:\d+ broke/), ["failed", "remote-refused", "outside", "proved"]);
  });

  test("a connection that nobody answers ends by the dial's own limit", async () => {
    await using full = await fullListener();
    await using world = await EgressWorld.open({
      policy: { ports: [full.port], addresses: loopback },
      names: { "drops.example": "127.0.0.1" },
      limits: { dialMs: 300 },
    });
    await world.python(talk("drops.example", full.port));
    const { told } = await world.refused(/drops\.example/);
    assert.deepEqual([told.verdict?.code, told.verdict?.owner], ["dial-timeout", "outside"]);
  });

  test("an answer that the other side broke off is a reset, not an end that looks whole; one that ended is an end", async () => {
    await using server = await serve((socket) => {
      socket.once("data", (bytes) => {
        socket.write("part", () =>
          setTimeout(() => (bytes.toString() === "break" ? socket.resetAndDestroy() : socket.end()), 50),
        );
      });
    });
    await using world = await EgressWorld.open({
      policy: { ports: [server.port], addresses: loopback },
      names: { "half.example": "127.0.0.1" },
    });
    const open = (send: string): string => `
s = socket.create_connection(("half.example", ${server.port}), timeout=10); s.sendall(b"${send}"); got = b""
try:
  while True:
    more = s.recv(100)
    if not more: print("end", got.decode()); break
    got += more
except OSError as e: print(type(e).__name__, got.decode())
s.close()`;
    const { out } = await world.python(open("whole") + open("break"));
    assert.equal(out, "end part\nConnectionResetError part");
    assert.match(
      (await world.carried("half.example")).sentence,
      /4 bytes received.*The other side then broke it \(ECONNRESET\)/,
    );
  });

  test("halves close one by one: what is sent after the other side has ended still arrives", async () => {
    let got = 0;
    const all = Promise.withResolvers<number>();
    await using server = await serve((socket) => {
      socket.end("done");
      socket.on("data", (bytes) => (got += bytes.length));
      socket.on("end", () => all.resolve(got));
    });
    await using world = await EgressWorld.open({
      policy: { ports: [server.port], addresses: loopback },
      names: { "half.example": "127.0.0.1" },
    });
    const { out } = await world.python(`
s = socket.create_connection(("half.example", ${server.port}), timeout=10)
print(s.recv(100).decode(), s.recv(100))
s.sendall(b"x" * 3000000); s.close()`);
    assert.equal(out, "done b''");
    assert.equal(await all.promise, 3_000_000);
  });

  test("a slow reader holds the sender back, and everything arrives", async () => {
    const size = 64 << 20;
    let written = 0;
    await using server = await serve((socket) => {
      const block = Buffer.alloc(1 << 20, 7);
      const more = (): void => {
        if (written >= size) return void socket.end();
        written += block.length;
        socket.write(block, more);
      };
      more();
    });
    await using world = await EgressWorld.open({
      policy: { ports: [server.port], addresses: loopback },
      names: { "big.example": "127.0.0.1" },
    });
    const goOn = join(world.folder, "go-on");
    const reading = world.python(`
import os, time
s = socket.create_connection(("big.example", ${server.port})); s.recv(1)
while not os.path.exists(${JSON.stringify(goOn)}): time.sleep(0.01)
print("read on"); got = 1
while True:
  n = len(s.recv(1 << 20))
  if n == 0: break
  got += n
print(got)`);
    let held = { written: 0, since: 0 };
    await eventually("the sender is held back", () => {
      if (written !== held.written) held = { written, since: performance.now() };
      return written > 0 && performance.now() - held.since > heldForMs;
    });
    assert.ok(written < size / 2, `${written} bytes were taken for a reader that had stopped`);
    writeFileSync(goOn, "");
    assert.equal((await reading).out, `read on\n${size}`);
  });

  test("an app that retries in a loop has one record and one line, with counts, and leaves nothing open", async () => {
    await using world = await EgressWorld.open({ policy: { deny: [rule("denied.example")] } });
    const { out } = await world.python(`
for _ in range(1500):
  s = socket.create_connection(("denied.example", 80))
  try: s.recv(1)
  except OSError: pass
  s.close()
print("done", socket.gethostbyname("other.example"))`);
    assert.match(out, /^done 100\./);
    assert.equal(world.notes.length, 1);
    assert.equal(new Set(world.written().map(({ work }) => work)).size, 1);
    await eventually("the gateway's descriptors are closed again", () => openSockets(world.caller.socket) <= 2);
  });

  test("a gateway that is away is said to be; a restarted one serves the same sandbox, names that it had given out included", async () => {
    await using server = await serve(echo);
    await using world = await EgressWorld.open({
      policy: { ports: [server.port], addresses: loopback },
      names: { "api.example.com": "127.0.0.1" },
    });
    assert.equal((await world.python(talk("api.example.com", server.port))).out, "end hello");
    await world.closeGateway();
    assert.equal(existsSync(world.caller.socket), false);
    const { out } = await world.python(`
try: print(socket.gethostbyname("api.example.com"))
except OSError as e: print(type(e).__name__)${talk("100.64.0.1", server.port)}`);
    assert.match(out, /^gaierror\n(ConnectionResetError|BrokenPipeError)/);
    assert.match(
      world.notes.join("\n"),
      /egress\/gateway-down: no names are resolved: the node's gateway does not answer \(.*ENOENT/,
    );
    const waiting = world.python(
      `print(socket.gethostbyname("api.example.com"))${talk("api.example.com", server.port)}`,
    );
    await new Promise((resolve) => setTimeout(resolve, 500));
    await world.openGateway();
    assert.match((await waiting).out, /^100\.64\.0\.1\nend hello$/);
  });

  test("the socket is one user's, and an earlier agent's is replaced", async () => {
    await using world = await EgressWorld.open();
    const { mode, uid } = statSync(world.caller.socket);
    assert.deepEqual([mode & 0o777, uid], [0o600, process.getuid?.()]);
    const isRoot = process.getuid?.() === 0;
    const other = {
      ...world.caller,
      id: "p_other",
      socket: join(world.folder, "other.sock"),
      uid: isRoot ? 12_345 : null,
    };
    await world.gateway.open(other);
    await world.gateway.open(other);
    if (isRoot) assert.equal(statSync(other.socket).uid, 12_345);
    await world.gateway.close(other.id);
    assert.equal(existsSync(other.socket), false);
    await assert.rejects(world.gateway.open({ ...other, socket: join(world.folder, "no-such-folder", "egress.sock") }));
  });

  test("a gateway that is closed ends what it carries, and writes it down first", async () => {
    await using server = await serve(echo);
    await using world = await EgressWorld.open({
      policy: { ports: [server.port], addresses: loopback },
      names: { "long.example": "127.0.0.1" },
      silent: ["quiet.example"],
    });
    const held = world.python(`
s = socket.create_connection(("long.example", ${server.port})); s.sendall(b"a"); print(s.recv(1)); sys.stdout.flush()
q = socket.create_connection(("quiet.example", ${server.port}))
for one in (s, q):
  try: print(one.recv(1))
  except OSError as e: print(type(e).__name__)`);
    await eventually("the second name is being resolved", () => world.asked.includes("quiet.example"));
    await world.closeGateway();
    assert.equal((await held).out, "b'a'\nConnectionResetError\nConnectionResetError");
    assert.match(
      (await world.carried("long.example")).sentence,
      /1 byte sent, 1 byte received.*ended with its sandbox/,
    );
    await world.openGateway();
  });

  test("a name that the edge gave out is dialled at the edge, with the caller named, on the edge's ports only", async () => {
    const folder = mkdtempSync(join(tmpdir(), "waybill-edge-"));
    const path = join(folder, "edge.sock");
    const edge = createServer((socket) => {
      socket.once("data", (bytes) => {
        socket.end(bytes.toString().replace("\n", " "));
      });
      socket.on("error", () => socket.destroy());
    }).listen(path);
    const own = {
      isOurs: (name: string) => name.endsWith(".apps.example"),
      servesPort: (port: number) => port === 80,
      path,
    };
    await using world = await EgressWorld.open({ edge: own, policy: { allow: [rule("nothing.example")] } });
    const { out } = await world.python(talk("bob.apps.example", 80) + talk("bob.apps.example", 443));
    assert.match(
      out,
      /^end waybill\/1 inside p_0123456789abcdef alice\/demo (hello)?\n(ConnectionResetError|BrokenPipeError)/,
    );
    assert.match(
      (await world.refused(/port-denied: bob\.apps\.example/)).note,
      /a Space of this platform, which does not answer on port 443/,
    );
    assert.deepEqual(world.asked, []);
    edge.close();
    rmSync(folder, { recursive: true });
  });

  test("figures: requests and bytes through the sandbox's network, the gateway and back", async (t) => {
    const http = createHttp((request, response) => {
      if (request.url === "/") return void response.end("ok");
      const block = Buffer.alloc(1 << 20);
      let left = 1024;
      const more = (): void => {
        if (left-- === 0) return void response.end();
        if (response.write(block)) setImmediate(more);
        else response.once("drain", more);
      };
      more();
    });
    http.listen(0, "127.0.0.1");
    await once(http, "listening");
    const { port } = http.address() as AddressInfo;
    await using world = await EgressWorld.open({
      policy: { ports: [port], addresses: loopback },
      names: { "fast.example": "127.0.0.1" },
    });
    const client = (host: string): string => `
import http.client, time
c = http.client.HTTPConnection("${host}", ${port}); times = []
for _ in range(1500):
  t = time.perf_counter(); c.request("GET", "/"); c.getresponse().read(); times.append(time.perf_counter() - t)
times.sort(); print(round(times[len(times) // 2] * 1e3, 3))
t = time.perf_counter(); c.request("GET", "/big"); r = c.getresponse(); n = 0
while True:
  b = r.read(1 << 20)
  if not b: break
  n += len(b)
print(n, round(n / (time.perf_counter() - t) / 1e6))
times = []
for _ in range(200):
  t = time.perf_counter(); s = __import__("socket").create_connection(("${host}", ${port})); s.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n"); s.recv(1); times.append(time.perf_counter() - t); s.close()
times.sort(); print(round(times[100] * 1e3, 3))`;
    const direct = await outside(client("127.0.0.1"));
    const through = (await world.python(client("fast.example"))).out.split(/\s+/);
    assert.equal(through[1], String(1 << 30));
    const [d, x] = [direct.split(/\s+/), through];
    t.diagnostic(
      `kept-alive request p50 ${d[0]} ms direct, ${x[0]} ms through; new connection with its name p50 ${d[3]} ms direct, ${x[3]} ms through; ${d[2]} MB/s direct, ${x[2]} MB/s through`,
    );
    http.close();
    http.closeAllConnections();
  });
});

describe("names are resolved", () => {
  test("from the hosts file, as addresses, and by name servers, both families; a family that is silent is not waited for", async () => {
    await using dns = await nameServer({
      "both.example": { A: ["203.0.113.7", "203.0.113.8"], AAAA: ["2001:db8::7"] },
      "four.example": { A: ["203.0.113.9"], AAAA: "silent" },
      "six.example": { A: [], AAAA: ["2001:db8::9"] },
      "empty.example": { A: [], AAAA: [] },
    });
    const hosts = join(dns.folder, "hosts");
    writeFileSync(hosts, "127.0.0.9 own.example Alias.example # a comment\n::1 own.example\nnonsense line\n");
    const resolve = systemResolver({ hosts, servers: hosts }, dns.resolver);
    assert.deepEqual(await resolve("own.example"), ["127.0.0.9", "::1"]);
    assert.deepEqual(await resolve("alias.example"), ["127.0.0.9"]);
    assert.deepEqual(await resolve("10.0.0.1"), ["10.0.0.1"]);
    assert.deepEqual(dns.asked, []);
    assert.deepEqual([...(await resolve("both.example"))].sort(), ["2001:db8::7", "203.0.113.7", "203.0.113.8"]);
    assert.deepEqual(await resolve("four.example"), ["203.0.113.9"]);
    assert.deepEqual(await resolve("six.example"), ["2001:db8::9"]);
    await assert.rejects(resolve("missing.example"), { code: "ENOTFOUND" });
    await assert.rejects(resolve("empty.example"), { code: "ENODATA" });
    writeFileSync(hosts, "203.0.113.5 both.example\n");
    utimesSync(hosts, 1, 1);
    assert.deepEqual(await resolve("both.example"), ["203.0.113.5"]);
  });

  test("many silent names do not hold up one that answers", async () => {
    await using dns = await nameServer({ "good.example": { A: ["203.0.113.7"], AAAA: [] } });
    const none = join(dns.folder, "none");
    const dialler = systemDialler(
      { ...dialLimits, resolveMs: 3_000 },
      systemResolver({ hosts: none, servers: none }, dns.resolver),
    );
    const { signal } = new AbortController();
    const silent = Promise.allSettled(
      Array.from({ length: 40 }, (_, at) => dialler.resolve(`silent${at}.example`, signal)),
    );
    let over = false;
    void silent.then(() => (over = true));
    assert.deepEqual(await dialler.resolve("good.example", signal), ["203.0.113.7"]);
    assert.equal(over, false, "the silent ones are still waited for");
    for (const one of await silent)
      assert.equal(one.status === "rejected" && (one.reason as NodeJS.ErrnoException).code, "ETIMEOUT");
  });
});

describe("addresses are dialled", { skip }, () => {
  test("one that is silent does not hold up the next one, and one that refuses not at all", async () => {
    await using full = await fullListener();
    await using server = await serve(echo, { address: "127.0.0.3", port: full.port });
    const { signal } = new AbortController();
    const dialler = systemDialler({ ...dialLimits, nextAddressMs: 50 });
    const started = performance.now();
    const { socket, address } = await dialler.dial(["127.0.0.2", "127.0.0.1", "127.0.0.3"], server.port, signal);
    assert.equal(address, "127.0.0.3");
    assert.ok(performance.now() - started < dialLimits.dialMs);
    socket.destroy();
  });

  test("where none takes it, each is told with what became of it, and the end is in bounded time", async () => {
    await using full = await fullListener();
    const { signal } = new AbortController();
    const dialler = systemDialler({ ...dialLimits, nextAddressMs: 20, dialMs: 150 });
    const failed = dialler.dial(["127.0.0.2", "127.0.0.1"], full.port, signal);
    await assert.rejects(failed, {
      name: "DialFailed",
      code: "ECONNREFUSED",
      tried: [
        { address: "127.0.0.2", errno: "ECONNREFUSED" },
        { address: "127.0.0.1", errno: "ETIMEDOUT" },
      ],
    });
    const stop = new AbortController();
    const stopped = dialler.dial(["127.0.0.1"], full.port, stop.signal);
    stop.abort();
    await assert.rejects(stopped, { name: "AbortError" });
  });

  test("the families take turns", () =>
    assert.deepEqual(interleaved(["1.1.1.1", "1.1.1.2", "2::1", "2::2", "2::3"]), [
      "1.1.1.1",
      "2::1",
      "1.1.1.2",
      "2::2",
      "2::3",
    ]));
});

interface Zone {
  readonly [name: string]: { readonly A: readonly string[]; readonly AAAA: readonly string[] | "silent" };
}

/** A name server of the test's own; names that begin with "silent" are never answered. */
async function nameServer(
  zone: Zone,
): Promise<AsyncDisposable & { readonly folder: string; readonly asked: string[]; readonly resolver: () => Resolver }> {
  const asked: string[] = [];
  const folder = mkdtempSync(join(tmpdir(), "waybill-names-"));
  const socket = createSocket("udp4");
  socket.on("message", (message, from) => {
    const question = parseQuestion(message) ?? assert.fail("a question that is none");
    const { name, type } = question;
    asked.push(name ?? "");
    const found = zone[name ?? ""];
    const addresses = found?.[type === types.a ? "A" : "AAAA"] ?? [];
    if (name?.startsWith("silent") || addresses === "silent") return;
    const answer = Buffer.from(answerOf(question, found ? outcome.ok : outcome.noSuchName));
    answer.writeUInt16BE(addresses.length, 6);
    const records = addresses.map((address) => {
      const data = type === types.a ? Buffer.from(address.split(".").map(Number)) : ipv6Bytes(address);
      return Buffer.concat([Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 0, 0, data.length]), data]);
    });
    socket.send(Buffer.concat([answer, ...records]), from.port, from.address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const resolver = (): Resolver => {
    const made = new Resolver({ timeout: 300, tries: 1 });
    made.setServers([`127.0.0.1:${socket.address().port}`]);
    return made;
  };
  const close = async (): Promise<void> => {
    socket.close();
    rmSync(folder, { recursive: true });
  };
  return { folder, asked, resolver, [Symbol.asyncDispose]: close };
}

/** `2001:db8::7`: two groups, zeros, one group. */
function ipv6Bytes(address: string): Buffer {
  const [a = "", b = "", c = ""] = address.split(/::?/);
  return Buffer.from(`${a.padStart(4, "0")}${b.padStart(4, "0")}${"0".repeat(20)}${c.padStart(4, "0")}`, "hex");
}

/** Ends of unix sockets with this path, in the whole system. */
function openSockets(path: string): number {
  return readFileSync("/proc/net/unix", "utf8")
    .split("\n")
    .filter((line) => line.endsWith(path)).length;
}

async function outside(script: string): Promise<string> {
  const { stdout } = await promisify(execFile)("/usr/bin/python3", ["-c", script]);
  return stdout.trim();
}
