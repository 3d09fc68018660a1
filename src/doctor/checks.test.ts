/** What each check says of a machine: the facts are literals here. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { checks, examine, nameOf } from "./checks.ts";
import type { Level } from "./checks.ts";
import type { Machine, MachineFacts } from "./machine.ts";

type Cases = {
  readonly [Name in keyof MachineFacts]: {
    /** Of which nothing is wrong. */
    readonly well: MachineFacts[Name];
    /** What differs, and what is said of it. */
    readonly else: readonly (readonly [change: Partial<MachineFacts[Name]>, level: Level, says: RegExp])[];
  };
};

const day = 86_400_000;
const certificate = { of: "c.pem", names: ["a.example"], leftMs: 60 * day, wrong: null, renewed: false, uncovered: [] };
const cases: Cases = {
  settings: { well: { problems: [] }, else: [[{ problems: ["A is 1", "B is 2"] }, "fail", /A is 1; B is 2/]] },
  node: { well: { version: "26.1.0" }, else: [[{ version: "24.3.0" }, "fail", /needs 26/]] },
  data: {
    well: { path: "/d", state: "writable", isOpen: false },
    else: [
      [{ state: "read-only" }, "fail", /cannot be written/],
      [{ state: "absent" }, "fail", /cannot be made/],
      [{ state: "to-be-made" }, "ok", /first start/],
      [{ isOpen: true }, "warn", /everybody/],
    ],
  },
  disk: {
    well: { path: "/d", kind: "ext4", is: "local", syncUs: 900 },
    else: [
      [{ is: "memory", kind: "tmpfs" }, "fail", /in memory \(tmpfs\)/],
      [{ is: "network", kind: "nfs4" }, "warn", /network file system \(nfs4\)/],
      [{ is: "overlay", kind: "overlay" }, "warn", /goes with the container/],
      [{ syncUs: 3 }, "warn", /3 us, which no disk does/],
      [{ syncUs: 80_000 }, "warn", /80 ms/],
      [{ is: "unknown" }, "ok", /sync takes/],
    ],
  },
  space: {
    well: { freeBytes: 9e9, reserveBytes: 2e9, inodes: { free: 50, all: 100 } },
    else: [
      [{ freeBytes: 1e8 }, "fail", /0\.1 GB free/],
      [{ freeBytes: 1e9 }, "warn", /less than the 2\.0 GB/],
      [{ inodes: { free: 1, all: 100 } }, "warn", /of 100 inodes 1/],
      [{ inodes: null }, "ok", /9\.0 GB/],
    ],
  },
  resolver: {
    well: { domain: "localhost", name: "x.localhost", addresses: ["127.0.0.1"], byPorts: false, numeric: true },
    else: [
      [{ addresses: null }, "warn", /other programs do not/],
      [{ addresses: null, numeric: false }, "fail", /nothing can listen/],
      [{ addresses: null, domain: "apps.example", name: "x.apps.example" }, "fail", /no visitor finds/],
      [{ addresses: null, byPorts: true }, "ok", /by ports/],
    ],
  },
  port: {
    well: { address: "127.0.0.1", port: 7070, state: "free" },
    else: [
      [{ state: "ours" }, "ok", /the platform listens/],
      [{ state: "taken" }, "fail", /another program/],
    ],
  },
  sandbox: {
    well: { wanted: "best", driver: "bubblewrap", isRoot: true, noVolumes: null, problems: [], probes: { open: [] } },
    else: [
      [{ probes: null }, "ok", /not probed yet/],
      [{ wanted: "none", driver: null }, "warn", /without a sandbox/],
      [{ driver: null, problems: ["bwrap not found"] }, "fail", /bwrap not found/],
      [{ probes: { failed: "no python3" } }, "warn", /no python3/],
      [{ probes: { open: ["ptrace"] } }, "fail", /got out of it: ptrace/],
      [{ isRoot: false, noVolumes: "not root" }, "warn", /Spaces share it/],
      [{ noVolumes: "no loop devices" }, "warn", /no loop devices/],
    ],
  },
  userNamespaces: {
    well: { isRoot: false, unprivileged: true, most: 15_000, apparmorRestricts: null },
    else: [
      [{ most: 0 }, "fail", /are off/],
      [{ unprivileged: false }, "fail", /for all but root/],
      [{ unprivileged: false, apparmorRestricts: true, isRoot: true }, "ok", /can be made/],
      [{ apparmorRestricts: true }, "warn", /AppArmor/],
    ],
  },
  cgroups: {
    well: { isRoot: true, memory: "cgroup2", processes: "cgroup2", processor: "cgroup2", kill: true },
    else: [
      [{ isRoot: false }, "warn", /only root/],
      [{ memory: null, processor: null }, "warn", /memory and processor/],
      [{ kill: false }, "warn", /cgroup\.kill/],
    ],
  },
  clock: {
    well: { synchronised: true, stepMs: 0.1 },
    else: [
      [{ synchronised: null }, "ok", /nothing here tells/],
      [{ synchronised: false }, "warn", /not synchronised/],
      [{ stepMs: -900 }, "warn", /set by -900 ms/],
    ],
  },
  gpus: {
    well: { command: "nvidia-smi", absent: false, says: "", cards: [{ name: "H100", driver: "570.1" }] },
    else: [
      [{ absent: true, cards: [] }, "skip", /no NVIDIA cards/],
      [{ cards: [], says: "version mismatch" }, "fail", /version mismatch/],
    ],
  },
  git: {
    well: { version: "2.39.5" },
    else: [
      [{ version: null }, "fail", /git is not here/],
      [{ version: "2.25.1" }, "warn", /2\.25\.1/],
      [{ version: "3.0.0" }, "ok", /3\.0\.0/],
    ],
  },
  containers: { well: { engine: "buildah 1.28" }, else: [[{ engine: null }, "skip", /refused/]] },
  journal: {
    well: { place: "j.db", state: "whole", says: "whole up to record 9", tornFrom: null },
    else: [
      [{ state: "new" }, "ok", /no journal yet/],
      [{ state: "in-use" }, "ok", /has checked it/],
      [{ tornFrom: 10 }, "ok", /from 10 on/],
      [{ state: "damaged", says: "record 3 is missing" }, "fail", /record 3 is missing/],
      [{ state: "unreachable", says: "no session" }, "fail", /no session/],
    ],
  },
  keys: {
    well: { file: "/d/secrets.key", state: "whole", mode: 0o600, damaged: [] },
    else: [
      [{ state: "new", mode: null }, "ok", /first start/],
      [{ state: "missing", mode: null }, "fail", /is not there/],
      [{ state: "damaged" }, "fail", /no key that can be read/],
      [{ damaged: ["visitor-keys"] }, "fail", /visitor-keys/],
      [{ mode: 0o640 }, "fail", /mode 640/],
    ],
  },
  certificates: { well: [certificate], else: [] },
  server: {
    well: { url: "http://s", state: "answers", version: "1.0", says: "", aheadMs: 400 },
    else: [
      [{ state: "away", says: "refused" }, "fail", /does not answer: refused/],
      [{ state: "refuses", says: "status 404" }, "fail", /not as Waybill/],
      [{ aheadMs: -60_000 }, "warn", /by 60 s/],
      [{ aheadMs: null }, "ok", /version 1\.0/],
    ],
  },
  versions: {
    well: { own: "1.0", others: [{ who: "the server", version: "1.0" }] },
    else: [[{ others: [{ who: "the server", version: "0.9" }] }, "warn", /the server is 0\.9/]],
  },
};

