/** Plugs the runtime's sandboxes into the builder: each build that runs commands has a bench, a user of its owner's, and a way out. */
import { existsSync, mkdirSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { BenchDenied, buildMarker, type Benches } from "../build/builder.ts";
import type { ReplicaLimits } from "../contract/agent.ts";
import { gatewaySocketName } from "../contract/egress.ts";
import { BenchLost, endMarked, openBench, type BenchHost, type SandboxBench } from "../runtime/bench/host.ts";
import { socketFolder, type SandboxLimits } from "../runtime/folder.ts";
import { giveTree } from "../runtime/ownership.ts";
import { makeCgroups, removeCgroups } from "../runtime/sandbox/cgroups.ts";
import { groupsAndSizes } from "../runtime/shim/limits.ts";
import type { Bind } from "../runtime/sandbox/recipe.ts";
import type { NodeSandbox } from "./launcher.ts";
import { spaceOwner } from "../contract/space.ts";

export interface BenchTools extends BenchHost {
  /** The benches' own folders are made below it. */
  readonly folder: string;
  /** Where the machine's programs are, npm among them. */
  readonly path: readonly string[];
  /** Files that the operator's settings for builds name: certificates. */
  readonly files: readonly string[];
  readonly limits: SandboxLimits;
  /** Ports that builds may reach something on. */
  readonly ports: readonly number[];
}

/** Where the app's files are inside, as they will be when it runs. */
const appFolder = "/app";
const systemPath = ["/usr/local/bin", "/usr/bin", "/bin"];
/** What every sandbox has. */
const everywhere = ["/usr/", "/etc/ssl/certs/"];
/** Its last process is gone by then, or the kernel holds it. */
const groupsGoneWithinMs = 5_000;

export function sandboxBenches(tools: BenchTools, sandbox: NodeSandbox): Benches {
  const folderOf = (build: string): string => join(tools.folder, "benches", build);
  return {
    images: true,
    layers: true,
    async open({ build, space, app, readable, writable, images = null, note }) {
      // The owner's builds share caches, so they share a user; it is none of their Spaces'.
      const owner = spaceOwner(space);
      const hostUid = images === null ? sandbox.spaces.uidOf(owner) : sandbox.spaces.rangeOf(owner);
      if (hostUid !== null) await sandbox.filled();
      const folder = folderOf(build);
      mkdirSync(folder, { recursive: true, mode: 0o755 });
      const sockets = socketFolder(folder);
      const gateway = join(sockets, gatewaySocketName);
      const npm = npmOf(tools.path, join(folder, "bin"));
      const shown = [dirname(tools.nodePath), ...npm.folders, ...tools.files, ...readable].filter(isElsewhere);
      const same = (path: string): Bind => ({ from: path, to: path });
      let bench: SandboxBench | undefined;
      let limits: ReplicaLimits;
      const close = async (): Promise<void> => {
        await bench?.close();
        await sandbox.gateway.close(build);
        for (const path of [folder, sockets]) rmSync(path, { recursive: true, force: true });
        if (!(await removeCgroups(build, { withinMs: groupsGoneWithinMs })))
          throw new Error(`something stays in the control groups of ${build}`);
      };
      try {
        if (sockets !== folder && hostUid !== null) await giveTree(sockets, hostUid);
        await sandbox.gateway.open({ id: build, space, socket: gateway, uid: hostUid, profile: "build" });
        const cgroups = hostUid === null ? null : makeCgroups(build, hostUid, tools.limits, sandbox.cgroups);
        limits = groupsAndSizes({ limits: tools.limits, cgroups });
        const plan = {
          folder: join(folder, "own"),
          gateway,
          ports: tools.ports,
          driver: sandbox.driver,
          limits: tools.limits,
          cgroups,
          readOnly: [...new Set(shown)].map(same),
          writable: [{ from: app, to: appFolder }, ...writable.map(same)],
          cwd: appFolder,
          path: [dirname(tools.nodePath), ...npm.path, ...systemPath],
          marker: buildMarker(build),
          images,
        };
        bench = await openBench({ plan, hostUid, note }, tools);
      } catch (error) {
        await close();
        throw asDenied(error);
      }
      const opened = bench;
      return {
        limits,
        async give(path) {
          mkdirSync(path, { recursive: true });
          if (hostUid !== null) await giveTree(path, hostUid);
        },
        run: async (command) => {
          const end = await opened.run(command).catch((error: unknown) => {
            throw asDenied(error);
          });
          return { ...end, leftBehind: 0 };
        },
        lay: (packages) => opened.lay(packages),
        close,
      };
    },
    async recover(build) {
      await endMarked(buildMarker(build));
      await removeCgroups(build, { withinMs: groupsGoneWithinMs });
      rmSync(folderOf(build), { recursive: true, force: true });
    },
  };
}

function isElsewhere(path: string): boolean {
  return !everywhere.some((folder) => path.startsWith(folder));
}

/** The machine's npm: its package, and a folder with its commands, made here; nothing where it is one of the system's. */
function npmOf(path: readonly string[], commands: string): { readonly folders: string[]; readonly path: string[] } {
  const found = path.map((folder) => join(folder, "npm")).find((file) => existsSync(file));
  if (found === undefined || found.startsWith("/usr/")) return { folders: [], path: [] };
  const script = realpathSync(found);
  // …/node_modules/npm/bin/npm-cli.js
  const folder = dirname(dirname(script));
  mkdirSync(commands, { recursive: true });
  for (const name of ["npm-cli.js", "npx-cli.js"]) {
    const target = join(dirname(script), name);
    if (existsSync(target)) symlinkSync(target, join(commands, basename(name, "-cli.js")));
  }
  return { folders: [folder, commands], path: [commands] };
}

function asDenied(error: unknown): unknown {
  return error instanceof BenchLost && error.denied
    ? new BenchDenied(`the build's sandbox could not be made: ${error.message}`, { cause: error })
    : error;
}
