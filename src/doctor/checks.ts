/** What `waybill doctor` says of a machine: one check a subject, each with its facts, what they mean, and what to do. Pure. */
import type { Machine, MachineFacts } from "./machine.ts";

export type Level = "ok" | "warn" | "fail" | "skip";

export interface Row {
  readonly check: string;
  readonly level: Level;
  /** One sentence without its full stop. */
  readonly says: string;
  /** What to do; null where nothing is to be done. */
  readonly try: string | null;
  /** As they were found; null where they were not. */
  readonly facts: unknown;
}

type Said = Pick<Row, "level" | "says"> & { readonly try?: string };

interface Check<Facts> {
  /** What is measured: the row of docs/doctor.md. */
  readonly measures: string;
  /** Said where it does not concern this installation. */
  readonly skipped: string;
  readonly judge: (facts: Facts) => Said;
}

const ok = (says: string): Said => ({ level: "ok", says });
const warn = (says: string, remedy: string): Said => ({ level: "warn", says, try: remedy });
const fail = (says: string, remedy: string): Said => ({ level: "fail", says, try: remedy });

const nodeMajor = 26;
/** A disk that keeps what it says it keeps takes longer: the fastest with a protected cache need about this. */
const syncLeastUs = 15;
/** Each answer of the ledger waits for one: more than this and people feel it. */
const syncSlowUs = 50_000;
/** Of all inodes. */
const inodesLeast = 0.02;
/** git with cruft packs (docs/decisions/0029-what-is-kept.md). */
const gitWanted = [2, 37] as const;
const stepMaxMs = 250;
const aheadMaxMs = 5_000;
const dayMs = 86_400_000;
const certificateLeastMs = 14 * dayMs;
/** Others may neither read nor write: rwx of group and others. */
const othersBits = 0o077;

