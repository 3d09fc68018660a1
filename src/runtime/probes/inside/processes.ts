/** Probes of other processes, of namespaces, of what was left in the environment, and of what runs with more rights. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { type Facts } from "./facts.ts";
import type { Probe } from "./probe.ts";

interface Named {
  readonly pid: number;
  readonly start: string;
}

/** Of what a platform or its operator may have in the environment. */
const secret = /TOKEN|SECRET|PASSW|CREDENTIAL|PRIVATE|API_KEY|^LD_|^AWS_|^WAYBILL_(?!REPLICA$)|^NODE_OPTIONS$/;
const commandWithinMs = 5_000;

export function processProbes(facts: Facts): readonly Probe[] {
  return [...strangers(facts), ...namespaces(facts), ...leftOpen(), ...privileged()];
}

function strangers({ host, own, neighbour }: Facts): readonly Probe[] {
  const whose = { agent: host.agent, shim: own.shim, neighbour: neighbour.shim };
  return [
    ...Object.entries(whose).flatMap(([name, process_]) => ofProcess(name, process_)),
    {
      name: "processes",
      tries: "see processes that are not its own",
      closed: ["own"],
      try: () => {
        const strange = pids().filter((pid) => !/bwrap|waybill-init|node|python3|sh|MainThread/.test(commandOf(pid)));
        return strange.length === 0 ? "own" : `open: ${strange.map(commandOf).join(", ")}`;
      },
    },
    {
      name: "stronger-processes",
      tries: "reach a process with more rights than its own, pid 1 for one",
      closed: ["none"],
      try: () => {
        const own = rightsOf("self");
        const stronger = pids().filter((pid) => rightsOf(pid) !== own && rightsOf(pid) !== "");
        return stronger.length === 0 ? "none" : `open: ${stronger.map(commandOf).join(", ")}`;
      },
    },
    {
      name: "signal-pid-1",
      tries: "end pid 1",
      closed: ["EPERM", "lives"],
      // The first process of a namespace gets only the signals that it asked for (pid_namespaces(7)).
      try: () => {
        process.kill(1, "SIGKILL");
        return "lives";
      },
    },
  ];
}

/** Pids are numbers of a namespace: the same one inside may be another process, and then it is not found. */
function ofProcess(name: string, who: Named): readonly Probe[] {
  const found = (): void => {
    const text = readFileSync(`/proc/${who.pid}/stat`, "latin1");
    const start = text.slice(text.lastIndexOf(")") + 2).split(" ")[19];
    if (start !== who.start) throw Object.assign(new Error("another process"), { code: "ESRCH" });
  };
  const closed = ["ENOENT", "ESRCH", "EACCES", "EPERM"];
  const reads = (what: string, tries: string, file: string): Probe => ({
    name: `${name}-${what}`,
    tries: `${tries} of the ${name === "neighbour" ? "neighbour's shim" : name}`,
    closed,
    try: () => {
      found();
      if (file === "fd" || file === "root") readdirSync(`/proc/${who.pid}/${file}`);
      else readFileSync(`/proc/${who.pid}/${file}`);
    },
  });
  return [
    reads("environment", "read the environment", "environ"),
    reads("memory", "read the memory map", "maps"),
    reads("files", "see the open files", "fd"),
    reads("root", "look through the root", "root"),
    {
      name: `${name}-signal`,
      tries: `signal the ${name}`,
      closed,
      try: () => {
        found();
        process.kill(who.pid, 0);
      },
    },
  ];
}

function namespaces({ host }: Facts): readonly Probe[] {
  return Object.entries(host.namespaces).map(([kind, theirs]) => ({
    name: `namespace-${kind}`,
    tries: `be in the host's ${kind} namespace`,
    closed: ["own"],
    try: () => (readlinkSync(`/proc/self/ns/${kind}`) === theirs ? undefined : "own"),
  }));
}

function leftOpen(): readonly Probe[] {
  return [
    {
      name: "environment",
      tries: "find a secret in its environment",
      closed: ["clean"],
      try: () => secretsIn(["self"]),
    },
    {
      name: "environment-others",
      tries: "find one in the environment of another process",
      closed: ["clean"],
      try: () => secretsIn(pids()),
    },
    {
      name: "command-lines",
      tries: "learn the sandbox's options from a command line",
      closed: ["clean"],
      try: () => (pids().some((pid) => /--(?:ro-)?bind|--setenv/.test(commandLineOf(pid))) ? undefined : "clean"),
    },
    {
      name: "open-files",
      tries: "find a file that was left open for it",
      closed: ["none"],
      try: () => {
        const left = filesOf("self").filter((path) => /^\/(?!dev\/|proc\/|data\/|app\/|usr\/)/.test(path));
        return left.length === 0 ? "none" : `open: ${left.join(", ")}`;
      },
    },
    {
      name: "terminal",
      tries: "reach the terminal of whoever started the platform",
      closed: ["ENXIO", "ENOENT", "EACCES"],
      try: () => void readFileSync("/dev/tty"),
    },
  ];
}

function privileged(): readonly Probe[] {
  const runs = (name: string, tries: string, command: string, args: readonly string[]): Probe => ({
    name,
    tries,
    closed: ["refused", "ENOENT", "EACCES"],
    try: () => {
      const { status, error } = spawnSync(command, args, { timeout: commandWithinMs, stdio: "ignore" });
      if (error) throw error;
      return status === 0 ? undefined : "refused";
    },
  });
  return [
    runs("setuid-mount", "mount by a program that is root's", "/usr/bin/mount", ["-t", "tmpfs", "x", "/tmp"]),
    runs("setuid-su", "become root by a program that is root's", "/usr/bin/su", ["-c", "true"]),
    runs("setuid-sudo", "do so by another", "/usr/bin/sudo", ["-n", "true"]),
    runs("setuid-newuidmap", "map more users", "/usr/bin/newuidmap", [String(process.pid), "0", "0", "1"]),
    runs("nested-sandbox", "make a sandbox of its own", "/usr/bin/bwrap", ["--ro-bind", "/", "/", "/usr/bin/true"]),
    runs("nested-root", "be root of a user namespace", "/usr/bin/unshare", ["--user", "--map-root-user", "true"]),
    runs("enter-pid-1", "enter what pid 1 is in", "/usr/bin/nsenter", ["--target", "1", "--all", "true"]),
  ];
}

function pids(): readonly string[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name));
}

function secretsIn(processes: readonly string[]): string {
  const names = processes.flatMap((pid) =>
    textOf(`/proc/${pid}/environ`)
      .split("\0")
      .map((one) => one.split("=")[0] ?? "")
      .filter((name) => secret.test(name)),
  );
  return names.length === 0 ? "clean" : `open: ${[...new Set(names)].join(", ")}`;
}

/** Who it is, what it may do beyond that, and whether the filter is on it: `Seccomp: 2` (proc_pid_status(5)). */
function rightsOf(pid: string): string {
  return textOf(`/proc/${pid}/status`)
    .split("\n")
    .filter((line) => /^(?:Uid|Gid|Cap\w+|NoNewPrivs|Seccomp):/.test(line))
    .join("\n");
}

const commandOf = (pid: string): string => textOf(`/proc/${pid}/comm`).trim();
const commandLineOf = (pid: string): string => textOf(`/proc/${pid}/cmdline`);

/** Nothing where it has ended meanwhile, or may not be read: that is what is asked. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    if (["ENOENT", "ESRCH", "EACCES", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "")) return "";
    throw error;
  }
}

function filesOf(pid: string): readonly string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return []; // the folder's own descriptor
      throw error;
    }
  });
}
