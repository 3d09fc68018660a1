/** What a probe run's result depends on: as long as it is the same, the result stands. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { release } from "node:os";
import { promisify } from "node:util";
import { ruleset } from "../net/routes.ts";
import type { CgroupsHere } from "../sandbox/cgroups.ts";
import { etcOf, type Recipe } from "../sandbox/recipe.ts";
import { seccompFilter, type Arch } from "../sandbox/seccomp.ts";
import { wayOf } from "../sandbox/start.ts";
import type { SandboxDriver } from "../sandbox/way.ts";
import { probePrograms } from "./programs.ts";
import { probeLimits } from "./run.ts";

const versionWithinMs = 5_000;
const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Those that make the sandbox, and the one that tries its system calls. */
const tools = ["bwrap", "crun", "catatonit", "nft", "ip", "unshare", "setpriv", "prlimit", "python3"];

/** SHA-256, in hexadecimal, of the recipe, the filter, the network's rules, the kernel, the tools, the level, and the probes themselves. */
export async function probeKey(node: {
  readonly driver: SandboxDriver;
  readonly isRoot: boolean;
  readonly cgroups: CgroupsHere;
  readonly volumes: boolean;
  readonly ports: readonly number[];
}): Promise<string> {
  const hash = createHash("sha256");
  const filter = seccompFilter(process.arch as Arch);
  const told = {
    ...node,
    way: wayOf(node.driver, recipe, { filter, at: "/" }),
    etc: etcOf(recipe.hostname),
    network: ruleset(node.ports),
    kernel: release(),
    versions: await Promise.all(tools.map(versionOf)),
  };
  hash.update(JSON.stringify(told));
  hash.update(filter);
  for (const { text } of probePrograms()) hash.update(text);
  return hash.digest("hex");
}

/** As far as it is the same for all sandboxes. */
const recipe: Recipe = {
  argv: [],
  cwd: "/app",
  env: {},
  readOnly: [],
  writable: [],
  etc: "/",
  hostname: "app",
  limits: probeLimits,
  devices: [],
};

async function versionOf(tool: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(tool, [tool === "ip" ? "-V" : "--version"], {
      timeout: versionWithinMs,
      env: { PATH: path },
    });
    return stdout;
  } catch (error) {
    return `${tool}: ${(error as NodeJS.ErrnoException).code ?? "failed"}`; // not here: that is a version too
  }
}
