import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
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
