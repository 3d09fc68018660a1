/** What an app can do from inside of its sandbox, tried for real at both levels; and that the tries can tell. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { describe, test } from "node:test";
import type { Outcome } from "../src/runtime/probes/inside/facts.ts";
import type { ProbeRun } from "../src/runtime/probes/run.ts";
import { filterSha256 } from "../src/runtime/sandbox/seccomp.ts";
import { needs } from "./support/needs.ts";

const { skip } = await needs("sandbox", "python3");
const isRoot = process.getuid?.() === 0;
const asRoot = { skip: isRoot ? false : "the agent of this test is root" };
const wantedProbes = 130;
const byDesign = ["mounts-sources", "network-list"];
const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
/** Whoever is root becomes somebody else first. */
const unprivileged = isRoot ? nobody : [];
const support = (name: string): string => resolve(import.meta.dirname, "support", name);
const systemCalls = resolve(import.meta.dirname, "../src/runtime/probes/inside/system_calls.py");

async function outputOf(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
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

const probes = async (as: readonly string[] = []): Promise<ProbeRun> =>
  JSON.parse(await outputOf([...as, process.execPath, support("probes-child.ts")])) as ProbeRun;

const isOpen = ({ outcome, closed }: Outcome): boolean => !closed.includes(outcome);
const namesOf = (outcomes: readonly Outcome[]): string[] => outcomes.map(({ probe }) => probe).toSorted();

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

describe("probes from inside a sandbox", { skip }, () => {
  test("own-uid: open are two by design, of more than 130; and what limits it is measured", asRoot, async (t) => {
    const run = await probes();
    t.diagnostic(`${run.outcomes.length} probes; ${JSON.stringify(run.measured)}`);
    assertClosed(run);
    const { memory, processes, cpu, ends, ...rest } = run.measured;
    assert.deepEqual(rest, {
      hostUid: "own",
      seccomp: filterSha256(process.arch === "arm64" ? "arm64" : "x64"),
      disk: "tmpfs",
      egress: "gateway+catchall",
    });
    // Which version a machine has is its own affair; that there is one is what this level claims.
    assert.match(memory, /^cgroup[12]$/);
    assert.match(processes, /^cgroup[12]$/);
    assert.match(cpu, /^cgroup[12]$/);
    assert.equal(ends, "cgroup-kill");
  });

  test("shared-uid: the same two, limited by rlimits and by looking", async (t) => {
    const run = await probes(unprivileged);
    t.diagnostic(`${run.outcomes.length} probes; ${JSON.stringify(run.measured)}`);
    assertClosed(run);
    assert.deepEqual(run.measured, {
      hostUid: "shared",
      seccomp: filterSha256(process.arch === "arm64" ? "arm64" : "x64"),
      memory: "polled",
      processes: "rlimit",
      cpu: "none",
      disk: "tmpfs",
      egress: "gateway+catchall",
      ends: "tree",
    });
  });
});

describe("the same probes where much is open", { skip }, () => {
  test("bubblewrap alone, and root of a namespace of its own: most are found open", async (t) => {
    const alone = outputOf(
      [
        ...unprivileged,
        "unshare",
        "--user",
        "--map-root-user",
        "--net",
        "--",
        process.execPath,
        support("probes-control.ts"),
      ],
      { WAYBILL_TOKEN: "a secret that was left" },
    );
    const namespaces = ["--map-root-user", "--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--mount-proc"];
    const rooted = outputOf([
      ...unprivileged,
      "unshare",
      "--user",
      ...namespaces,
      "--",
      "/usr/bin/python3",
      systemCalls,
    ]);
    const outcomes = [...linesOf(await alone), ...linesOf(await rooted)];
    const open = new Set(namesOf(outcomes.filter(isOpen)));
    t.diagnostic(
      `${open.size} of ${new Set(namesOf(outcomes)).size} found open; not seen open: ${namesOf(outcomes)
        .filter((name) => !open.has(name))
        .join(" ")}`,
    );
    const mustBeFound = [
      ["agent-folder", "neighbour-data", "write-release", "host-file-tmp", "control-groups", "open-files"],
      ["processes", "shim-signal", "namespace-net", "environment", "stronger-processes"],
      ["metadata-common", "public-ipv4", "host-address-1", "host-abstract", "neighbour-in", "datagram-metadata"],
      ["no-filter", "unshare-user", "io-uring", "key-add", "mount-tmpfs", "ptrace-attach", "raw-ipv4", "network-down"],
      ["fill-tmp", "many-files", "many-processes", "much-memory"],
    ];
    assert.deepEqual(
      mustBeFound.flat().filter((name) => !open.has(name)),
      [],
    );
    assert.ok(open.size >= wantedProbes, `${open.size} found open`);
  });
});

function linesOf(text: string): readonly Outcome[] {
  return text
    .split("\n")
    .flatMap((line) => (line.startsWith("{") ? [JSON.parse(line) as Outcome] : []))
    .filter(({ outcome }) => outcome !== undefined);
}
