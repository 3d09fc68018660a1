/**
 * The same probes where they must find much: bubblewrap alone, without a filter or limits, over most of the machine's folders and
 * among its processes, on a network in which every address answers, beside a replica that has left everything open. Prints the
 * outcomes, a line each. `unshare --user --map-root-user --net` starts it, so that nothing leaves for the machine's own network.
 */
import { spawn, spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { putBait } from "../../src/runtime/probes/host.ts";
import {
  baitName,
  factsName,
  outcomesName,
  type Facts,
  type ReplicaFacts,
} from "../../src/runtime/probes/inside/facts.ts";
import { linuxProcesses } from "../../src/runtime/processes.ts";

const mib = 1 << 20;
const answering = 15_001;
const neighbourPort = 7861;
const folder = mkdtempSync(join(tmpdir(), "wb-control-"));
const inside = resolve(import.meta.dirname, "../../src/runtime/probes/inside");
const self = linuxProcesses().stat(process.pid) ?? { pid: 0, start: "" };

function must(command: string, args: readonly string[], input = ""): void {
  const { status, stderr } = spawnSync(command, args, { input, encoding: "utf8" });
  if (status !== 0) throw new Error(`${command}: ${stderr}`);
}

async function answerAt(place: object): Promise<void> {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.end("here");
  });
  server.listen(place);
  await once(server, "listening");
}

async function replica(name: string): Promise<ReplicaFacts> {
  const at = join(folder, name);
  const dataFolder = join(at, "data");
  const releaseFolder = join(at, "release");
  for (const path of [at, dataFolder, join(at, "spool"), join(releaseFolder, "app")])
    mkdirSync(path, { recursive: true });
  for (const path of [join(at, "plan.json"), join(at, "app.json"), join(dataFolder, baitName)])
    writeFileSync(path, "{}");
  for (const socket of ["in.sock", "ctl.sock", "egress.sock"]) await answerAt({ path: join(at, socket) });
  return {
    replica: `p_${name}`,
    folder: at,
    releaseFolder,
    sockets: at,
    dataFolder,
    shim: { pid: self.pid, start: self.start },
  };
}

must("ip", ["-4", "-batch", "-"], "link set lo up\nroute add local default dev lo\n");
must("ip", ["-6", "-batch", "-"], "route add local default dev lo\n");
must(
  "nft",
  ["-f", "-"],
  `table inet control {
  chain out {
    type nat hook output priority -100;
    ip daddr 127.0.0.0/8 return
    ip6 daddr ::1 return
    meta l4proto { tcp, udp } redirect to :${answering}
  }
}
`,
);
await answerAt({ port: answering, host: "::" });
/** To an answer it answers nothing, or two would go on for ever. */
const datagrams = createSocket("udp6", (message, from) => {
  if (message.toString() === "probe") datagrams.send("here", from.port, from.address);
});
datagrams.bind(answering, "::");
await once(datagrams, "listening");
await answerAt({ port: neighbourPort, host: "127.0.0.1" });
const bait = await putBait(folder, `control-${process.pid}`);
const [own, neighbour] = [await replica("own"), await replica("neighbour")];
await answerAt({ path: `\0${neighbour.replica}` });
for (const place of ["/tmp", "/dev/shm"]) writeFileSync(join(place, baitName), "bait");
const limits = {
  memoryBytes: 32 * mib,
  processes: 40,
  openFiles: 64,
  tmpBytes: mib,
  shmBytes: mib,
  homeBytes: mib,
};
const facts: Facts = { host: bait.facts, own, neighbour, bound: [], devices: [], limits, disk: null };
writeFileSync(join(own.dataFolder, factsName), JSON.stringify(facts));
const app = join(folder, "app");
cpSync(inside, app, { recursive: true });
writeFileSync(join(app, "package.json"), '{ "type": "module" }');
chmodSync(folder, 0o755);
const bind = (path: string): readonly string[] => ["--ro-bind-try", path, path];
const node = dirname(process.execPath);
const bubblewrap = [
  ...["--unshare-user", "--uid", "1000", "--gid", "1000"],
  ...["/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc", "/var", "/run", "/srv", "/opt", "/sys", "/boot"].flatMap(bind),
  ...["--bind", "/tmp", "/tmp", "--dev", "/dev", "--bind", "/dev/shm", "/dev/shm", "--proc", "/proc"],
  ...["--tmpfs", "/home/app", "--bind", own.dataFolder, "/data", "--ro-bind", app, "/app", ...bind(node)],
  ...["--chdir", "/app", "--", process.execPath, "main.ts", "prober"],
];
const left = openSync("/etc/hostname", "r");
const prober = spawn("bwrap", bubblewrap, { stdio: ["ignore", "inherit", "inherit", left] });
const [code] = (await once(prober, "exit")) as [number];
const lines = readFileSync(join(own.dataFolder, outcomesName), "utf8");
await bait[Symbol.asyncDispose]();
rmSync(folder, { recursive: true, force: true });
for (const place of ["/tmp", "/dev/shm"]) rmSync(join(place, baitName), { force: true });
process.stdout.write(lines);
process.exit(code);
