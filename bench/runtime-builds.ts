/** A Node app with a dependency, built by the platform and by hand: with nothing cached, and again with another line of its own. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Account, Platform } from "../test/support/platform.ts";

const server = (n: number): string =>
  `import { createServer } from "node:http";\nimport ms from "ms";\ncreateServer((_, to) => to.end(ms(${n}))).listen(process.env.PORT);\n`;
const manifest = JSON.stringify({
  name: "bench",
  version: "1.0.0",
  type: "module",
  scripts: { start: "node server.js" },
  dependencies: { ms: "2.1.3" },
});
const npmWithinMs = 120_000;

export interface BuildTimes {
  readonly cold: number;
  readonly cached: number;
}

/** `npm ci` with a cache of its own, empty and then full. Undefined where npm cannot install: without an index, for one. */
export function npmByHand(): BuildTimes | undefined {
  const folder = mkdtempSync(join(tmpdir(), "wb-npm-"));
  try {
    const npm = (...args: readonly string[]): number | undefined => {
      const since = performance.now();
      const all = [...args, "--cache", join(folder, "cache"), "--no-audit", "--no-fund"];
      const { status } = spawnSync("npm", all, { cwd: folder, timeout: npmWithinMs, stdio: "ignore" });
      return status === 0 ? performance.now() - since : undefined;
    };
    writeFileSync(join(folder, "package.json"), manifest);
    if (npm("install", "--package-lock-only") === undefined) return undefined;
    rmSync(join(folder, "cache"), { recursive: true, force: true });
    mkdirSync(join(folder, "cache"));
    const [cold, cached] = [npm("ci"), npm("ci")];
    return cold === undefined || cached === undefined ? undefined : { cold, cached };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** From the upload to the first answer, on a platform that has built nothing yet. */
export async function ourBuilds(up: Platform, account: Account): Promise<BuildTimes> {
  const build = async (n: number): Promise<number> => {
    const since = performance.now();
    const files = { "package.json": manifest, "server.js": server(n), "device.js": "" };
    const { deployed, url } = await up.deploy(account, "built", files);
    if (!deployed.ok) throw new Error(`the benchmark's app does not run: ${deployed.says}`);
    await (await fetch(url)).text();
    return performance.now() - since;
  };
  return { cold: await build(1_000), cached: await build(2_000) };
}
