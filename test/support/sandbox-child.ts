/** An agent that is not root: starts two replicas of one Space after each other and prints what it saw, as JSON. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readApp, type LaunchPlan } from "../../src/runtime/folder.ts";
import { launch } from "../../src/runtime/launch.ts";
import { linuxProcesses, members } from "../../src/runtime/processes.ts";
import { noCgroups } from "../../src/runtime/sandbox/cgroups.ts";
import { planSandbox, spaceFolders } from "../../src/runtime/sandbox/prepare.ts";
import { removeFolder } from "../../src/record/remove-folder.ts";
import { bench, dial, textOf, tools, until, watch } from "./replicas.ts";

const app = `
const fs = require("node:fs");
fs.writeFileSync("beside", "");
fs.mkdirSync("closed/deep", { recursive: true });
fs.chmodSync("closed", 0);
require("node:http").createServer((_, to) => {
  const kept = fs.existsSync("/data/kept") ? fs.readFileSync("/data/kept", "utf8") : "";
  fs.writeFileSync("/data/kept", "from the first");
  to.end(JSON.stringify({ uid: process.getuid(), beside: fs.existsSync("beside"), shadow: fs.existsSync("/etc/shadow"), kept }));
}).listen(process.env.PORT);`;

const mib = 1 << 20;
const limits = {
  memoryBytes: 256 * mib,
  processes: 256,
  openFiles: 1_024,
  tmpBytes: mib,
  shmBytes: mib,
  homeBytes: mib,
};
const folder = mkdtempSync(join(tmpdir(), "wb-child-"));
const replicas = bench();
const processes = linuxProcesses();
const node = {
  driver: process.argv[2] === "crun" ? "crun" : "bubblewrap",
  spaces: spaceFolders(join(folder, "spaces"), false),
  cgroups: noCgroups,
  limits,
  disk: { dataBytes: 64 * mib, layerBytes: 64 * mib, reserveBytes: 0 },
  volumes: false,
  ports: [443],
  cardNodes: () => [],
} as const;
const answers: unknown[] = [];
const plans: LaunchPlan[] = [];
let left = 0;
for (let turn = 0; turn < 2; turn++) {
  const made = replicas.plan({ "app.js": app });
  plans.push(made);
  const sandbox = planSandbox(made, node);
  const one = watch(await launch({ ...made, sandbox }, tools), made);
  const { socket } = await one.untilPhase("ready");
  const connection = dial(socket ?? "", { connection: 1 });
  connection.write("GET / HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n");
  answers.push(JSON.parse((await textOf(connection)).split("\r\n\r\n")[1] ?? ""));
  const root = readApp(made.folder);
  one.link.send({ type: "stop", graceMs: 2_000, why: "the test is over" });
  await one.untilPhase("stopped");
  await until("its shim is gone", () => !existsSync(socket ?? ""));
  one.link.close();
  if (root) left += members(processes, { root, marker: root.marker, sandboxed: true }, process.pid).length;
}
for (const made of plans) await removeFolder(made.folder);
await replicas[Symbol.asyncDispose]();
rmSync(folder, { recursive: true, force: true });
console.log(JSON.stringify({ answers, left, removed: !existsSync(replicas.folder) }));
