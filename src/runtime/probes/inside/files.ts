/** Probes of what an app sees of the machine's files: read, written, linked, mounted. */
import {
  chmodSync,
  closeSync,
  copyFileSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { spawnSync } from "node:child_process";
import { baitName, factsName, type Facts, type ReplicaFacts } from "./facts.ts";
import type { Probe } from "./probe.ts";

const gone = ["ENOENT", "ENOTDIR"] as const;
const unreadable = [...gone, "EACCES", "EPERM"] as const;
const unwritable = [...gone, "EROFS", "EACCES", "EPERM"] as const;
const lookBytes = 64;

export function fileProbes(facts: Facts): readonly Probe[] {
  return [...ofTheHost(facts), ...ofTheKernel(), ...written(facts), ...ofReplicas(facts), ...mounted(facts)];
}

function ofTheHost({ host, bound, devices }: Facts): readonly Probe[] {
  return [
    read("shadow", "read the host's password hashes", "/etc/shadow"),
    read("shadow-groups", "read its group passwords", "/etc/gshadow"),
    read("sudoers", "read who may become root", "/etc/sudoers"),
    read("machine-id", "read the host's machine id", "/etc/machine-id"),
    read("host-fstab", "read the host's disks", "/etc/fstab"),
    list("host-ssh", "read the host's SSH keys", "/etc/ssh"),
    list("host-ssl", "read the host's private keys", "/etc/ssl/private"),
    ...["/root", "/home", "/var", "/boot", "/srv", "/mnt", "/media", "/opt"].map((path) =>
      only(`folder${path.replace("/", "-")}`, `look into the host's ${path}`, path, [...bound, "/home/app"]),
    ),
    list("sys", "look into /sys", "/sys/kernel"),
    list("control-groups", "reach the control groups", "/sys/fs/cgroup"),
    list("security", "reach security settings", "/sys/kernel/security"),
    ...host.files.map((path) => read(`host-file-${basename(dirname(path))}`, `read ${path} of the host`, path)),
    list("agent-folder", "look into the agent's folder", host.folder),
    list("root-of-pid-1", "look at the host's root through pid 1", "/proc/1/root/proc/1/root/root"),
    {
      name: "devices",
      tries: "have device nodes beyond the usual ones",
      closed: ["usual"],
      try: () => {
        const more = readdirSync("/dev").filter((name) => !usualDevices.includes(name) && !devices.includes(name));
        return more.length === 0 ? "usual" : `open: ${more.join(", ")}`;
      },
    },
    ...["mem", "kmsg", "kvm", "fuse", "sda", "loop-control", "vhost-net", "net/tun", "mapper/control"].map((name) =>
      opened(`device-${name.replace("/", "-")}`, `open /dev/${name}`, `/dev/${name}`),
    ),
  ];
}

const usualDevices = "console core fd full null ptmx pts random shm stderr stdin stdout tty urandom zero".split(" ");

function ofTheKernel(): readonly Probe[] {
  const settings = {
    "core-pattern": ["have a program run at each crash", "kernel/core_pattern"],
    "kernel-host-name": ["name the machine by a file", "kernel/hostname"],
    "memory-settings": ["change how memory is given", "vm/overcommit_memory"],
    forwarding: ["have packets forwarded", "net/ipv4/ip_forward"],
    "user-namespaces": ["allow user namespaces", "user/max_user_namespaces"],
    "module-program": ["have a program run for modules", "kernel/modprobe"],
  } as const;
  return [
    opened("kernel-memory", "read the kernel's memory", "/proc/kcore"),
    opened("kernel-messages", "read the kernel's messages", "/proc/kmsg"),
    opened("kernel-pages", "read which pages are whose", "/proc/kpagecount"),
    opened("kernel-page-flags", "read the flags of pages", "/proc/kpageflags"),
    opened("kernel-slabs", "read the kernel's caches", "/proc/slabinfo"),
    opened("kernel-vmalloc", "read where the kernel's memory lies", "/proc/vmallocinfo"),
    addresses("kernel-symbols", "read the kernel's addresses", "/proc/kallsyms"),
    addresses("kernel-modules", "read its modules' addresses", "/proc/modules"),
    wrote("sysrq", "press the magic key", "/proc/sysrq-trigger"),
    ...Object.entries(settings).map(([name, [tries, file]]) => wrote(name, tries, `/proc/sys/${file}`)),
    {
      name: "pid-1-environment",
      tries: "read an environment of pid 1 that is not its own",
      closed: ["empty", "own", ...unreadable],
      try: () => {
        const text = readFileSync("/proc/1/environ", "latin1");
        if (text === "") return "empty";
        return text === readFileSync("/proc/self/environ", "latin1") ? "own" : undefined;
      },
    },
    {
      name: "out-of-memory-score",
      tries: "be spared when memory runs out",
      closed: unwritable,
      try: () => writeFileSync("/proc/self/oom_score_adj", "-1000"),
    },
    {
      name: "group-name",
      tries: "learn the name of its control group",
      closed: ["hidden"],
      try: () => (/waybill|p_/.test(readFileSync("/proc/self/cgroup", "latin1")) ? undefined : "hidden"),
    },
  ];
}

function written({ own }: Facts): readonly Probe[] {
  return [
    makes("write-usr", "write to /usr", "/usr/probe"),
    makes("write-bin", "put a command before others'", "/usr/bin/probe"),
    makes("write-etc", "write to /etc", "/etc/probe"),
    makes("write-root", "write beside /usr", "/probe"),
    makes("write-run", "write to /run", "/run/probe"),
    wrote("write-users", "change who is who", "/etc/passwd"),
    wrote("write-resolver", "change whom names are asked of", "/etc/resolv.conf"),
    wrote("write-loader", "change which libraries are loaded", "/etc/ld.so.cache"),
    wrote("write-node", "change its own Node", process.execPath),
    wrote("write-group-file", "change what stands in for its control group", "/run/waybill-cgroup"),
    makes("write-release", "write to its release on the host", join(own.releaseFolder, "app", "probe")),
    {
      name: "rename-usr",
      tries: "move /usr away",
      closed: [...unwritable, "EBUSY", "EXDEV"],
      try: () => renameSync("/usr", "/usr.probe"),
    },
    {
      name: "link-hard",
      tries: "make another name for a file of the host",
      closed: [...unwritable, "EXDEV"],
      try: () => linkSync("/usr/bin/env", "/data/probe-env"),
    },
    {
      name: "link-out",
      tries: "reach the host by a symbolic link",
      closed: unreadable,
      try: () => through("/etc/shadow"),
    },
    {
      name: "link-up",
      tries: "reach the host by a link with many dots",
      closed: unreadable,
      try: () => through(`${"../".repeat(30)}etc/shadow`),
    },
    {
      name: "link-own-root",
      tries: "reach the host by /proc/self/root",
      closed: unreadable,
      try: () => through("/proc/self/root/../../etc/shadow"),
    },
    {
      name: "setuid-own",
      tries: "become another user by a file with the set-user-id bit",
      closed: ["1000", ...unwritable],
      try: () => {
        copyFileSync("/usr/bin/id", "/data/probe-id");
        chmodSync("/data/probe-id", 0o6755);
        const { stdout, error } = spawnSync("/data/probe-id", ["-u"], { encoding: "utf8" });
        rmSync("/data/probe-id", { force: true });
        if (error) throw error;
        return stdout.trim() === "1000" ? "1000" : undefined;
      },
    },
  ];
}

function ofReplicas({ own, neighbour }: Facts): readonly Probe[] {
  const of = (whose: string, says: string, { folder, dataFolder, releaseFolder }: ReplicaFacts): readonly Probe[] => [
    list(`${whose}-folder`, `look into ${says} folder on the host`, folder),
    read(`${whose}-plan`, `read how ${says} replica was started`, join(folder, "plan.json")),
    read(`${whose}-process`, `read where ${says} app runs`, join(folder, "app.json")),
    list(`${whose}-spool`, `look into ${says} evidence`, join(folder, "spool")),
    list(`${whose}-release`, `look into ${says} release on the host`, releaseFolder),
    read(
      `${whose}-data`,
      `read ${says} data by the host's path`,
      join(dataFolder, says === "its own" ? factsName : baitName),
    ),
  ];
  return [
    ...of("own", "its own", own),
    ...of("neighbour", "its neighbour's", neighbour),
    read("neighbour-tmp", "read its neighbour's /tmp", join("/tmp", baitName)),
    read("neighbour-shm", "read its neighbour's shared memory", join("/dev/shm", baitName)),
    read("neighbour-home", "read its neighbour's home", join("/home/app", baitName)),
    read("neighbour-data-here", "find its neighbour's file in its own /data", join("/data", baitName)),
  ];
}

function mounted({ own }: Facts): readonly Probe[] {
  const mounts = (): readonly string[] => readFileSync("/proc/self/mountinfo", "latin1").trim().split("\n");
  const without = (option: string, except: RegExp): string | undefined => {
    const bad = mounts().flatMap((line) => {
      const [, , , , at = "", options = ""] = line.split(" ");
      return options.split(",").includes(option) || except.test(at) ? [] : [at];
    });
    return bad.length === 0 ? option : `open: ${bad.join(", ")}`;
  };
  return [
    {
      name: "mounts-setuid",
      tries: "have a mount that honours the set-user-id bit",
      closed: ["nosuid"],
      try: () => without("nosuid", /^$/),
    },
    {
      name: "mounts-devices",
      tries: "have a mount that honours device nodes",
      closed: ["nodev"],
      // bubblewrap binds the host's few harmless nodes, each a mount of its own.
      try: () => without("nodev", /^\/dev\//),
    },
    {
      name: "mounts-sources",
      tries: "learn where on the host its folders lie",
      closed: ["hidden"],
      byDesign: true,
      try: () => (mounts().some((line) => line.includes(basename(own.dataFolder))) ? undefined : "hidden"),
    },
  ];
}

/** Reads `target` through a symbolic link of its own. */
function through(target: string): void {
  const link = "/data/probe-link";
  rmSync(link, { force: true });
  symlinkSync(target, link);
  try {
    readFileSync(link);
  } finally {
    rmSync(link, { force: true });
  }
}

const read = (name: string, tries: string, path: string): Probe => ({
  name,
  tries,
  closed: unreadable,
  try: () => void readFileSync(path),
});

const list = (name: string, tries: string, path: string): Probe => ({
  name,
  tries,
  closed: unreadable,
  try: () => void readdirSync(path),
});

/** Opened and read from: some files may be opened by everybody and read by few. */
const opened = (name: string, tries: string, path: string): Probe => ({
  name,
  tries,
  closed: [...unreadable, "ENXIO", "ENODEV", "EIO"],
  try: () => {
    const file = openSync(path, "r");
    try {
      readSync(file, Buffer.alloc(lookBytes), 0, lookBytes, 0);
    } finally {
      closeSync(file);
    }
  },
});

const wrote = (name: string, tries: string, path: string): Probe => ({
  name,
  tries,
  closed: [...unwritable, "ETXTBSY"],
  // Opened for writing and nothing written: an open one must not harm the host.
  try: () => closeSync(openSync(path, "r+")),
});

const makes = (name: string, tries: string, path: string): Probe => ({
  name,
  tries,
  closed: unwritable,
  try: () => {
    closeSync(openSync(path, "wx"));
    rmSync(path);
  },
});

/** A folder that is not there, or is nothing but the way to what is bound into the sandbox. */
const only = (name: string, tries: string, path: string, bound: readonly string[]): Probe => ({
  name,
  tries,
  closed: [...unreadable, "own"],
  try: () => (leadsOnlyTo(path, bound) ? "own" : undefined),
});

function leadsOnlyTo(folder: string, bound: readonly string[]): boolean {
  return readdirSync(folder).every((name) => {
    const path = join(folder, name);
    if (bound.includes(path)) return true;
    return bound.some((one) => one.startsWith(`${path}/`)) && leadsOnlyTo(path, bound);
  });
}

/** Without the right to see them all addresses are zero. */
const addresses = (name: string, tries: string, path: string): Probe => ({
  name,
  tries,
  closed: ["zeros", ...unreadable],
  try: () => (/^(?!0+ )[0-9a-f]{8,} |0x(?!0+\b)[0-9a-f]{8,}/m.test(readFileSync(path, "latin1")) ? undefined : "zeros"),
});
