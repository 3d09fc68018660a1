import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { CardWatch, type Trouble } from "./card-watch.ts";
import { KernelLog, xidIn } from "./xid.ts";

// Composed after the messages that NVIDIA's "Xid Errors" shows, in /dev/kmsg's form.
const lost =
  "3,1201,86400000000,-;NVRM: Xid (PCI:0000:01:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.";
const own = "3,1202,86400000001,-;NVRM: Xid (PCI:0000:01:00): 31, pid=4121, name=python3, Ch 00000008, intr 10000000.";
const memory =
  "3,1203,86400000002,-;NVRM: Xid (PCI:0000:81:00 GPU-I:05): 95, pid=7, name=python3, Uncontained: LTC TAG.";
const needs =
  "3,1204,86400000003,-;NVRM: Xid (PCI:0000:81:00): 154, GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)";
const mended =
  "3,1205,86400000004,-;NVRM: Xid (PCI:0000:81:00): 154, GPU recovery action changed from 0x1 (GPU Reset Required) to 0x0 (None)";

describe("an Xid message", () => {
  const cases: readonly (readonly [string, string, readonly [string, number] | undefined])[] = [
    ["a card that fell off the bus", lost, ["0:01:00.0", 79]],
    ["uncorrected memory, of an instance", memory, ["0:81:00.0", 95]],
    ["a card that has to be recovered", needs, ["0:81:00.0", 154]],
    ["one that was recovered: no fault", mended, undefined],
    ["a program's own error: no fault of the card", own, undefined],
    ["another driver's line", "6,1,2,-;usb 1-1: new device", undefined],
    ["none that names a card", "3,1,2,-;NVRM: Xid (PCI:zz): 79, GPU has fallen off the bus.", undefined],
  ];
  for (const [what, line, found] of cases)
    test(what, () => {
      const xid = xidIn(line);
      assert.deepEqual(xid && [xid.bus, xid.number], found);
    });
});

describe("the kernel's log", () => {
  const folder = mkdtempSync(join(tmpdir(), "wb-kmsg-"));
  test.after(() => rmSync(folder, { recursive: true, force: true }));

  test("tells what came since it was opened, each once, also of a line that came in two parts", () => {
    const path = join(folder, "kmsg");
    writeFileSync(path, `${memory}\n`);
    using log = KernelLog.open(path);
    assert.ok(log);
    assert.deepEqual(log.news(), []);
    appendFileSync(path, `${own}\n${lost.slice(0, 40)}`);
    assert.deepEqual(log.news(), []);
    appendFileSync(path, `${lost.slice(40)}\n`);
    assert.deepEqual(
      log.news().map(({ number }) => number),
      [79],
    );
    assert.deepEqual(log.news(), []);
  });

  test("one that cannot be read is none", () => assert.equal(KernelLog.open(join(folder, "nothing")), null));

  test("a told fault takes its card out until it was well for ten minutes, or an operator has seen to it", async () => {
    const path = join(folder, "watched");
    writeFileSync(path, "");
    const smi = join(folder, "nvidia-smi");
    writeFileSync(smi, "#!/bin/sh\necho 'GPU-0, 4 MiB, 34, 0, None, No'\necho 'GPU-1, 4 MiB, 34, 0, None, No'\n", {
      mode: 0o755,
    });
    const card = (index: number) => ({ index, uuid: `GPU-${index}`, name: "NVIDIA L4", slots: 1, simulated: false });
    const told: Trouble[] = [];
    let now = 0;
    using watch = new CardWatch({
      devices: [card(0), card(1)],
      buses: { "GPU-0": "0:01:00.0", "GPU-1": "0:81:00.0" },
      command: smi,
      everyMs: 3_600_000,
      kernelLog: KernelLog.open(path),
      now: () => now,
      onChange: (trouble) => told.push(trouble),
      onProcesses: () => new Set<number>(),
    });
    await watch.look();
    appendFileSync(path, `${lost}\n`);
    await watch.look();
    assert.match(told.at(-1)?.["GPU-0"]?.says ?? "", /^Xid 79: .*GPU has fallen off the bus\.$/);
    assert.deepEqual(Object.keys(told.at(-1) ?? {}), ["GPU-0"]);
    now = 599_999;
    await watch.look();
    assert.equal(told.length, 2);
    now = 600_000;
    await watch.look();
    assert.deepEqual(told.at(-1), {});
    appendFileSync(path, `${memory}\n`);
    await watch.look();
    assert.deepEqual(Object.keys(told.at(-1) ?? {}), ["GPU-1"]);
    await watch.check();
    assert.deepEqual(told.at(-1), {});
  });
});
