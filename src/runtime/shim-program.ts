/** How the process of a shim is started: its Node, the entry, and all that it knows of ours. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

export interface ShimProgram {
  /** The Node that runs the shim; its folder comes first on the app's PATH. */
  readonly nodePath: string;
  /** The shim's entry module: `main/shim.ts`, or `main/shim.cjs` where the program is compiled. */
  readonly shimEntry: string;
  /** Folders of the app's PATH after the Node's own; the system's usual ones where absent. */
  readonly path?: readonly string[];
  /**
   * Where Node keeps what it compiled of the shim, for all shims. With it a shim that runs from TypeScript sources does not load
   * the compiler from its second start on, which is most of its memory and half of its start.
   */
  readonly compileCache?: string;
}

/**
 * The sizes keep a shim small: a few thousand connections and gigabytes later it still has 32 MB of its own. With `node:ffi` it
 * learns how the app's workers ended (exits.ts); a Node that was built without it would not start with its flag.
 */
export const shimFlags = [
  // Sixty modules, each of which would be asked where it really lies: five milliseconds of a start.
  ...["--preserve-symlinks", "--preserve-symlinks-main"],
  "--max-semi-space-size=1",
  "--max-old-space-size=32",
  ...["--experimental-ffi"].filter((flag) => process.allowedNodeEnvironmentFlags.has(flag)),
];
const usualPath = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** Folders of the PATH of a shim and of its app. */
export function shimPath({ nodePath, path }: ShimProgram): readonly string[] {
  return [dirname(nodePath), ...(path ?? usualPath)];
}

/** All that a shim knows of ours. */
export function shimEnvironment(tools: ShimProgram): NodeJS.ProcessEnv {
  return {
    PATH: shimPath(tools).join(":"),
    ...(tools.compileCache === undefined ? {} : { NODE_COMPILE_CACHE: tools.compileCache }),
  };
}

/** What a shim needs of ours to start. */
export function programNeeds({ nodePath, shimEntry, compileCache }: ShimProgram): readonly string[] {
  return [dirname(nodePath), packageOf(shimEntry), ...(compileCache === undefined ? [] : [compileCache])];
}

/** The folder of the package that a module belongs to: Node reads its package.json too. */
export function packageOf(module: string): string {
  let at = dirname(module);
  while (!existsSync(join(at, "package.json")) && at !== dirname(at)) at = dirname(at);
  return at === dirname(at) ? dirname(module) : at;
}
