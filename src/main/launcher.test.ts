import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { ReplicaSpec } from "../contract/agent.ts";
import { writeStored, type SandboxPlan } from "../runtime/folder.ts";
import { linuxProcesses } from "../runtime/processes.ts";
import { livesOnFolder } from "./launcher.ts";

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
