/** git-lfs' face behind a server of its own, with limits that are soon reached: whose bytes move, and who is given up. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { paceLimits } from "../../src/hub/pace.ts";
import { largeFile, lfsWorld } from "../support/lfs-world.ts";
import { until } from "../support/platform.ts";
import { pointerTo } from "../support/sha256.ts";

const statusOf = async (href: string): Promise<number> => {
  const answer = await fetch(href);
  await answer.body?.cancel();
  return answer.status;
};

describe("git-lfs' face", () => {
  test("readers without a token leave places for those with one, and none of them takes an upload's", async () => {
    await using world = await lfsWorld({ places: { atOnce: 2, perCaller: 2, anonymous: 1, withinMs: 500 } });
    const nameless = await world.addressOf("download", largeFile, null);
    world.stall(nameless);
    await until("its place is held", async () => (await statusOf(nameless)) === 503);
    assert.equal(await statusOf(await world.addressOf("download", largeFile, "bob")), 200);
    const small = Buffer.from("small");
    const upload = await world.addressOf("upload", pointerTo(small), "alice");
    assert.equal((await fetch(upload, { method: "PUT", body: small })).status, 200);
    assert.deepEqual(world.failures, []);
  });

  test("whose address it is cannot be changed to another's", async () => {
    await using world = await lfsWorld();
    const href = await world.addressOf("download", largeFile, null);
    assert.equal(await statusOf(href.replace("by=&", "by=bob&")), 403);
  });

  test("one who leaves before its turn, or in the middle, frees its place at once", async () => {
    await using world = await lfsWorld({ places: { atOnce: 1, perCaller: 1, anonymous: 1, withinMs: 120_000 } });
    const href = await world.addressOf("download", largeFile, null);
    const first = world.stall(href);
    const second = world.stall(href);
    const next = statusOf(href);
    second.destroy();
    first.destroy();
    const since = performance.now();
    assert.equal(await next, 200);
    assert.ok(performance.now() - since < 60_000);
  });

  test("one who takes or sends some bytes a second is ended, and leaves no bytes", async () => {
    await using world = await lfsWorld({ pace: { ...paceLimits, patienceMs: 1_000, minBytesPerSecond: 64 << 10 } });
    const reader = world.stall(await world.addressOf("download", largeFile, null));
    const unsent = randomBytes(1 << 20);
    const sender = world.stall(await world.addressOf("upload", pointerTo(unsent), "alice"), "PUT", unsent.length);
    const drips = setInterval(() => {
      reader.read(1);
      sender.write(unsent.subarray(0, 1));
    }, 100);
    await until("the sender is ended", () => sender.resume().destroyed);
    await until("the reader is ended", () => world.stalled() === 0);
    clearInterval(drips);
    let bytes = 0;
    reader.on("data", (piece: Buffer) => (bytes += piece.length));
    await until("it has read what came", () => reader.destroyed);
    assert.ok(bytes < largeFile.size, "it was not given all");
    // The same file can be sent again: nothing of it counts as stored.
    const again = await world.addressOf("upload", pointerTo(unsent), "alice");
    assert.equal((await fetch(again, { method: "PUT", body: unsent })).status, 200);
  });
});
