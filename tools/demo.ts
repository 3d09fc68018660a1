/**
 * `npm run demo`: the main job, end to end, on this machine, with nothing prepared.
 *
 *   npm run demo                    … and stays up until Ctrl-C, which stops all that it started
 *   npm run demo -- --once --json   the same, then stops; one JSON document on standard output
 */
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildConsole } from "./console.ts";
import type { DemoDocument, SpaceReport } from "./demo/document.ts";
import { startPlatform } from "./demo/platform.ts";
import type { DemoPlatform } from "./demo/platform.ts";
import { saturate } from "./demo/saturate.ts";
import { Stages, type Say } from "./demo/stages.ts";
import { tryGradio, tryNode, tryStatic } from "./demo/spaces.ts";

const { values: options } = parseArgs({
  options: { once: { type: "boolean", default: false }, json: { type: "boolean", default: false } },
});
const stages = new Stages(options.json ? process.stderr : process.stdout);
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => stop.abort(signal));
// Whoever reads the output may leave (`| head`): that ends the demo in order, as Ctrl-C does.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => stop.abort("SIGTERM"));
const stopped = new Promise<void>((done) => stop.signal.addEventListener("abort", () => done(), { once: true }));
const data = await mkdtemp(join(tmpdir(), "waybill-demo-"));

let booting: Promise<DemoPlatform> | undefined;
try {
  const result = await Promise.race([demo(), stopped]);
  if (result) {
    if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`);
    process.exitCode = holds(result) ? 0 : 1;
    if (options.once) stages.text(`\n${summary(result)}`);
    if (!options.once && booting) {
      const up = await booting;
      await closing(up, result);
      if ((await Promise.race([stopped, up.ended.then(() => "ended")])) === "ended")
        throw new Error("the platform has ended by itself");
    }
  }
} catch (error) {
  if (!stop.signal.aborted) {
    stages.fail(error);
    process.exitCode = 1;
  }
} finally {
  if (stop.signal.aborted) stages.stopping();
  const up = await booting?.catch(() => undefined); // A boot that failed was told of above, and has ended what it started.
  await up?.stop();
  rmSync(data, { recursive: true, force: true });
  if (stop.signal.aborted) {
    stages.stopped();
    // Ctrl-C at the end is how the demo is left; before that it has not shown what it promises.
    process.exitCode ??= stop.signal.reason === "SIGINT" ? 130 : 143;
  }
}
process.exit();

async function demo(): Promise<DemoDocument> {
  await buildConsole();
  const up = await stages.run("boot", (say) => (booting = startPlatform({ data, say, stopping: stop.signal })));
  const pool = await up.admin.pool("main");
  const cards = pool.simulated
    ? `${pool.devices} SIMULATED cards, ${pool.slots} slots; no real GPU is used`
    : `${pool.devices} cards, ${pool.slots} slots`;
  stages.note("gpus", `pool main: ${cards}`);
  stages.note("sandbox", ((await up.admin.status()).isolation?.says ?? "").replace(/^sandbox /, ""));

  const demo = await up.account("demo", "free");
  const crowd = await up.account("crowd", "unlimited");
  stages.note("accounts", "demo (free: 300 s of GPU time a day), crowd (no window limit)");

  const spaces: SpaceReport[] = [
    await stages.run("node", (say) => told(say, tryNode({ up, demo, say, stages }))),
    await stages.run("gradio", (say) => told(say, tryGradio({ up, demo, say }))),
    await stages.run("static", (say) => told(say, tryStatic({ up, demo, say }))),
  ];
  const saturation = await stages.run("saturate", (say) => saturate({ up, demo, crowd, say, stages, pool }));
  return {
    node: process.versions.node,
    bootMs: up.bootMs,
    pool: { name: pool.name, simulated: pool.simulated, devices: pool.devices, slots: pool.slots },
    spaces,
    saturation,
    stages: stages.times,
    skipped: spaces.flatMap(({ id, sdk, status, why }) =>
      status === "skipped" ? [{ what: sdk, why: `${id}: ${why ?? "?"}` }] : [],
    ),
  };
}

/** What did not come to a running Space is said where it happened. */
async function told(say: Say, trying: Promise<SpaceReport>): Promise<SpaceReport> {
  const report = await trying;
  if (report.status !== "ok") say(`${report.status === "skipped" ? "skipped" : "FAILED "}   ${report.why ?? "?"}`);
  return report;
}

/** Everything that the demo promises. */
function holds({ spaces, saturation: { refused, quotaBefore, quotaAfter } }: DemoDocument): boolean {
  return (
    spaces.every(({ status }) => status !== "failed") &&
    refused.verdict?.code === "queue-timeout" &&
    refused.chargedMs === 0 &&
    quotaAfter.heldMs === 0 &&
    quotaAfter.usedMs === quotaBefore.usedMs
  );
}

/** The last line of a demo that does not stay up. */
function summary(result: DemoDocument): string {
  const { spaces, saturation, stages: times } = result;
  const seconds = Object.values(times).reduce((sum, ms) => sum + ms, 0) / 1000;
  const count = (status: SpaceReport["status"]): number => spaces.filter((space) => space.status === status).length;
  const charged = spaces.flatMap(({ calls }) => calls).filter(({ chargedMs }) => chargedMs > 0).length;
  const verdict = saturation.refused.verdict;
  return [
    `${holds(result) ? "done" : "NOT as promised"} in ${seconds.toFixed(1)} s: ${count("ok")} Spaces ran, ${count("skipped")} skipped, ${count("failed")} failed`,
    `${charged} calls charged for what they used, 1 refused (${verdict?.boundary}/${verdict?.code}) and charged ${saturation.refused.chargedMs / 1000} s`,
  ].join("; ");
}

async function closing(up: DemoPlatform, { spaces, saturation }: DemoDocument): Promise<void> {
  const call = spaces.flatMap(({ calls }) => calls)[0]?.id;
  const { items } = await up.admin.spaces();
  stages.text(`
Running until Ctrl-C.  Console: ${up.url}
${items.map(({ id, addresses }) => `  ${id.padEnd(18)} ${addresses.join("   for programs: ")}`).join("\n")}

Try, with these two lines in your shell first:
  export WAYBILL_URL=${up.url} WAYBILL_TOKEN=${up.token}
  alias waybill="npx --no-install waybill"

  waybill explain ${saturation.refused.id}
  waybill receipt show ${call ?? "CALL"}
  waybill calls --account demo
  waybill logs demo/mandelbrot
  waybill requests demo/mandelbrot
`);
}