export const checks: { readonly [Name in keyof MachineFacts]: Check<MachineFacts[Name]> } = {
  settings: {
    measures: "whether the environment's `WAYBILL_…` and the options can be read",
    skipped: "none are set",
    judge: ({ problems }) =>
      problems.length === 0
        ? ok("the settings can be read")
        : fail(problems.join("; "), "correct all of it: `waybill up` refuses to start with it"),
  },
  node: {
    measures: "the version of Node",
    skipped: "",
    judge: ({ version }) =>
      Number(version.split(".")[0]) >= nodeMajor
        ? ok(`Node ${version}`)
        : fail(`Node ${version}; Waybill needs ${nodeMajor} or newer`, `install Node ${nodeMajor}`),
  },
  data: {
    measures: "whether the data folder can be written, and who may read in it",
    skipped: "",
    judge: ({ path, state, isOpen }) => {
      if (state === "read-only")
        return fail(
          `${path} cannot be written`,
          `give it to whom the platform runs as (chown), or mount its disk read-write`,
        );
      if (state === "absent")
        return fail(`${path} is not there and cannot be made`, "make the folder, or name another with --data");
      if (state === "to-be-made") return ok(`${path} is made by the first start`);
      return isOpen
        ? warn(`everybody on this machine may read in ${path}`, `chmod 700 ${path}`)
        : ok(`${path} can be written`);
    },
  },
  disk: {
    measures: "the kind of the data folder's file system, and the time of real fdatasync calls on it",
    skipped: "the data folder cannot be written, so its disk was not tried",
    judge: ({ kind, is, syncUs }) => {
      if (is === "memory")
        return fail(
          `the data folder is in memory (${kind}): all is lost with the machine's power`,
          "put it on a disk, by --data or WAYBILL_DATA",
        );
      if (is === "network")
        return warn(
          `the data folder is on a network file system (${kind}), whose locks and syncs are the other machine's word`,
          "put it on a local disk, and have the journal in PostgreSQL where it is to outlive the machine",
        );
      if (is === "overlay")
        return warn(
          `the data folder is in a container's own layer (${kind}), which goes with the container`,
          "mount a volume there",
        );
      if (syncUs < syncLeastUs)
        return warn(
          `a sync takes ${syncUs} us, which no disk does: what was acknowledged may be lost with the power`,
          "turn syncs on (of the disk's cache, or the virtual machine's cache mode)",
        );
      if (syncUs > syncSlowUs)
        return warn(
          `a sync takes ${Math.round(syncUs / 1_000)} ms, and every GPU call waits for some`,
          "use a faster disk, or one that others use less",
        );
      return ok(`${kind}, a sync takes ${(syncUs / 1_000).toFixed(2)} ms`);
    },
  },
  space: {
    measures: "free bytes and inodes of the data folder's file system",
    skipped: "the data folder is not there",
    judge: ({ freeBytes, reserveBytes, inodes }) => {
      const free = `${(freeBytes / 1e9).toFixed(1)} GB free`;
      if (freeBytes < reserveBytes / 10)
        return fail(
          `${free}: the platform stops at the first record that it cannot keep`,
          "make room, or move the data folder to a larger disk",
        );
      if (freeBytes < reserveBytes)
        return warn(
          `${free}, less than the ${(reserveBytes / 1e9).toFixed(1)} GB that apps have to leave free: builds and apps are refused disk`,
          "make room, or set WAYBILL_DISK_RESERVE_MB",
        );
      if (inodes !== null && inodes.free < inodes.all * inodesLeast)
        return warn(
          `${free}, but of ${inodes.all} inodes ${inodes.free} are left`,
          "remove many small files, or make a file system with more inodes",
        );
      return ok(free);
    },
  },
  resolver: {
    measures: "whether a Space's name under the apps domain resolves, and whether programs can listen at 127.x.y.z",
    skipped: "",
    judge: ({ domain, name, addresses, byPorts, numeric }) => {
      if (byPorts) return ok("Spaces are told apart by ports, and need no names");
      if (addresses !== null && addresses.length > 0) return ok(`*.${domain} resolves to ${addresses.join(", ")}`);
      if (domain === "localhost")
        return numeric
          ? warn(
              `${name} does not resolve here; browsers resolve it by themselves, other programs do not`,
              "give programs the numeric addresses (http://127.x.y.z:PORT) that `waybill space show` prints",
            )
          : fail(
              `${name} does not resolve here, and nothing can listen at 127.x.y.z`,
              `add *.localhost to the machine's resolver, or use --addresses ports`,
            );
      return fail(
        `${name} does not resolve: no visitor finds a Space`,
        `make a DNS record *.${domain} with this machine's address, or use --addresses ports`,
      );
    },
  },
  port: {
    measures: "whether the port that console and apps listen at is free, or this platform's",
    skipped: "the settings name none",
    judge: ({ address, port, state }) => {
      if (state === "taken")
        return fail(
          `another program listens at ${address}:${port}`,
          "stop it, or choose another port with --port or WAYBILL_PORT",
        );
      return ok(state === "ours" ? `the platform listens at ${address}:${port}` : `${address}:${port} is free`);
    },
  },
  sandbox: {
    measures: "whether a sandbox can be made here (one is), and what this node's probes found in it",
    skipped: "the settings cannot be read",
    judge: ({ wanted, driver, isRoot, noVolumes, problems, probes }) => {
      if (wanted === "none")
        return warn(
          "apps run without a sandbox, as the platform's user, by --sandbox none",
          "leave --sandbox out, unless every app is yours",
        );
      if (driver === null)
        return fail(
          problems.join("; ") || "no sandbox can be made here",
          "do what it says; with --sandbox none apps are plain processes of your user",
        );
      if (probes !== null && "failed" in probes)
        return warn(
          `${driver} works, and the probes could not be run: ${probes.failed}`,
          "restart the platform; its log says more",
        );
      if (probes !== null && probes.open.length > 0)
        return fail(
          `${driver} works, and probes got out of it: ${probes.open.join(", ")}`,
          "update the kernel and bubblewrap, and look at docs/sandbox.md",
        );
      if (!isRoot)
        return warn(
          `${driver} works, as your user: Spaces share it, and limits are looked at, not enforced`,
          "run the platform as root for a user of its own for each Space",
        );
      if (noVolumes !== null)
        return warn(
          `${driver} works, and disks of a fixed size cannot be had: ${noVolumes}`,
          "give the machine loop devices (modprobe loop)",
        );
      return ok(`${driver}${probes === null ? ", not probed yet" : ", and no probe got out of it"}`);
    },
  },
  userNamespaces: {
    measures: "the kernel's switches for user namespaces",
    skipped: "user namespaces are Linux's",
    judge: ({ isRoot, unprivileged, most, apparmorRestricts }) => {
      if (most === 0) return fail("user namespaces are off", "sysctl user.max_user_namespaces=15000");
      if (!isRoot && unprivileged === false)
        return fail("user namespaces are off for all but root", "sysctl kernel.unprivileged_userns_clone=1");
      if (!isRoot && apparmorRestricts === true)
        return warn(
          "AppArmor restricts user namespaces",
          "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or a profile that lets bwrap have them",
        );
      return ok("user namespaces can be made");
    },
  },
  cgroups: {
    measures: "which control groups can be made here: memory, processes, processor, and the end of a whole group",
    skipped: "control groups are Linux's",
    judge: ({ isRoot, memory, processes, processor, kill }) => {
      if (!isRoot)
        return warn("limits are looked at, not enforced: only root makes control groups", "run the platform as root");
      const missing = Object.entries({ memory, processes, processor }).flatMap(([name, had]) =>
        had === null ? [name] : [],
      );
      if (missing.length > 0)
        return warn(
          `no control groups for ${missing.join(" and ")}: those limits are looked at, not enforced`,
          "boot with cgroup v2 (systemd.unified_cgroup_hierarchy=1), and in a container delegate it (Delegate=yes, or --cgroupns=private with a writable /sys/fs/cgroup)",
        );
      if (!kill)
        return warn(
          "a group cannot be ended at once (no cgroup.kill, which is v2's)",
          "boot with cgroup v2 on Linux 5.14 or newer",
        );
      return ok(`memory ${memory}, processes ${processes}, processor ${processor}`);
    },
  },
  clock: {
    measures: "whether the clock is synchronised, and whether it stepped against the monotonic clock meanwhile",
    skipped: "",
    judge: ({ synchronised, stepMs }) => {
      if (Math.abs(stepMs) > stepMaxMs)
        return warn(
          `the clock was set by ${Math.round(stepMs)} ms while it was looked at`,
          "let one program set it, smoothly (chrony, systemd-timesyncd)",
        );
      if (synchronised === false)
        return warn(
          "the clock is not synchronised: certificates and sign-ins depend on it",
          "timedatectl set-ntp true",
        );
      return ok(
        synchronised === null ? "the clock runs evenly; nothing here tells whether it is synchronised" : "synchronised",
      );
    },
  },
  gpus: {
    measures: "the cards and driver that `nvidia-smi` tells of",
    skipped: "",
    judge: ({ command, absent, says, cards }) => {
      if (absent)
        return {
          level: "skip",
          says: `no ${command}: this machine has no NVIDIA cards`,
          try: "install the driver, or try with --simulate-gpus 2x2",
        };
      if (cards.length === 0)
        return fail(
          `no card can be used: ${says}`,
          `run ${command} by hand; after a driver's update the machine has to be restarted`,
        );
      const names = [...new Set(cards.map(({ name }) => name))];
      return ok(
        `${cards.length} of ${names.join(", ")}, driver ${[...new Set(cards.map(({ driver }) => driver))].join(", ")}`,
      );
    },
  },
  git: {
    measures: "the version of git",
    skipped: "",
    judge: ({ version }) => {
      if (version === null) return fail("git is not here: no Space can be pushed or built", "apt-get install git");
      const [major = 0, minor = 0] = version.split(".").map(Number);
      const isNew = major > gitWanted[0] || (major === gitWanted[0] && minor >= gitWanted[1]);
      return isNew
        ? ok(`git ${version}`)
        : warn(
            `git ${version}: unreachable objects stay as single files`,
            `install git ${gitWanted.join(".")} or newer`,
          );
    },
  },
  containers: {
    measures: "whether an engine for Docker Spaces is here (buildah or podman)",
    skipped: "",
    judge: ({ engine }) =>
      engine === null
        ? {
            level: "skip",
            says: "neither buildah nor podman is here: Docker Spaces are refused",
            try: "apt-get install buildah",
          }
        : ok(engine),
  },
  journal: {
    measures:
      "the journal's chain from its last snapshot on against its mark; with PostgreSQL, a session and its version",
    skipped: "the settings cannot be read",
    judge: ({ place, state, says, tornFrom }) => {
      if (state === "damaged")
        return fail(
          says,
          "change nothing in the data folder, and restore the last backup into another one: docs/backup.md",
        );
      if (state === "unreachable") return fail(says, "start the database, or correct --journal or WAYBILL_JOURNAL");
      if (state === "new") return ok(`${place} has no journal yet`);
      if (state === "in-use") return ok(`a platform writes ${place}, and has checked it at its start`);
      if (tornFrom !== null)
        return ok(`${says}; records from ${tornFrom} on were promised to nobody, and the next start cuts them off`);
      return ok(says);
    },
  },
  keys: {
    measures: "the file with the key of the Spaces' secrets and its mode; the keys of receipts and of visitors' tokens",
    skipped: "there is no data folder yet",
    judge: ({ file, state, mode, damaged }) => {
      if (state === "missing")
        return fail(
          `${file} is not there, and there are secrets that it seals`,
          "put it back from where it is kept beside the backups",
        );
      if (state === "damaged")
        return fail(`${file} has no key that can be read`, "put it back from where it is kept beside the backups");
      if (damaged.length > 0)
        return fail(`kept keys cannot be read: ${damaged.join(", ")}`, "restore the last backup: docs/backup.md");
      if (mode !== null && (mode & othersBits) !== 0)
        return fail(
          `others may read ${file} (mode ${mode.toString(8)})`,
          `chmod 600 ${file}, then replace what was sealed with it`,
        );
      return ok(state === "new" ? "the first start makes them" : "the keys can be read, by nobody else");
    },
  },
  certificates: {
    measures: "each certificate's names and end, the private authority's root among them",
    skipped: "without --tls there are none",
    judge: (all) => {
      const said = all.map(certificateSays);
      return (
        said.find(({ level }) => level === "fail") ??
        said.find(({ level }) => level === "warn") ??
        ok(said.map(({ says }) => says).join("; ") || "the platform gets them itself")
      );
    },
  },
  server: {
    measures: "whether the server of `--url`, WAYBILL_URL or the saved sign-in answers, and its clock",
    skipped: "no server is named, and none was signed in to",
    judge: ({ url, state, says, version, aheadMs }) => {
      if (state === "away")
        return fail(`${url} does not answer: ${says}`, "start it with `waybill up`, or correct WAYBILL_URL");
      if (state === "refuses") return fail(`${url} answers, and not as Waybill: ${says}`, "correct WAYBILL_URL");
      if (aheadMs !== null && Math.abs(aheadMs) > aheadMaxMs)
        return warn(
          `${url} answers, and its clock differs from this one by ${Math.round(Math.abs(aheadMs) / 1_000)} s`,
          "synchronise both clocks (timedatectl set-ntp true)",
        );
      return ok(`${url} answers${version === null ? "" : `, version ${version}`}`);
    },
  },
  versions: {
    measures: "whether the server is of the same version as this program",
    skipped: "no server says its version",
    judge: ({ own, others }) => {
      const strange = others.filter(({ version }) => version !== own);
      return strange.length === 0
        ? ok(`all of ${own}`)
        : warn(
            `this is ${own}, and ${strange.map(({ who, version }) => `${who} is ${version}`).join(", ")}`,
            "install the same version everywhere, and restart what is older",
          );
    },
  },
};

