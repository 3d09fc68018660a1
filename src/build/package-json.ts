/** The little that a build reads of an app's package.json. */

export interface AppPackage {
  readonly scripts: Readonly<Record<string, string>>;
  /** Names of all that an install would bring. */
  readonly dependencies: readonly string[];
  /** As it is written: `pnpm@10.12.1+sha512.…`. */
  readonly packageManager: string | null;
  /** Scripts of its own run when its packages are installed. */
  readonly runsAtInstall: boolean;
  readonly hasWorkspaces: boolean;
  /** The Node that it asks for: `>=20`. */
  readonly wantsNode: string | null;
}

/** Of a Space without package.json. */
export const noPackage: AppPackage = {
  scripts: {},
  dependencies: [],
  packageManager: null,
  runsAtInstall: false,
  hasWorkspaces: false,
  wantsNode: null,
};
/** npm-install(1), "Life Cycle Operation Order" of `npm ci` and `npm install`. */
const installScripts = ["preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare"];

export type PackageParse =
  | { readonly ok: true; readonly app: AppPackage }
  | { readonly ok: false; readonly problem: string };

/** Parses package.json's text; undefined where the commit has none. */
export function parsePackage(text: string | undefined): PackageParse {
  if (text === undefined)
    return { ok: false, problem: "there is no package.json; a Space with `sdk: node` needs one with a `start` script" };
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { ok: false, problem: `package.json is not JSON: ${error.message}` };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return { ok: false, problem: "package.json is not an object" };
  const members = value as Record<string, unknown>;
  const groups = ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"];
  const scripts = Object.fromEntries(
    Object.entries(objectOf(members["scripts"])).filter(
      (pair): pair is [string, string] => typeof pair[1] === "string",
    ),
  );
  return {
    ok: true,
    app: {
      scripts,
      dependencies: [...new Set(groups.flatMap((group) => Object.keys(objectOf(members[group]))))],
      packageManager: textOf(members["packageManager"]),
      runsAtInstall: installScripts.some((name) => scripts[name] !== undefined),
      hasWorkspaces: members["workspaces"] !== undefined,
      wantsNode: textOf(objectOf(members["engines"])["node"]),
    },
  };
}

/** What is wrong with the start script, in words; undefined where there is one. */
export function startProblem(app: AppPackage): string | undefined {
  if ((app.scripts["start"] ?? "").trim() !== "") return undefined;
  return 'package.json has no `start` script; write for example `"scripts": { "start": "node server.js" }`';
}

/**
 * The command of a node app, run in its folder. Not `npm start`: npm would stand between the app and its signals, and cost 60 MB.
 * The folder of the app's own programs comes first on PATH, as npm does it; a plain command replaces the shell.
 */
export function startCommand(script: string): readonly string[] {
  const plain = /^[A-Za-z0-9_./@-][^|&;<>()$`\\"'\n*?[\]#~=%!{}]*$/.test(script.trim());
  const builtin =
    /^(cd|export|set|unset|exec|source|\.|if|for|while|until|case|eval|trap|ulimit|umask|wait|true|false|test|\[)(\s|$)/.test(
      script.trim(),
    );
  const command = plain && !builtin ? `exec ${script.trim()}` : script;
  return ["sh", "-c", `export PATH="$PWD/node_modules/.bin:$PATH"\n${command}`];
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
