/** A node of its own, as whichever user runs it: runs the probes in its sandbox and prints what came of them, as JSON. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { systemDialler } from "../../src/egress/dial.ts";
import { openGateway } from "../../src/egress/gateway.ts";
import { openPolicy, portsOf } from "../../src/egress/policy.ts";
import { launcher } from "../../src/main/launcher.ts";
import { openSpool } from "../../src/record/spool.ts";
import { probe, probeDisk, probeLimits } from "../../src/runtime/probes/run.ts";
import { cardNodes, sandboxHere, spaceFolders } from "../../src/runtime/sandbox/prepare.ts";
import { instant } from "../../src/stdx/time.ts";

const clock = { wall: () => instant(Date.now()), monotonic: () => Math.round(performance.now()) };
const random = (count: number): Uint8Array => crypto.getRandomValues(new Uint8Array(count));
const fail = (what: string, error: unknown): void => console.error(what, error);
const folder = mkdtempSync(join(tmpdir(), "wb-probes-"));
const places = { spool: join(folder, "spool"), spaces: join(folder, "spaces"), probes: join(folder, "probes") };
mkdirSync(places.spool, { recursive: true });

/** By which driver, and the folder with an image's files: they are copied, since they become the prober's. */
const [driver = "best", from] = process.argv.slice(2);
const here = await sandboxHere(driver as Parameters<typeof sandboxHere>[0]);
const emitter = await openSpool({
  folder: places.spool,
  name: "gateway-n1",
  clock,
  random,
  onFailure: (error) => fail("spool", error),
});
const gateway = openGateway({
  emitter,
  clock,
  random,
  policies: { app: openPolicy, build: openPolicy },
  dialler: systemDialler(),
  edge: null,
  onFailure: (error) => fail("gateway", error),
});
const image = from === undefined ? undefined : join(folder, "image");
if (from !== undefined && image !== undefined) execFileSync("cp", ["-a", "--no-preserve=ownership", from, image]);
const started = performance.now();
const run = await probe(
  {
    folder: places.probes,
    agentFolder: folder,
    launcher: launcher(
      { nodePath: process.execPath, shimEntry: resolve(import.meta.dirname, "../../src/main/shim.ts") },
      {
        driver: here.driver,
        spaces: spaceFolders(places.spaces, here.isRoot),
        cgroups: here.cgroups,
        limits: probeLimits,
        disk: probeDisk,
        volumes: here.noVolumes === null,
        ports: portsOf(openPolicy),
        gateway,
        cardNodes: () => cardNodes(),
        filled: async () => undefined,
      },
      probeDisk.reserveBytes,
    ),
    cgroups: here.cgroups,
    random,
    ...(image === undefined ? {} : { image }),
  },
  new AbortController().signal,
);
await gateway[Symbol.asyncDispose]();
await emitter[Symbol.asyncDispose]();
rmSync(folder, { recursive: true, force: true });
console.log(JSON.stringify({ ...run, tookMs: Math.round(performance.now() - started) }));
