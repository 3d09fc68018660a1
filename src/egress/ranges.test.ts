import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { judgeAddress, parseRange, type AddressRange } from "./ranges.ts";

const range = (text: string): AddressRange => parseRange(text) ?? assert.fail(text);

/** Address, and the word that its rule has to have. */
const denied: readonly (readonly [address: string, why: RegExp])[] = [
  ["127.0.0.1", /loopback, 127\.0\.0\.0\/8/],
  ["127.255.255.254", /loopback/],
  ["10.0.0.1", /private/],
  ["172.16.0.1", /private/],
  ["172.31.255.255", /private/],
  ["192.168.1.1", /private/],
  ["169.254.1.1", /link-local/],
  ["100.64.0.1", /shared/],
  ["100.127.255.255", /shared/],
  ["0.0.0.0", /this network/],
  ["192.0.0.8", /protocol/],
  ["192.88.99.1", /6to4/],
  ["198.18.0.1", /benchmarks/],
  ["198.19.255.255", /benchmarks/],
  ["224.0.0.1", /multicast/],
  ["239.255.255.255", /multicast/],
  ["240.0.0.1", /reserved/],
  ["255.255.255.255", /broadcast/],
  ["169.254.169.254", /metadata/],
  ["169.254.170.2", /credentials/],
  ["169.254.170.23", /credentials/],
  ["100.100.100.200", /metadata/],
  ["192.0.0.192", /metadata/],
  ["168.63.129.16", /host service/],
  ["fd00:ec2::254", /metadata/],
  ["FD00:EC2:0:0:0:0:0:254", /metadata/],
  ["fd20:ce::254", /metadata/],
  ["::", /no address/],
  ["::1", /loopback/],
  ["0:0:0:0:0:0:0:1", /loopback/],
  ["fe80::1", /link-local/],
  ["fe80::1%eth0", /no address/],
  ["fec0::1", /2000::\/3/],
  ["fc00::1", /private/],
  ["ff02::1", /multicast/],
  ["64:ff9b::7f00:1", /NAT64/],
  ["64:ff9b:1::a00:1", /NAT64/],
  ["2002:7f00:1::", /6to4/],
  ["2001::1", /Teredo/],
  ["2001:20::1", /protocol/],
  ["2001:db8::1", /documentation/],
  ["3fff::1", /documentation/],
  ["::ffff:127.0.0.1", /loopback/],
  ["::ffff:169.254.169.254", /metadata/],
  ["::ffff:7f00:1", /./],
  ["::ffff:808:808", /IPv4 within IPv6/],
  ["::127.0.0.1", /2000::\/3/],
  ["5f00::1", /2000::\/3/],
  ["1::1", /2000::\/3/],
];

/** Forms that a URL parser or inet_aton would read as an address: here they are no address, and never dialled. */
const noAddress = [
  "2130706433",
  "0x7f000001",
  "0x7f.1",
  "017700000001",
  "0177.0.0.1",
  "127.1",
  "127.0.0.01",
  "1.1.1.256",
  "①.①.①.①",
  "localhost",
  "1.1.1.1 ",
  "",
  "::g",
  "[::1]",
];

const allowed = ["1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.1", "126.255.255.255", "128.0.0.1", "169.253.255.255",
  "172.15.255.255", "172.32.0.1", "192.0.1.1", "192.167.255.255", "198.17.255.255", "198.20.0.0", "223.255.255.255", "192.0.2.1", "198.51.100.7",
  "203.0.113.80", "2606:4700::1111", "2a00:1450::1", "2001:200::1", "::ffff:8.8.8.8"]; // prettier-ignore

describe("addresses that are never dialled", () => {
  for (const [address, why] of denied)
    test(`${address} is denied: ${why.source}`, () => {
      const { ok, rule } = judgeAddress(address);
      assert.equal(ok, false);
      assert.match(rule, why);
    });
  for (const text of noAddress)
    test(`"${text}" is no address`, () => assert.deepEqual(judgeAddress(text), { ok: false, rule: "no address" }));
  for (const address of allowed)
    test(`${address} may be dialled`, () =>
      assert.deepEqual(judgeAddress(address), { ok: true, rule: "a public address" }));

  test("an IPv4 address may be dialled exactly where no registry's range has it", () => {
    const ranges = [[0, 8], [10 << 24, 8], [0x64400000, 10], [0x7f000000, 8], [0xa9fe0000, 16], [0xac100000, 12], [0xc0000000, 24], [0xc0586300, 24],
      [0xc0a80000, 16], [0xc6120000, 15], [0xe0000000, 4], [0xf0000000, 4], [0xa83f8110, 32]] as const; // prettier-ignore
    const near = fc
      .constantFrom(...ranges)
      .chain(([start, bits]) =>
        fc.integer({ min: -2, max: 2 }).map((by) => ((start >>> 0) + (by < 0 ? by : 2 ** (32 - bits) + by - 2)) >>> 0),
      );
    fc.assert(
      fc.property(fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), near), (value) => {
        const inside = ranges.some(([start, bits]) => value >= start >>> 0 && value < (start >>> 0) + 2 ** (32 - bits));
        const text = [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");
        assert.equal(judgeAddress(text).ok, !inside, text);
        assert.equal(judgeAddress(`::ffff:${text}`).ok, !inside, text);
      }),
      { numRuns: 2_000 },
    );
  });

  test("an IPv6 address outside of 2000::/3 is never dialled, whatever the text is, and an answer is always given", () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) =>
        !/^[23]/.test(full(address)) || full(address).length !== 4
          ? !judgeAddress(address).ok || /ffff:/i.test(address)
          : true,
      ),
    );
    fc.assert(fc.property(fc.string(), (text) => typeof judgeAddress(text).ok === "boolean"));
  });

  test("an operator's range opens what it names, and no other family", () => {
    const exceptions = [range("10.1.0.0/16"), range("fd12::/48")];
    assert.deepEqual(judgeAddress("10.1.2.3", exceptions), { ok: true, rule: "the operator's range 10.1.0.0/16" });
    assert.deepEqual(judgeAddress("fd12::5", exceptions), { ok: true, rule: "the operator's range fd12::/48" });
    for (const address of ["10.2.0.1", "fd13::5", "127.0.0.1"])
      assert.equal(judgeAddress(address, exceptions).ok, false, address);
    assert.equal(judgeAddress("10.1.2.3", [range("::/0")]).ok, false);
  });

  test("a metadata service is opened by its own address only, not by a range around it", () => {
    assert.equal(judgeAddress("169.254.169.254", [range("169.254.0.0/16"), range("0.0.0.0/0")]).ok, false);
    assert.equal(judgeAddress("169.254.169.254", [range("169.254.169.254")]).ok, true);
  });

  test("ranges that are none are not taken", () => {
    for (const text of [
      "",
      "10.0.0.0/33",
      "10.0.0.0/8/8",
      "10.0.0",
      "fd12::/129",
      "10.0.0.0/-1",
      "10.0.0.0/ 8",
      "fe80::%1/64",
      "x/8",
    ])
      assert.equal(parseRange(text), undefined, text);
  });
});

/** The first group of an IPv6 address in four digits. */
function full(address: string): string {
  return (address.split(":")[0] ?? "").padStart(4, "0");
}
