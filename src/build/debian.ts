/** What of an app's packages.txt, and of Debian's packages, has to be understood. Pure. */

/** A package that is asked for, on its line (from 1). */
export interface DebianPackage {
  readonly name: string;
  readonly line: number;
}

export type PackagesFile =
  | { readonly ok: true; readonly packages: readonly DebianPackage[] }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Debian Policy §5.6.1 and §5.6.12: a name, perhaps an architecture, perhaps a version. */
const packageForm = /^[a-z0-9][a-z0-9+.-]+(?::[a-z0-9-]+)?(?:=[A-Za-z0-9.+:~-]+)?$/;

/** Reads packages.txt as Spaces does: names between white space; what follows a # is a comment. */
export function parsePackagesFile(text: string): PackagesFile {
  const packages = text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .flatMap((line, at) =>
      line
        .replace(/#[^]*/, "")
        .split(/\s+/)
        .filter(Boolean)
        .map((name) => ({ name, line: at + 1 })),
    );
  const problems = packages
    .filter(({ name }) => !packageForm.test(name))
    .map(({ name, line }) => `packages.txt line ${line}: ${name.slice(0, 80)} is no name of a Debian package`);
  return problems.length > 0 ? { ok: false, problems } : { ok: true, packages };
}

/** The lines that a failed installation names. */
export function blamedPackages(said: readonly string[], packages: readonly DebianPackage[]): readonly string[] {
  const words = new Set(said.join(" ").split(/[\s',]+/));
  return packages
    .filter(({ name }) => words.has(name) || words.has(name.replace(/=.*$/, "")))
    .map(({ name, line }) => `packages.txt line ${line}: ${name}`);
}

/** A name that packages share, and the file that stands behind it. */
export interface Alternative {
  readonly link: string;
  readonly target: string;
  readonly priority: number;
}

/**
 * What packages' `postinst` scripts tell update-alternatives(1), which cannot run where /usr cannot be written: of each name the one
 * with the highest priority. What a script computes is not understood, and left out.
 */
export function alternativesIn(scripts: string): readonly Alternative[] {
  const best = new Map<string, Alternative>();
  const take = (one: Alternative): void => {
    if ((best.get(one.link)?.priority ?? -Infinity) < one.priority) best.set(one.link, one);
  };
  const commands = scripts.replaceAll(/\\\n/g, " ").matchAll(/update-alternatives\s[^\n;&|]*?--install\s+([^\n;&|]+)/g);
  for (const [, text = ""] of commands) {
    const [link = "", , target = "", priorityText = "", ...rest] = text.trim().split(/\s+/);
    const priority = Number(priorityText);
    if (!isPlain(link) || !isPlain(target) || !Number.isInteger(priority)) continue;
    take({ link, target, priority });
    for (let at = rest.indexOf("--slave"); at >= 0; at = rest.indexOf("--slave", at + 1)) {
      const [slave = "", , behind = ""] = rest.slice(at + 1);
      if (isPlain(slave) && isPlain(behind)) take({ link: slave, target: behind, priority });
    }
  }
  return [...best.values()];
}

function isPlain(path: string): boolean {
  return /^\/[\w./+-]+$/.test(path) && !path.split("/").includes("..");
}
