import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { GivenPack, PushReport, SentPush } from "./packets.ts";
import { packet, sideband } from "./pkt-line.ts";

const zero = "0".repeat(40);
const one = "1".repeat(40);
const sum = Buffer.alloc(20, 0xab);
const pack = Buffer.concat([Buffer.from("PACK"), Buffer.from([0, 0, 0, 2, 0, 0, 1, 44]), Buffer.alloc(5_000, 7), sum]);
const flush = Buffer.from("0000");

/** Each way to cut a stream into pieces gives the same. */
function fed<T extends { push(chunk: Uint8Array): void }>(
  make: () => T,
  bytes: Buffer,
  check: (reader: T) => void,
): void {
  for (const size of [1, 3, 7, 64, 4_096, bytes.length]) {
    const reader = make();
    for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
    check(reader);
  }
}

describe("what is seen of packs on their way", () => {
  test("a push: how many references it names, how many objects it brings, and the sum of its pack", () => {
    const commands = [
      packet(`${zero} ${one} refs/heads/main\0 report-status\n`),
      packet(`${one} ${zero} refs/heads/x\n`),
    ];
    fed(
      () => new SentPush(),
      Buffer.concat([...commands, flush, pack]),
      (sent) => {
        assert.deepEqual([sent.refs, sent.objects, sent.digest], [2, 300, `pack:${sum.toString("hex")}`]);
      },
    );
  });

  test("a push with options, one that only deletes, and one that asks whether it may", () => {
    const first = packet(`${zero} ${one} refs/heads/main\0 report-status push-options\n`);
    fed(
      () => new SentPush(),
      Buffer.concat([first, flush, packet("ci.skip\n"), flush, pack]),
      (sent) => assert.deepEqual([sent.refs, sent.objects], [1, 300]),
    );
    const last = packet(`${one} ${zero} refs/heads/x\0 report-status\n`);
    fed(
      () => new SentPush(),
      Buffer.concat([last, flush]),
      (sent) => assert.deepEqual([sent.refs, sent.objects, sent.digest], [1, undefined, undefined]),
    );
    fed(
      () => new SentPush(),
      flush,
      (sent) => assert.equal(sent.refs, 0),
    );
  });

  test("an answer to a fetch: the pack within its band, beside what is told meanwhile", () => {
    const banded = [pack.subarray(0, 6), pack.subarray(6, 700), pack.subarray(700)].map((piece) =>
      packet(Buffer.concat([Buffer.from([1]), piece])),
    );
    const told = sideband("progress", "Counting objects: 300\n");
    const answer = Buffer.concat([packet("packfile\n"), told, ...banded.slice(0, 2), told, ...banded.slice(2), flush]);
    fed(
      () => new GivenPack(),
      answer,
      (given) =>
        assert.deepEqual([given.objects, given.digest, given.refusal], [300, `pack:${sum.toString("hex")}`, ""]),
    );
  });

  test("an answer without a band, one without a pack, and one that refuses", () => {
    fed(
      () => new GivenPack(),
      Buffer.concat([packet("NAK\n"), pack]),
      (given) => assert.equal(given.objects, 300),
    );
    fed(
      () => new GivenPack(),
      Buffer.concat([packet(`${one} refs/heads/main\n`), flush]),
      (given) => assert.deepEqual([given.objects, given.refusal], [undefined, ""]),
    );
    fed(
      () => new GivenPack(),
      packet(`ERR upload-pack: not our ref ${one}`),
      (given) => assert.equal(given.refusal, `upload-pack: not our ref ${one}`),
    );
  });

  test("git's report of a push, which lies in packets of its own within the band", () => {
    const lines = ["unpack ok\n", "ok refs/heads/main\n", "ng refs/heads/x failed to update ref\n"];
    const inner = Buffer.concat([...lines.map((line) => packet(line)), flush]);
    const halves = [inner.subarray(0, 31), inner.subarray(31)].map((piece) =>
      packet(Buffer.concat([Buffer.from([1]), piece])),
    );
    fed(
      () => new PushReport(),
      Buffer.concat([sideband("progress", "error: x\n"), ...halves, flush]),
      (report) => {
        assert.deepEqual(
          report.lines,
          lines.map((line) => line.trim()),
        );
        assert.equal(report.said, "error: x\n");
      },
    );
  });

  test("git's report to a client that knows no bands", () => {
    const lines = ["unpack ok\n", "ng refs/heads/x failed to update ref\n"];
    fed(
      () => new PushReport(),
      Buffer.concat([...lines.map((line) => packet(line)), flush]),
      (report) =>
        assert.deepEqual(
          report.lines,
          lines.map((line) => line.trim()),
        ),
    );
  });
});
