import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SpaceRoute } from "../edge/index.ts";
import { instant } from "../stdx/time.ts";
import type { FoundToken } from "../identity/token-resolver.ts";
import { CopyGap, EdgeCopy } from "./edge-copy.ts";
import type { Copied, FullCopy } from "./edge-copy.ts";

const route = (space: string, replica: string): SpaceRoute => ({
  space,
  owner: "alice",
  state: { kind: "running", replicas: [{ id: replica, socket: `/run/${replica}.sock` }] },
});
const demo = (replica: string, lines: Copied["lines"] = {}): Copied => ({
  space: "alice/demo",
  hosts: ["alice-demo.localhost", "127.1.2.3"],
  route: route("alice/demo", replica),
  lines,
});
const full = (more: Partial<FullCopy> = {}): FullCopy => ({
  ...{
    type: "copy",
    n: 7,
    spaces: [demo("p_1")],
    tiers: [["alice", "pro"]],
    members: [],
    addresses: ["127.1.2.3"],
    ports: [[7100, "wb-1-"]],
    tokens: [],
    pairs: [],
  },
  terms: {
    ...{
      address: "127.0.0.1",
      port: 7070,
      consoleHosts: ["localhost"],
      appsDomain: "localhost",
      visitKey: "AAAA",
      console: "http://localhost:7070",
    },
    ...{ isProxiesAlone: false, insidePath: null, plainProcesses: true, tls: null },
  },
  keys: [{ kid: "v_1", key: "AAAA" }],
  ...more,
});
const token = (id: string, account: string): FoundToken => ({
  token: {
    ...{ id, account, name: "", scopes: ["gpu"] as const, spaces: [], expiresAt: null, revokedAt: null },
    createdAt: instant(0),
  },
  tier: "pro",
  role: "user",
});

describe("an edge's copy", () => {
  test("finds a Space by each of its hosts, as the last change has it", () => {
    const copy = new EdgeCopy(full());
    copy.apply({ type: "space", n: 8, space: { ...demo("p_2"), hosts: ["alice-demo.localhost"] } });
    assert.deepEqual(copy.find("alice-demo.localhost"), route("alice/demo", "p_2"));
    assert.equal(copy.find("127.1.2.3"), undefined, "a host that it had before");
    copy.apply({ type: "space-gone", n: 9, id: "alice/demo" });
    assert.equal(copy.find("alice-demo.localhost"), undefined);
    assert.equal(copy.n, 9);
  });

  test("takes no change after one that is missing, and none twice", () => {
    const copy = new EdgeCopy(full());
    assert.throws(() => copy.apply({ type: "address", n: 9, address: "127.9.9.9" }), CopyGap);
    copy.apply({ type: "address", n: 8, address: "127.9.9.9" });
    assert.throws(() => copy.apply({ type: "address", n: 8, address: "127.9.9.9" }), CopyGap);
    assert.deepEqual([...copy.addresses], ["127.1.2.3", "127.9.9.9"]);
  });

  test("has the keys that were told last, and so has a worker that begins", () => {
    const copy = new EdgeCopy(full());
    const keys = [
      { kid: "v_2", key: "BBBB" },
      { kid: "v_1", key: "AAAA" },
    ];
    copy.apply({ type: "keys", n: 8, keys });
    assert.deepEqual([copy.keys, new EdgeCopy(copy.whole()).keys], [keys, keys]);
  });

  test("forgets a token that was changed, and those of an account whose tier was", () => {
    const copy = new EdgeCopy(full());
    for (const [hash, found] of [
      ["a", token("t_1", "alice")],
      ["b", token("t_2", "bob")],
      ["c", token("t_3", "bob")],
    ] as const)
      copy.keep(hash, found);
    copy.apply({ type: "token-changed", n: 8, id: "t_2" });
    copy.apply({ type: "tier", n: 9, account: "alice", tier: "free" });
    assert.deepEqual(
      ["a", "b", "c"].map((hash) => copy.token(hash)?.token.id),
      [undefined, undefined, "t_3"],
    );
    assert.equal(copy.tier("alice"), "free");
  });

  test("knows a lost line to another machine from a replica on this one", () => {
    const copy = new EdgeCopy(full({ spaces: [demo("p_1", { p_1: null, p_2: 4 })] }));
    assert.deepEqual(
      ["p_1", "p_2", "p_3"].map((replica) => copy.line(replica)),
      [undefined, 4, 0],
    );
  });

  test("keeps the certificate that was shown last, and what was made of it where it is the same", () => {
    const copy = new EdgeCopy(full());
    const asked = { name: "alice-demo.localhost", address: "127.0.0.1" };
    const first = copy.keepPair(asked, { cert: "C", key: "K" });
    assert.equal(copy.keepPair(asked, { cert: "C", key: "K" }), first);
    assert.equal(copy.keepPair({ ...asked, name: "made-up.localhost" }, { cert: "C", key: "K" }), first);
    const second = copy.keepPair(asked, { cert: "D", key: "L" });
    assert.deepEqual(second, { cert: "D", key: "L" });
    assert.equal(copy.pair(asked), second);
    assert.equal(copy.pair({ name: null, address: "127.0.0.1" }), undefined);
  });

  test("gives another worker all that it has", () => {
    const copy = new EdgeCopy(full());
    copy.keep("a", token("t_1", "alice"));
    const [named, unnamed] = ["alice-demo.localhost", null].map((name) => ({ name, address: "127.0.0.1" }));
    assert.ok(named && unnamed);
    for (const asked of [named, unnamed]) copy.keepPair(asked, { cert: "C", key: "K" });
    copy.apply({ type: "space", n: 8, space: demo("p_2") });
    copy.apply({ type: "port", n: 9, port: 7101, mark: "wb-2-" });
    const again = new EdgeCopy(JSON.parse(JSON.stringify(copy.whole())) as FullCopy);
    assert.deepEqual(again.whole(), copy.whole());
    assert.equal(again.pair(named), again.pair(unnamed));
    assert.deepEqual([again.n, again.token("a")?.token.id, again.ports.get(7101)], [9, "t_1", "wb-2-"]);
  });
});
