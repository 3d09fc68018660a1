/** What share/Containerfile builds on: its own base where a registry has it, else one of Debian's packages with this machine's Node and npm. */
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { baseArchive } from "./images.ts";
import { programOnPath } from "./needs.ts";

/** Only a hang takes so long. */
const withinMs = 900_000;
/** A registry that is there answers at once; what comes is some 80 MB. */
const pullWithinMs = 300_000;
/** What this machine trusts beside Node's own: packages may come through a proxy of its owner's. */
const trusted = "/etc/ssl/certs/ca-certificates.crt";

/** Steps of a build that need no container of their own: a machine whose control groups a runtime does not like builds all the same. */
export const buildOptions = ["--isolation", "chroot", "--network", "host"] as const;

export interface ContainerBase {
  readonly image: string;
  /** Made here: taken away after use. */
  readonly isMade: boolean;
}

/** Why there can be none on this machine; false where there can. */
export function noContainerBase(podman: string | undefined): string | false {
  if (podman === undefined) return "no podman (apt-get install podman)";
  if (process.getuid?.() !== 0) return "not root: the image's sandbox is tried with --privileged";
  return false;
}

/** What `podman run` has to be told on this machine, in order that a container starts; a sentence where none does. */
export function runOptions(podman: string, image: string): readonly string[] | string {
  // Who may not raise its limits may not give a container more than it has: podman asks for a million of each.
  const limits = ["--ulimit", "nofile=8192:8192", "--ulimit", "nproc=4096:4096"];
  const options = ["--privileged", "--network", "host", ...limits];
  let says = "";
  for (const runtime of ["crun", "runc"]) {
    const tried = spawnSync(podman, ["--runtime", runtime, "run", "--rm", ...options, image, "true"], {
      encoding: "utf8",
      timeout: withinMs,
    });
    if (tried.status === 0) return ["--runtime", runtime, "run", ...options];
    says = tried.stderr.trim().split("\n").at(-1) ?? "";
  }
  return `podman starts no container here: ${says}`;
}

/** `named`: what the Containerfile says. A sentence where a registry has it not and it cannot be made. */
export async function containerBase(podman: string, named: string): Promise<ContainerBase | string> {
  const pulled = spawnSync(podman, ["pull", "--quiet", named], { timeout: pullWithinMs });
  if (pulled.status === 0) return { image: named, isMade: false };
  if (programOnPath(["mmdebstrap"]) === undefined)
    return `no registry has ${named} for this machine, and there is no mmdebstrap (apt-get install mmdebstrap)`;
  const run = (...args: readonly string[]): string =>
    execFileSync(podman, args, { encoding: "utf8", timeout: withinMs, stdio: ["ignore", "pipe", "inherit"] });
  const debian = /sha256:[0-9a-f]+/.exec(run("load", "--quiet", "--input", await baseArchive()))?.[0] ?? "";
  const folder = mkdtempSync(join(tmpdir(), "wb-container-base-"));
  const image = `localhost/waybill-base-${process.pid}`;
  try {
    copyFileSync(process.execPath, join(folder, "node"));
    const npm = execFileSync("npm", ["root", "--global"], { encoding: "utf8" }).trim();
    cpSync(join(npm, "npm"), join(folder, "npm"), { recursive: true });
    copyFileSync(existsSync(trusted) ? trusted : "/dev/null", join(folder, "trusted.crt"));
    const lines = [
      `FROM ${debian}`,
      "COPY node /usr/local/bin/node",
      "COPY npm /usr/local/lib/node_modules/npm",
      "COPY trusted.crt /etc/trusted.crt",
      "ENV NODE_EXTRA_CA_CERTS=/etc/trusted.crt",
      // Node's own builds are linked with it, and Debian's smallest system has it not.
      "RUN apt-get update && apt-get install --yes --no-install-recommends libatomic1",
      "RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && npm --version",
    ];
    writeFileSync(join(folder, "Containerfile"), `${lines.join("\n")}\n`);
    run("build", "--quiet", ...buildOptions, "--tag", image, folder);
    return { image, isMade: true };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
