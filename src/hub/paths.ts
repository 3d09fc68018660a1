/** Which paths a repository may hold: what git, a Linux disk and a careful reader agree on. */

/** Bytes of a whole path; well below PATH_MAX, so that a release's folder fits in front of it. */
export const pathMaxBytes = 1_024;
/** Bytes of one name: what ext4, XFS and APFS hold. */
export const nameMaxBytes = 255;

/** What is wrong with a repository path, in words; undefined where nothing is. Names that differ only by case are two files. */
export function pathProblem(path: string): string | undefined {
  if (path === "") return "a path is empty";
  if (!path.isWellFormed()) return "a path holds half a surrogate pair";
  if (hasControl(path)) return "a path holds a control character";
  if (byteLength(path) > pathMaxBytes) return `a path has more than ${pathMaxBytes} bytes`;
  if (path.startsWith("/")) return "a path begins with a slash";
  if (path.includes("\\")) return "a path holds a backslash; folders are divided by /";
  for (const name of path.split("/")) {
    if (name === "") return "a path has an empty name between two slashes or at its end";
    if (name === "." || name === "..") return `a path holds the name ${JSON.stringify(name)}`;
    if (byteLength(name) > nameMaxBytes) return `a name has more than ${nameMaxBytes} bytes`;
    if (isGitName(name)) return `the name ${JSON.stringify(name)} belongs to git`;
  }
  return undefined;
}

/** The same as a list, with the path in front. */
export function saidOfPath(path: string): readonly string[] {
  const problem = pathProblem(path);
  return problem === undefined ? [] : [`${JSON.stringify(path)}: ${problem}`];
}

/**
 * What is wrong with a symbolic link at `path`; undefined where it stays inside. Only leading `..` are allowed: they climb
 * real folders (a git tree has no path through a link), and what follows cannot climb, through other links neither.
 */
export function linkProblem(path: string, target: string): string | undefined {
  if (target.startsWith("/")) return `${path} is a link to the absolute path ${target}`;
  const names = target.split("/").filter((name) => name !== "" && name !== ".");
  const climbs = names.findIndex((name) => name !== "..");
  const leading = climbs === -1 ? names.length : climbs;
  if (leading > path.split("/").length - 1) return `${path} is a link that leaves the repository: ${target}`;
  if (names.slice(leading).includes("..")) return `${path} is a link that turns back with ..: ${target}`;
  return undefined;
}

/**
 * Paths that lie inside one that is a file: both cannot exist at once. Each is told once, with the file that is nearest. In order, whatever
 * begins with a path stands directly behind it, so each is compared with few.
 */
export function pathConflicts(paths: readonly string[]): readonly string[] {
  const inside = new Map<string, string>();
  /** The paths with which the next one may begin; each begins with the one before it. */
  const before: string[] = [];
  for (const path of paths.toSorted()) {
    while (before.length > 0 && !path.startsWith(before.at(-1) as string)) before.pop();
    const file = before.findLast(({ length }) => path[length] === "/");
    if (file !== undefined) inside.set(path, file);
    before.push(path);
  }
  return paths.flatMap((path) => {
    const file = inside.get(path);
    return file === undefined ? [] : [`${file} is a file and ${path} lies inside it`];
  });
}

// `.git` as HFS+, NTFS and Windows' short names would also read it.
function isGitName(name: string): boolean {
  const plain = name.toLowerCase().replace(/[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g, "");
  return /^\.git[. ]*(:.*)?$/.test(plain) || /^git~\d/.test(plain);
}

function hasControl(text: string): boolean {
  return [...text].some((character) => {
    const code = character.codePointAt(0) as number;
    return code < 0x20 || code === 0x7f;
  });
}

function byteLength(text: string): number {
  return Buffer.byteLength(text);
}
