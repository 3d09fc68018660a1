/** What an app can do from inside of its sandbox, tried for real: the suite of every way to make one. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import type { Outcome } from "../../src/runtime/probes/inside/facts.ts";
import type { ProbeRun } from "../../src/runtime/probes/run.ts";
import { filterSha256 } from "../../src/runtime/sandbox/seccomp.ts";
import type { SandboxDriver } from "../../src/runtime/sandbox/way.ts";
import { baseArchive, bringLibraries, unpackArchive } from "./images.ts";
import { needs } from "./needs.ts";

const isRoot = process.getuid?.() === 0;
const asRoot = { skip: isRoot ? false : "the agent of this test is root" };
export const wantedProbes = 130;
const byDesign = ["mounts-sources", "network-list"];
const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
/** Whoever is root becomes somebody else first. */
export const unprivileged = isRoot ? nobody : [];
const filter = filterSha256(process.arch === "arm64" ? "arm64" : "x64");
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

/** How sandboxes of this machine are closed off from the network. */
export async function egressHere(): Promise<"gateway+catchall" | "gateway"> {
  const { skip } = await needs("nftables");
  return skip === false ? "gateway+catchall" : "gateway";
}

const sandboxOf = (driver: SandboxDriver): "sandbox" | "crun" => (driver === "crun" ? "crun" : "sandbox");

/** At both levels, in the machine's own files. */
export async function probesInside(driver: SandboxDriver): Promise<void> {
  const { skip } = await needs(sandboxOf(driver), "python3");

  describe(`probes from inside a sandbox by ${driver}`, { skip }, () => {
    test("own-uid: open are two by design, of more than 130; and what limits it is measured", asRoot, async (t) => {
      const run = await probes(driver);
      t.diagnostic(`${run.outcomes.length} probes; ${JSON.stringify(run.measured)}`);
      assertClosed(run);
      const { memory, processes, cpu, ends, ...rest } = run.measured;
      assert.deepEqual(rest, {
        hostUid: "own",
        seccomp: filter,
        disk: "loop",
        egress: await egressHere(),
      });
      // Which version a machine has is its own affair; that there is one is what this level claims.
      assert.match(memory, /^cgroup[12]$/);
      assert.match(processes, /^cgroup[12]$/);
      assert.match(cpu, /^cgroup[12]$/);
      assert.equal(ends, "cgroup-kill");
    });

    test("shared-uid: the same two, limited by rlimits and by looking", async (t) => {
      const run = await probes(driver, unprivileged);
      t.diagnostic(`${run.outcomes.length} probes; ${JSON.stringify(run.measured)}`);
      assertClosed(run);
      assert.deepEqual(run.measured, {
        hostUid: "shared",
        seccomp: filter,
        memory: "polled",
        processes: "rlimit",
        cpu: "none",
        disk: "polled",
        egress: await egressHere(),
        ends: "tree",
      });
    });
  });
}

/** In the files of an image of Debian's. */
export async function probesInImage(driver: SandboxDriver): Promise<void> {
  const { skip } = await needs(sandboxOf(driver), "debian");
  test(
    `by ${driver}: in an image's files the same is refused as in the machine's, but what is the image's own and in a layer above it`,
    { skip },
    async (t) => {
      const folder = mkdtempSync(join(tmpdir(), "wb-root-"));
      try {
        unpackArchive(await baseArchive(), join(folder, "root"));
        bringLibraries(join(folder, "root"), process.execPath);
        const { outcomes, notRun, measured } = await probes(driver, [], [join(folder, "root")]);
        const open = outcomes.filter(isOpen);
        t.diagnostic(
          `${outcomes.length} probes; open: ${open.map(({ probe, outcome }) => `${probe} (${outcome})`).join(", ")}`,
        );
        assert.deepEqual(notRun, []);
        const expected = [...ownFiles, ...ownLayer, ...byDesign].toSorted();
        assert.deepEqual(open.map(({ probe }: Outcome) => probe).toSorted(), expected);
        assert.equal(measured.seccomp, filter);
        assert.equal(measured.hostUid, isRoot ? "own" : "shared");
        assert.equal(measured.egress, await egressHere());
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );
}

export async function outputOf(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const [command = "", ...rest] = argv;
  const child = spawn(command, rest, {
    stdio: ["ignore", "pipe", "inherit"],
    env: { PATH: process.env["PATH"], HOME: "/tmp", ...env },
  });
  let text = "";
  child.stdout.on("data", (bytes: Buffer) => (text += bytes.toString()));
  const [code] = (await once(child, "close")) as [number];
  assert.equal(code, 0, text);
  return text;
}

async function probes(
  driver: SandboxDriver,
  as: readonly string[] = [],
  image: readonly string[] = [],
): Promise<ProbeRun> {
  const child = resolve(import.meta.dirname, "probes-child.ts");
  return JSON.parse(await outputOf([...as, process.execPath, child, driver, ...image])) as ProbeRun;
}

export const isOpen = ({ outcome, closed }: Outcome): boolean => !closed.includes(outcome);
export const namesOf = (outcomes: readonly Outcome[]): string[] => outcomes.map(({ probe }) => probe).toSorted();

function assertClosed({ outcomes, notRun }: ProbeRun): void {
  assert.deepEqual(notRun, []);
  const open = outcomes.filter(isOpen);
  assert.deepEqual(
    open.filter((one) => !one.byDesign),
    [],
  );
  assert.deepEqual(namesOf(open), byDesign);
  assert.equal(new Set(namesOf(outcomes)).size, outcomes.length, "each probe has a name of its own");
  assert.ok(outcomes.length >= wantedProbes, `${outcomes.length} probes`);
}
