/** What an image's app can do from inside of its sandbox: the probes of all apps, tried in an image's files. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import type { Outcome } from "../../src/runtime/probes/inside/facts.ts";
import type { ProbeRun } from "../../src/runtime/probes/run.ts";
import { filterSha256 } from "../../src/runtime/sandbox/seccomp.ts";
import { baseArchive, bringLibraries, unpackArchive } from "../support/images.ts";
import { needs } from "../support/needs.ts";

const { skip } = await needs("sandbox", "debian");
const isRoot = process.getuid?.() === 0;
/** What the probes look for of the host is there in each image, as its own. */
const ownFiles = [
  ...["shadow", "shadow-groups", "host-fstab", "host-ssl", "folder-root", "folder-var", "root-of-pid-1"],
  ...["link-out", "link-up", "link-own-root"],
];
/** All of the image can be written, in the replica's own layer; and it has no home of ours. */
const ownLayer = [
  ...["write-usr", "write-bin", "write-etc", "write-root", "write-run", "write-users", "write-loader"],
  "fill-home",
];
const byDesign = ["mounts-sources", "network-list"];

test(
  "in an image's files the same is refused as in the machine's, but what is the image's own and in a layer above it",
  { skip },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "wb-root-"));
    try {
      unpackArchive(await baseArchive(), join(folder, "root"));
      bringLibraries(join(folder, "root"), process.execPath);
      const child = spawn(
        process.execPath,
        [resolve(import.meta.dirname, "../support/probes-child.ts"), join(folder, "root")],
        {
          stdio: ["ignore", "pipe", "inherit"],
        },
      );
      let text = "";
      child.stdout.on("data", (bytes: Buffer) => (text += bytes.toString()));
      const [code] = (await once(child, "close")) as [number];
      assert.equal(code, 0, text);
      const { outcomes, notRun, measured } = JSON.parse(text) as ProbeRun;
      const open = outcomes.filter(({ outcome, closed }) => !closed.includes(outcome));
      t.diagnostic(
        `${outcomes.length} probes; open: ${open.map(({ probe, outcome }) => `${probe} (${outcome})`).join(", ")}`,
      );
      assert.deepEqual(notRun, []);
      const expected = [...ownFiles, ...ownLayer, ...byDesign].toSorted();
      assert.deepEqual(open.map(({ probe }: Outcome) => probe).toSorted(), expected);
      assert.equal(measured.seccomp, filterSha256(process.arch === "arm64" ? "arm64" : "x64"));
      assert.equal(measured.hostUid, isRoot ? "own" : "shared");
      assert.equal(measured.egress, "gateway+catchall");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
