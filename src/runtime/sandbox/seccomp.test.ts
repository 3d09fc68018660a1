import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { filterSha256, seccompFilter, type Arch } from "./seccomp.ts";

const arches: Readonly<Record<Arch, number>> = { x64: 0xc000_003e, arm64: 0xc000_00b7 };

/** A machine for the few instructions of classic BPF that the filter uses: what it answers for one system call. */
function answer(arch: Arch, number: number, args: readonly number[] = [], audit = arches[arch]): string {
  const program = Buffer.from(seccompFilter(arch));
  const data = new Map([
    [0, number],
    [4, audit],
    ...args.map((value, index) => [16 + 8 * index, value >>> 0] as const),
  ]);
  let accumulator = 0;
  for (let at = 0; ; at++) {
    const [code, jt, jf, k] = [
      program.readUInt16LE(at * 8),
      program[at * 8 + 2] ?? 0,
      program[at * 8 + 3] ?? 0,
      program.readUInt32LE(at * 8 + 4),
    ];
    const jump = (yes: boolean): void => void (at += yes ? jt : jf);
    if (code === 0x20) accumulator = data.get(k) ?? 0;
    else if (code === 0x15) jump(accumulator === k);
    else if (code === 0x35) jump(accumulator >= k);
    else if (code === 0x45) jump((accumulator & k) !== 0);
    else if (code === 0x54) accumulator = (accumulator & k) >>> 0;
    else if (code === 0x06) return k === 0x7fff_0000 ? "allow" : k === 0x8000_0000 ? "kill" : `errno ${k & 0xffff}`;
    else assert.fail(`an instruction ${code.toString(16)}`);
  }
}

const [EPERM, ENOSYS, EAFNOSUPPORT] = ["errno 1", "errno 38", "errno 97"];

describe("the seccomp filter", () => {
  test("x64: ordinary calls pass; namespaces, mounts, tracing and keys are refused; what programs fall back from is absent", () => {
    for (const number of [0, 1, 59, 57, 202]) assert.equal(answer("x64", number), "allow");
    for (const number of [272, 308, 165, 101, 310, 321, 298, 250, 304]) assert.equal(answer("x64", number), EPERM);
    for (const number of [435, 425, 323, 447]) assert.equal(answer("x64", number), ENOSYS);
  });

  test("x64: clone passes without new namespaces only", () => {
    assert.equal(answer("x64", 56, [0x11]), "allow");
    for (const flag of [0x1000_0000, 0x2000_0000, 0x4000_0000, 0x0002_0000, 0x0800_0000])
      assert.equal(answer("x64", 56, [flag | 0x11]), EPERM);
  });

  test("sockets: unix, inet and inet6 streams and datagrams, netlink for routes; nothing raw and no other family", () => {
    for (const arch of ["x64", "arm64"] as const) {
      const socket = { x64: 41, arm64: 198 }[arch];
      for (const family of [1, 2, 10]) assert.equal(answer(arch, socket, [family, 1 | 0o2000000, 0]), "allow");
      assert.equal(answer(arch, socket, [16, 3, 0]), "allow");
      assert.equal(answer(arch, socket, [16, 3, 9]), EPERM);
      for (const family of [2, 10]) assert.equal(answer(arch, socket, [family, 3, 1]), EPERM);
      for (const family of [17, 38, 40, 44]) assert.equal(answer(arch, socket, [family, 1, 0]), EAFNOSUPPORT);
      const pair = { x64: 53, arm64: 199 }[arch];
      assert.deepEqual(
        [1, 30, 40].map((family) => answer(arch, pair, [family, 1])),
        ["allow", EAFNOSUPPORT, EAFNOSUPPORT],
      );
    }
  });

  test("terminals get no input pushed into them, and personalities stay", () => {
    assert.equal(answer("x64", 16, [0, 0x5412]), EPERM);
    assert.equal(answer("x64", 16, [0, 0x5401]), "allow");
    assert.deepEqual(
      [0, 0xffff_ffff, 0x0040_0000].map((value) => answer("x64", 135, [value])),
      ["allow", "allow", EPERM],
    );
  });

  test("another architecture's calls end the process, and x32's are absent", () => {
    assert.equal(answer("x64", 1, [], 0x4000_0003), "kill");
    assert.equal(answer("arm64", 1, [], arches.x64), "kill");
    assert.equal(answer("x64", 0x4000_0001), ENOSYS);
  });

  test("it is told by its hash, one for each architecture", () => {
    assert.match(filterSha256("x64"), /^[0-9a-f]{64}$/);
    assert.notEqual(filterSha256("x64"), filterSha256("arm64"));
  });

  test("it has so many instructions: another number is another filter, and meant to be", () => {
    assert.deepEqual([seccompFilter("x64").length / 8, seccompFilter("arm64").length / 8], [184, 164]);
  });
});
