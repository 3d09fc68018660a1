import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { ReleaseManifest } from "../../contract/release.ts";
import type { SandboxPlan } from "../folder.ts";
import { durationMs } from "../../stdx/time.ts";
import { noCgroups } from "./cgroups.ts";
import { cardNodes, hasUsers, planSandbox, spaceFolders } from "./prepare.ts";

test("root of the machine has users for Spaces; root of an ordinary user's container has not", () => {
  assert.equal(hasUsers("         0          0 4294967295\n"), true);
  assert.equal(hasUsers("         0       1000          1\n         1     100000      65536\n"), false);
  assert.equal(hasUsers(""), false);
});

test("a replica that borrows GPUs may open the nodes of the cards, one without GPUs none of them", () => {
  const folder = mkdtempSync(join(tmpdir(), "wb-prepare-"));
  try {
    const dev = join(folder, "dev");
    mkdirSync(join(dev, "nvidia-caps"), { recursive: true });
    for (const name of ["nvidia0", "nvidiactl", "nvidia-uvm", "nvidia0.bak", "nvme0", "null"])
      writeFileSync(join(dev, name), "");
    const size = { memoryBytes: 1, processes: 1, openFiles: 1, tmpBytes: 1, shmBytes: 1, homeBytes: 1 };
    const node = {
      driver: "bubblewrap",
      spaces: spaceFolders(join(folder, "spaces"), false),
      cgroups: noCgroups,
      limits: size,
      disk: { dataBytes: 1, layerBytes: 1, reserveBytes: 0 },
      volumes: false,
      ports: [],
      cardNodes: () => cardNodes(dev),
    } as const;
    const spec = {
      replica: "p_1",
      space: "alice/demo",
      release: "v_1",
      sdk: "gradio",
      env: {},
      readyWithinMs: durationMs(1_000),
    } as const;
    const release: ReleaseManifest = {
      ...{ release: "v_1", space: spec.space, commit: "", build: "b_1", sdk: spec.sdk, title: "", argv: ["app"] },
      ...{ staticFolder: ".", appPort: 7860, builtAt: "" },
    };
    const image = { id: "i", root: "/image", workdir: "/" };
    const driver = [{ name: "libcuda.so.1", path: "/lib/libcuda.so.1" }];
    const planned = (more: { readonly gpu?: false }, of = release): SandboxPlan =>
      planSandbox(
        { folder: join(folder, "p_1"), spec: { ...spec, ...more }, release: of },
        { ...node, driverFiles: driver },
      );
    const devicesOf = (more: { readonly gpu?: false }): readonly string[] => planned(more).devices.toSorted();
    assert.deepEqual(
      devicesOf({}),
      ["nvidia-caps", "nvidia-uvm", "nvidia0", "nvidiactl"].map((name) => join(dev, name)),
    );
    assert.deepEqual(devicesOf({ gpu: false }), []);
    const ofImage = { ...release, image };
    const driverOf = (more: { readonly gpu?: false }, of: ReleaseManifest): unknown => planned(more, of).driverFiles;
    assert.deepEqual(
      [driverOf({}, ofImage), driverOf({ gpu: false }, ofImage), driverOf({}, release)],
      [driver, undefined, undefined],
      "the driver's files go to an image's app alone: others have the machine's own",
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("what a Space keeps is of one life of it: it goes with that, and one that is made again begins with nothing", async () => {
  const folder = mkdtempSync(join(tmpdir(), "wb-kept-"));
  try {
    const spaces = spaceFolders(folder, false);
    const space = "alice/demo";
    assert.deepEqual(spaces.all(), []);
    await spaces.begin({ space, madeAt: 1 });
    writeFileSync(join(spaces.dataOf(space), "diary"), "first");
    // A second replica that starts, at once too.
    await Promise.all([spaces.begin({ space, madeAt: 1 }), spaces.begin({ space, madeAt: 1 })]);
    assert.equal(readFileSync(join(spaces.dataOf(space), "diary"), "utf8"), "first");
    assert.deepEqual(spaces.all(), [{ space, madeAt: 1 }]);
    await spaces.remove({ space, madeAt: 2 });
    await spaces.remove({ space, madeAt: null });
    assert.deepEqual(readdirSync(spaces.dataOf(space)), ["diary"]);
    await Promise.all([spaces.begin({ space, madeAt: 2 }), spaces.begin({ space, madeAt: 2 })]);
    assert.deepEqual([readdirSync(spaces.dataOf(space)), spaces.all()], [[], [{ space, madeAt: 2 }]]);
    writeFileSync(join(spaces.dataOf(space), "diary"), "second");
    await assert.rejects(spaces.begin({ space, madeAt: 1 }), /was made again/);
    assert.deepEqual([readdirSync(spaces.dataOf(space)), spaces.all()], [["diary"], [{ space, madeAt: 2 }]]);
    await Promise.all([spaces.remove({ space, madeAt: 2 }), spaces.begin({ space, madeAt: 3 })]);
    assert.deepEqual(spaces.all(), [{ space, madeAt: 3 }]);
    await spaces.remove({ space, madeAt: 3 });
    await spaces.remove({ space, madeAt: 3 });
    assert.deepEqual(spaces.all(), []);
    await spaces.tidy();
    assert.deepEqual(readdirSync(folder), []);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("what a version kept that did not say of when is taken over by the Space that has its name", async () => {
  const folder = mkdtempSync(join(tmpdir(), "wb-kept-"));
  try {
    const spaces = spaceFolders(folder, false);
    const kept = { space: "alice/demo", madeAt: null };
    writeFileSync(join(spaces.dataOf(kept.space), "diary"), "old");
    await spaces.begin(kept);
    assert.deepEqual(spaces.all(), [kept]);
    await spaces.begin({ ...kept, madeAt: 7 });
    assert.equal(readFileSync(join(spaces.dataOf(kept.space), "diary"), "utf8"), "old");
    assert.deepEqual(spaces.all(), [{ ...kept, madeAt: 7 }]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
