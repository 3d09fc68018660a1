import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { ReplicaSpec } from "../contract/agent.ts";
import { writeStored, type SandboxPlan } from "../runtime/folder.ts";
import { linuxProcesses } from "../runtime/processes.ts";
import { spaceFolders } from "../runtime/sandbox/prepare.ts";
import { launcher, livesOnFolder, type NodeSandbox } from "./launcher.ts";

const all = mkdtempSync(join(tmpdir(), "waybill-launcher-"));
after(() => rmSync(all, { recursive: true }));

const nobody = new Map<string, string>();
const replica = (name: string, space: string): { folder: string; spec: ReplicaSpec } => {
  const folder = join(all, name);
  mkdirSync(folder, { recursive: true });
  return { folder, spec: { replica: name, space } as ReplicaSpec };
};

test("a Space's data folder is in use while a replica that has no file system of its own lives there, or is on its way", () => {
  const one = replica("p_1", "alice/app");
  const other = replica("p_2", "alice/app");
  const stranger = replica("p_3", "alice/other");
  const sandbox: Partial<SandboxPlan> = {};
  assert.equal(livesOnFolder(other, nobody), false);

  // Planned, and nothing of it is on the disk yet.
  assert.equal(livesOnFolder(other, new Map([[one.folder, "alice/app"]])), true);
  assert.equal(livesOnFolder(one, new Map([[one.folder, "alice/app"]])), false);
  assert.equal(livesOnFolder(stranger, new Map([[one.folder, "alice/app"]])), false);

  writeStored(one.folder, "plan.json", { ...one, sandbox });
  assert.equal(livesOnFolder(other, nobody), false, "its shim never was");
  const { pid, start } = linuxProcesses().stat(process.pid) ?? assert.fail("this process lives");
  writeStored(one.folder, "shim.json", { pid, start });
  assert.equal(livesOnFolder(other, nobody), true);
  assert.equal(livesOnFolder(stranger, nobody), false);
});

test("a replica's record that is damaged keeps no other Space from starting", () => {
  const { folder } = replica("p_4", "alice/damaged");
  writeFileSync(join(folder, "plan.json"), "{");
  assert.equal(livesOnFolder(replica("p_5", "alice/next"), nobody), false);
});

test("the file of a replica's layer goes when it has ended, and no other's", async () => {
  const { folder } = replica("p_6", "alice/app");
  const spaces = spaceFolders(join(all, "spaces"), false);
  const images = [folder, join(all, "p_7")].map((each) => spaces.layerOf(each));
  for (const image of images) writeFileSync(image, "");
  const node: Partial<NodeSandbox> = { spaces };
  await launcher({ nodePath: "", shimEntry: "" }, node as NodeSandbox, 0).ended(folder);
  assert.deepEqual(
    images.map((image) => existsSync(image)),
    [false, true],
  );
});
