import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { crc32c, headMaxBytes, parseProxyHead } from "./proxy-protocol.ts";
import type { ProxyHead } from "./proxy-protocol.ts";

const signature = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
const tcp4 = Buffer.from([203, 0, 113, 9, 10, 0, 0, 1, 0xd9, 3, 1, 187]);

interface Binary {
  readonly version?: number;
  readonly kind?: number;
  readonly addresses?: Buffer;
  readonly fields?: readonly (readonly [type: number, value: Buffer])[];
  readonly tail?: Buffer;
}

function binary({ version = 0x21, kind = 0x11, addresses = tcp4, fields = [], tail }: Binary = {}): Buffer {
  const all = fields.map(([type, value]) => {
    const head = Buffer.from([type, 0, 0]);
    head.writeUInt16BE(value.length, 1);
    return Buffer.concat([head, value]);
  });
  const rest = Buffer.concat([addresses, ...all, tail ?? Buffer.alloc(0)]);
  const fixed = Buffer.from([version, kind, 0, 0]);
  fixed.writeUInt16BE(rest.length, 2);
  return Buffer.concat([signature, fixed, rest]);
}

function sourceOf(bytes: Buffer): string | null {
  const head = parseProxyHead(bytes);
  assert.equal(head.kind, "done", JSON.stringify(head));
  return (head as ProxyHead & { kind: "done" }).source;
}

describe("version 1", () => {
  for (const [line, source] of [
    ["PROXY TCP4 203.0.113.9 10.0.0.1 55555 443", "203.0.113.9"],
    ["PROXY TCP6 2001:DB8:9::1 2001:db8::1 55555 443", "2001:db8:9::1"],
    ["PROXY UNKNOWN", null],
    ["PROXY UNKNOWN ffff:f::f ffff::f 1 2", null],
  ] as const)
    test(line, () => {
      const bytes = Buffer.from(`${line}\r\nGET / HTTP/1.1\r\n`);
      assert.equal(sourceOf(bytes), source);
      assert.equal((parseProxyHead(bytes) as { length: number }).length, line.length + 2);
    });

  for (const line of [
    "PROXY TCP4 203.0.113.9 10.0.0.1 55555",
    "PROXY TCP4 2001:db8::1 10.0.0.1 55555 443",
    "PROXY TCP6 203.0.113.9 10.0.0.1 55555 443",
    "PROXY TCP4 203.0.113.9 10.0.0.1 55555 65536",
    "PROXY TCP4  203.0.113.9 10.0.0.1 55555 443",
    "PROXY TCP4 203.0.113.09 10.0.0.1 55555 443",
    "PROXY tcp4 203.0.113.9 10.0.0.1 55555 443",
    "PROXY UDP4 203.0.113.9 10.0.0.1 55555 443",
    "PROXY TCP4 203.0.113.9 10.0.0.1 55555 443 x",
    `PROXY UNKNOWN ${"x".repeat(100)}`,
  ])
    test(`refuses ${line.slice(0, 60)}`, () => assert.equal(parseProxyHead(Buffer.from(`${line}\r\n`)).kind, "bad"));

  test("waits for its end, at most to the 107th byte", () => {
    const line = Buffer.from("PROXY TCP4 203.0.113.9 10.0.0.1 55555 443\r\n");
    for (let length = 0; length < line.length; length++)
      assert.equal(parseProxyHead(line.subarray(0, length)).kind, "more", String(length));
    assert.equal(parseProxyHead(Buffer.from(`PROXY UNKNOWN ${"x".repeat(200)}`)).kind, "bad");
  });
});

describe("version 2", () => {
  test("tells an IPv4 and an IPv6 address", () => {
    assert.equal(sourceOf(binary()), "203.0.113.9");
    const six = Buffer.from("20010db80009000000000000000000010000000000000000000000000000000100010002", "hex");
    assert.equal(sourceOf(binary({ kind: 0x21, addresses: six })), "2001:db8:9:0:0:0:0:1");
    const mapped = Buffer.from("00000000000000000000ffffcb0071090000000000000000000000000000000100010002", "hex");
    assert.equal(sourceOf(binary({ kind: 0x21, addresses: mapped })), "203.0.113.9");
  });

  test("LOCAL, a unix socket and no family speak of the proxy itself", () => {
    assert.equal(sourceOf(binary({ version: 0x20, kind: 0x00, addresses: Buffer.alloc(0) })), null);
    assert.equal(sourceOf(binary({ kind: 0x31, addresses: Buffer.alloc(216) })), null);
    assert.equal(sourceOf(binary({ kind: 0x00, addresses: Buffer.alloc(0) })), null);
  });

  test("brings UNIQUE_ID and whether the visitor came over TLS", () => {
    const fields = [
      [0x05, Buffer.from("lb-7-0042")],
      [0x20, Buffer.from([1, 0, 0, 0, 0])],
      [0x99, Buffer.from("whatever")],
    ] as const;
    const head = parseProxyHead(binary({ fields })) as ProxyHead & { kind: "done" };
    assert.deepEqual([head.id, head.secure], ["lb-7-0042", true]);
    const odd = parseProxyHead(binary({ fields: [[0x05, Buffer.from([0, 255])]] })) as ProxyHead & { kind: "done" };
    assert.deepEqual([odd.id, odd.secure], ["00ff", false]);
  });

  test("a checksum is looked at", () => {
    assert.equal(crc32c(Buffer.from("123456789")), 0xe3069283);
    const fields = [[0x03, Buffer.alloc(4)]] as const;
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crc32c(binary({ fields })));
    assert.equal(parseProxyHead(binary({ fields: [[0x03, sum]] })).kind, "done");
    sum.writeUInt32BE(1);
    assert.equal(parseProxyHead(binary({ fields: [[0x03, sum]] })).kind, "bad");
  });

  for (const [name, bytes] of Object.entries({
    "version 1 in binary": binary({ version: 0x11 }),
    "an unknown command": binary({ version: 0x22 }),
    datagrams: binary({ kind: 0x12 }),
    "addresses that are cut": binary({ addresses: tcp4.subarray(0, 8) }),
    "a field that is cut": binary({ tail: Buffer.from([0x05, 0]) }),
    "a field longer than the header": binary({ tail: Buffer.from([0x05, 0, 9, 1]) }),
    "a UNIQUE_ID of 129 bytes": binary({ fields: [[0x05, Buffer.alloc(129, 65)]] }),
    "more than 4096 bytes": binary({ tail: Buffer.alloc(headMaxBytes) }).subarray(0, 16),
  }))
    test(`refuses ${name}`, () => assert.equal(parseProxyHead(bytes).kind, "bad"));

  test("waits for all of it, and leaves what follows", () => {
    const bytes = binary({ fields: [[0x05, Buffer.from("x")]] });
    for (let length = 0; length < bytes.length; length++)
      assert.equal(parseProxyHead(bytes.subarray(0, length)).kind, "more", String(length));
    const head = parseProxyHead(Buffer.concat([bytes, Buffer.from("GET /")]));
    assert.equal((head as ProxyHead & { kind: "done" }).length, bytes.length);
  });
});

test("anything else is no PROXY header, at its first byte that differs", () => {
  for (const text of ["GET / HTTP/1.1\r\n", "PROXX", "\r\n\r\n\0\r\nQUIX", "PROXYTCP4"])
    assert.equal(parseProxyHead(Buffer.from(text, "latin1")).kind, "bad", JSON.stringify(text));
});