function certificateSays({ of, names, leftMs, wrong, renewed, uncovered }: MachineFacts["certificates"][number]): Said {
  if (wrong !== null || leftMs === null)
    return fail(`${of}: ${wrong}`, "replace it; the platform reads it again by itself");
  const days = Math.floor(leftMs / dayMs);
  if (uncovered.length > 0) return warn(`${of} is not for ${uncovered.join(" and ")}`, "get one with these names too");
  if (leftMs < certificateLeastMs && !renewed)
    return warn(`${of} ends in ${days} days`, "renew it; the platform reads it again by itself");
  return ok(`${of}, for ${names.join(", ")}, ${days} days left`);
}

/** As it is shown: `user-namespaces`. */
export function nameOf(check: keyof MachineFacts): string {
  return check.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** All rows, in the table's order. */
export async function examine(machine: Machine): Promise<readonly Row[]> {
  const names = Object.keys(checks) as (keyof MachineFacts)[];
  return Promise.all(names.map((name) => rowOf(machine, name)));
}

async function rowOf<Name extends keyof MachineFacts>(machine: Machine, name: Name): Promise<Row> {
  const check: Check<MachineFacts[Name]> = checks[name];
  const shown = nameOf(name);
  try {
    const facts = await machine[name]();
    if (facts === null) return { check: shown, level: "skip", says: check.skipped, try: null, facts: null };
    const said = check.judge(facts);
    return { check: shown, level: said.level, says: said.says, try: said.try ?? null, facts };
  } catch (error) {
    const says = `it could not be looked at: ${error instanceof Error ? error.message : String(error)}`;
    return { check: shown, level: "warn", says, try: null, facts: null };
  }
}
