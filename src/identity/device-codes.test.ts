import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { instant } from "../stdx/time.ts";
import { deviceCodeLivesMs, DeviceCodes, pollIntervalMs } from "./device-codes.ts";
import type { Device, DeviceAsk } from "./device-codes.ts";

const ask: DeviceAsk = { client: "waybill", machine: "laptop", address: "192.0.2.7", scopes: ["read"] };
const made = async () => ({ token: "t_1", account: "alice" });

function world() {
  const time = { now: 1_000 };
  const clock = { wall: () => instant(time.now), monotonic: () => time.now };
  const codes = new DeviceCodes({ clock, random: (count) => crypto.getRandomValues(new Uint8Array(count)) });
  const begin = (wish: Partial<DeviceAsk> = {}) => {
    const begun = codes.begin({ ...ask, ...wish });
    assert.ok(begun);
    return begun;
  };
  const find = (typed: string, account = "alice"): Device => {
    const found = codes.find(typed, account);
    assert.ok(typeof found !== "string", `found ${JSON.stringify(found)}`);
    return found;
  };
  return { time, codes, begin, find, poll: (code: string) => codes.poll(code, "waybill") };
}

const error = (name: string) => ({ kind: "error", error: name });

describe("a device code", () => {
  test("is eight consonants in two groups, and is found however it is typed", () => {
    const { begin, find } = world();
    const { userCode } = begin().device;
    assert.match(userCode, /^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
    for (const typed of [
      userCode,
      userCode.toLowerCase(),
      userCode.replace("-", ""),
      ` ${userCode.replace("-", " . ")} `,
    ])
      assert.equal(find(typed).userCode, userCode);
  });

  test("is pending until a person approves, gives its token once, and tells when somebody comes again", async () => {
    const { time, codes, begin, find, poll } = world();
    const { deviceCode, device } = begin();
    assert.deepEqual(poll(deviceCode), error("authorization_pending"));
    assert.equal(await codes.approve(find(device.userCode), made), true);
    time.now += pollIntervalMs;
    assert.deepEqual(poll(deviceCode), { kind: "claimed", token: "t_1", account: "alice" });
    assert.deepEqual(poll(deviceCode), { kind: "again", token: "t_1", account: "alice" });
    assert.equal(codes.find(device.userCode, "alice"), "none");
  });

  test("that is denied says so, and is not approved after that", async () => {
    const { codes, begin, find, poll } = world();
    const { deviceCode, device } = begin();
    const found = find(device.userCode);
    assert.equal(codes.deny(found), true);
    assert.equal(await codes.approve(found, made), false);
    assert.deepEqual(poll(deviceCode), error("access_denied"));
  });

  test("holds before its end and not at it", () => {
    const { time, codes, begin, find, poll } = world();
    const { deviceCode, device } = begin();
    time.now += deviceCodeLivesMs - 1;
    assert.equal(find(device.userCode).userCode, device.userCode);
    assert.deepEqual(poll(deviceCode), error("authorization_pending"));
    time.now += 1;
    assert.equal(codes.find(device.userCode, "alice"), "none");
    assert.deepEqual(poll(deviceCode), error("expired_token"));
    time.now += deviceCodeLivesMs;
    codes.sweep();
    assert.deepEqual(poll(deviceCode), error("invalid_grant"));
  });

  test("that is asked about too soon slows its program down, by five seconds more each time", () => {
    const { time, begin, poll } = world();
    const { deviceCode } = begin();
    assert.deepEqual(poll(deviceCode), error("authorization_pending"));
    time.now += pollIntervalMs - 1;
    assert.deepEqual(poll(deviceCode), error("slow_down"));
    time.now += pollIntervalMs;
    assert.deepEqual(poll(deviceCode), error("slow_down"));
    time.now += 3 * pollIntervalMs;
    assert.deepEqual(poll(deviceCode), error("authorization_pending"));
  });

  test("is its client's alone, and one that nobody was given is none", () => {
    const { codes, begin } = world();
    const { deviceCode } = begin();
    assert.deepEqual(codes.poll(deviceCode, "hf"), error("invalid_grant"));
    assert.deepEqual(codes.poll("wbd_nothing", "waybill"), error("invalid_grant"));
  });

  test("is approved by one person alone, also while the first answer is under way", async () => {
    const { codes, begin, find } = world();
    const found = find(begin().device.userCode);
    let go = (): void => undefined;
    const first = codes.approve(
      found,
      () => new Promise((resolve) => (go = () => resolve({ token: "t_1", account: "alice" }))),
    );
    assert.equal(codes.find(found.userCode, "bob"), "none");
    assert.equal(await codes.approve(found, made), false);
    assert.equal(codes.deny(found), false);
    go();
    assert.equal(await first, true);
  });

  test("waits on where its token could not be made", async () => {
    const { codes, begin, find } = world();
    const found = find(begin().device.userCode);
    await assert.rejects(
      codes.approve(found, () => Promise.reject(new Error("the disk is full"))),
      /disk is full/,
    );
    assert.equal(await codes.approve(find(found.userCode), async () => undefined), false);
    assert.equal(await codes.approve(find(found.userCode), made), true);
  });

  test("that was approved and that nobody came for has its token revoked, once", async () => {
    const { time, codes, begin, find, poll } = world();
    const { deviceCode, device } = begin();
    await codes.approve(find(device.userCode), made);
    time.now += deviceCodeLivesMs;
    assert.deepEqual(codes.sweep(), ["t_1"]);
    assert.deepEqual(codes.sweep(), []);
    assert.deepEqual(poll(deviceCode), error("expired_token"));
  });

  test("is not guessed: after ten wrong ones an account waits ten minutes, and others do not", () => {
    const { time, codes, begin, find } = world();
    const { userCode } = begin().device;
    for (let tries = 0; tries < 10; tries++) assert.equal(codes.find("XXXX-XXXX", "mallory"), "none");
    assert.equal(codes.find(userCode, "mallory"), "many");
    assert.equal(find(userCode, "alice").userCode, userCode);
    time.now += deviceCodeLivesMs;
    assert.equal(codes.find("XXXX-XXXX", "mallory"), "none");
  });

  test("is refused to one address that has twenty, and to nobody else", () => {
    const { time, codes, begin } = world();
    for (let count = 0; count < 20; count++) begin({ address: "2001:db8::1" });
    assert.equal(codes.begin({ ...ask, address: "2001:db8::2" }), undefined);
    begin({ address: "2001:db8:0:1::1" });
    time.now += deviceCodeLivesMs;
    begin({ address: "2001:db8::1" });
  });

  test("is refused to strangers once two thousand wait, and begun where somebody has signed in", () => {
    const { codes, begin } = world();
    for (let count = 0; count < 2_000; count++) begin({ address: `2001:db8:${count.toString(16)}::1` });
    const one = { ...ask, address: "192.0.2.1" };
    assert.equal(codes.begin(one), undefined);
    assert.ok(codes.begin(one, { isKnown: true }));
    for (let count = 1; count < 500; count++)
      assert.ok(codes.begin({ ...one, address: `198.51.${count >> 8}.${count & 255}` }, { isKnown: true }));
    assert.equal(codes.begin(one, { isKnown: true }), undefined);
  });
});