for (const [name, { well, else: others }] of Object.entries(cases))
  describe(name, () => {
    const judge = checks[name as keyof MachineFacts].judge as (facts: unknown) => {
      level: Level;
      says: string;
      try?: string;
    };
    test("nothing is wrong", () => {
      const said = judge(well);
      assert.deepEqual([said.level, said.try], ["ok", undefined], said.says);
    });
    for (const [change, level, says] of others)
      test(`${JSON.stringify(change)}: ${level}`, () => {
        const said = judge({ ...well, ...change });
        assert.equal(said.level, level, said.says);
        assert.match(said.says, says);
        assert.equal(said.try !== undefined, level !== "ok", "what is wrong has a remedy");
        assert.ok(!said.says.endsWith("."));
      });
  });

describe("certificates", () => {
  const of = (...all: readonly Partial<typeof certificate>[]): readonly [string, string] => {
    const { level, says } = checks.certificates.judge(all.map((one) => ({ ...certificate, ...one })));
    return [level, says];
  };
  test("the worst of several is told", () => {
    assert.deepEqual(of({}, { of: "d.pem", leftMs: null, wrong: "it ended on Monday" } as never), [
      "fail",
      "d.pem: it ended on Monday",
    ]);
    assert.deepEqual(of({ leftMs: 3 * day }), ["warn", "c.pem ends in 3 days"]);
    assert.equal(of({ leftMs: 3 * day, renewed: true })[0], "ok");
    assert.deepEqual(of({}, { uncovered: ["*.apps.example"] as never }), ["warn", "c.pem is not for *.apps.example"]);
    assert.equal(checks.certificates.judge([]).level, "ok");
  });
});

describe("a machine", () => {
  const machine = (over: Partial<Machine> = {}): Machine => {
    const well = Object.entries(cases).map(([name, { well: facts }]) => [name, async () => facts] as const);
    return { ...(Object.fromEntries(well) as unknown as Machine), ...over };
  };

  test("is told in rows, one a check, in the table's order, with the facts", async () => {
    const rows = await examine(machine());
    assert.deepEqual(
      rows.map(({ check }) => check),
      Object.keys(checks).map((name) => nameOf(name as keyof MachineFacts)),
    );
    assert.ok(rows.every(({ level }) => level === "ok"));
    assert.deepEqual(rows.find(({ check }) => check === "user-namespaces")?.facts, cases.userNamespaces.well);
  });

  test("is told as far as it could be looked at", async () => {
    const rows = await examine(
      machine({ clock: () => Promise.reject(new Error("EIO: /proc")), certificates: async () => null }),
    );
    const of = (name: string): unknown => rows.find(({ check }) => check === name);
    assert.deepEqual(of("clock"), {
      check: "clock",
      level: "warn",
      says: "it could not be looked at: EIO: /proc",
      try: null,
      facts: null,
    });
    assert.deepEqual(of("certificates"), {
      check: "certificates",
      level: "skip",
      says: checks.certificates.skipped,
      try: null,
      facts: null,
    });
  });
});

test("docs/doctor.md has a row for each check, with what it measures", () => {
  const text = readFileSync(join(import.meta.dirname, "..", "..", "docs", "doctor.md"), "utf8");
  const rows = [...text.matchAll(/^\| `([\w-]+)` \| (.*?) \|/gm)].map(([, name, measures]) => [name, measures]);
  assert.deepEqual(
    rows,
    Object.entries(checks).map(([name, { measures }]) => [nameOf(name as keyof MachineFacts), measures]),
  );
});
