/**
 * `npm run bench -- hub [PART…]`: repositories by the Hub's own client, from PyPI, and by git. Every file is of random bytes and every client begins
 * with nothing. Beside speeds stand what both ends spent of the processor, and the same from nginx and from git alone.
 */
import type { ChildProcess } from "node:child_process";
import { mkdirSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { needs } from "../test/support/needs.ts";
import { Platform } from "../test/support/platform.ts";
import { fdatasyncUs, fileSystemOf, scratch } from "./disk.ts";
import { machine, type Bench, type Figure, type Skipped } from "./document.ts";
import { ended } from "./edge-sides.ts";
import { BenchClient, ways } from "./hub-client.ts";
import { removed } from "./hub-files.ts";
import { atTransfers, memoryFigures } from "./hub-memory.ts";
import { commitFigures, commitName, gitFigures, listingFigures, versionOf } from "./hub-repos.ts";
import type { HubPart } from "./hub-parts.ts";
import { bringLarge, largeFigures, manyFigures } from "./hub-transfers.ts";
import { quickSizes, wholeSizes, type World } from "./hub-world.ts";

/** What takes longest begins only until then: the whole run is to take ten minutes at the most on two cores. */
const beginsWithinMs = 360_000;

/** The most that each may be; and of a ratio to its peer the least. */
const promised: readonly Promised[] = [
  { name: "download by plain HTTP", ratioLeast: 0.8 },
  { name: "download by plain HTTP of what came by hf_xet", ratioLeast: 0.8 },
  { name: "% sent of a file with 1 % changed", most: 5 },
  { name: commitName, most: 2_000 },
  { name: atTransfers, most: 200 },
];

type Promised = { readonly name: string } & ({ readonly most: number } | { readonly ratioLeast: number });

export const run: Bench = async (report, { quick, parts }) => {
  const startedAt = performance.now();
  const isAsked = (part: HubPart): boolean => parts.length === 0 || parts.includes(part);
  if (process.platform !== "linux") throw new Error("memory is read in /proc: this benchmark needs Linux");
  const sizes = quick ? quickSizes : wholeSizes;
  const folder = scratch("hub");
  const children: ChildProcess[] = [];
  const skipped: Skipped[] = [];
  const loadBefore = loadavg()[0] ?? Number.NaN;
  try {
    const disk = { "file system": fileSystemOf(folder), "fdatasync us": fdatasyncUs(folder) };
    const without = (await needs("gradio")).skip;
    using client = without === false ? await BenchClient.make() : undefined;
    const files = join(folder, "files");
    mkdirSync(files);
    if (client !== undefined && isAsked("memory")) await compile(folder, client, files);
    await using up = await Platform.start({ gpus: null, sandbox: "none", within: folder });
    const alice = await up.account("alice", "unlimited");
    const figures: Figure[] = [];
    const common = { up, alice, sizes, folder: files, report, skipped };
    if (client === undefined) skipped.push({ what: "all that needs huggingface_hub from PyPI", why: String(without) });
    else {
      const world: World = { ...common, client };
      if (isAsked("commits")) figures.push(...(await commitFigures(world)));
      if (isAsked("large")) figures.push(...(await largeFigures(world, children)));
      else if (isAsked("memory")) await bringLarge(world);
      if (isAsked("memory")) figures.push(...(await memoryFigures(world)));
    }
    if (isAsked("listing")) figures.push(...(await listingFigures(common)));
    if (isAsked("git")) figures.push(...(await gitFigures(common)));
    for (const way of client === undefined || !isAsked("many") ? [] : ways) {
      const ranMs = performance.now() - startedAt;
      if (ranMs > beginsWithinMs)
        skipped.push({
          what: `many files by ${way}`,
          why: `${Math.round(ranMs / 1_000)} s were over, and it takes minutes on a machine as busy as this`,
        });
      else figures.push(...(await manyFigures({ ...common, client: client as BenchClient }, way)));
    }
    const broken = quick ? [] : promised.filter((one) => !isKept(one, figures));
    for (const one of broken) report(`${one.name} is not as promised: ${JSON.stringify(one)}`);
    if (broken.length > 0) process.exitCode = 1;
    return {
      bench: "hub",
      machine: machine(),
      tookMs: Math.round(performance.now() - startedAt),
      figures,
      skipped,
      conditions: {
        "MB of the large file": sizes.largeBytes / 1e6,
        "many files": `${sizes.many} of ${sizes.manyBytes} bytes, of which ${sizes.manyFetched} are downloaded`,
        "files of the large tree": sizes.listedFiles,
        clients: [client?.versions, versionOf("git")].filter(Boolean).join(", "),
        load: `${loadBefore.toFixed(1)} before, ${(loadavg()[0] ?? Number.NaN).toFixed(1)} after`,
        ...disk,
      },
    };
  } finally {
    for (const child of children) await ended(child);
    removed(folder);
  }
};

/**
 * A first start of these sources, with a small file by each way: what Node compiles for it, it keeps. A package has no types; in a clone
 * that starts for the first time the compiler for them would be measured too, 60 MB that stay for as long as the server does.
 */
async function compile(within: string, client: BenchClient, folder: string): Promise<void> {
  await using up = await Platform.start({ gpus: null, sandbox: "none", within });
  const alice = await up.account("alice", "unlimited");
  const sizes = { ...quickSizes, largeBytes: 1_000_000 };
  await bringLarge({ up, alice, client, sizes, folder, report: () => undefined, skipped: [] });
}

/** What has no figure or no peer here was skipped, and is said to be. */
function isKept(one: Promised, figures: readonly Figure[]): boolean {
  const found = figures.find(({ name }) => name === one.name);
  if (found === undefined) return true;
  if ("most" in one) return found.ours <= one.most;
  return found.peers.every(({ ratio }) => ratio >= one.ratioLeast);
}
