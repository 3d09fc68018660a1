/** What git lists, row by row as it comes: a list may have no end that could be held. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cleanEnv, GitFailure, type GitProgram } from "./git.ts";

/** A list that nobody reads on holds its git no longer. */
const rowsWithinMs = 120_000;
const saysMaxChars = 4 << 10;

/**
 * Rows that end in `end`, of which more than `rowMaxBytes` is left out. Who stops reading ends git. Throws `GitFailure` where git fails,
 * also after rows.
 */
export async function* rowsOf(
  git: GitProgram,
  args: readonly string[],
  end: "\0" | "\n",
  rowMaxBytes: number,
): AsyncGenerator<string> {
  const child = spawn(git.program, args, { env: cleanEnv(git), stdio: ["ignore", "pipe", "pipe"], cwd: "/" });
  const ended = once(child, "close") as Promise<[number | null]>;
  ended.catch(() => undefined); // Awaited below; who stops before does not ask how it ended.
  let said = "";
  child.stderr.on("data", (piece: Buffer) => void (said = `${said}${piece.toString("utf8")}`.slice(-saysMaxChars)));
  const late = setTimeout(() => child.kill("SIGKILL"), rowsWithinMs);
  const row: Buffer[] = [];
  let bytes = 0;
  const take = (piece: Buffer): void => {
    const kept = piece.subarray(0, Math.max(0, rowMaxBytes - bytes));
    if (kept.length > 0) row.push(kept);
    bytes += kept.length;
  };
  const whole = (): string => {
    const text = Buffer.concat(row).toString("utf8");
    row.length = 0;
    bytes = 0;
    return text;
  };
  try {
    for await (const piece of child.stdout as AsyncIterable<Buffer>) {
      let at = 0;
      for (let to = piece.indexOf(end); to !== -1; to = piece.indexOf(end, at)) {
        take(piece.subarray(at, to));
        at = to + 1;
        yield whole();
      }
      take(piece.subarray(at));
    }
    if (bytes > 0) yield whole();
    const [exitCode] = await ended;
    if (exitCode !== 0)
      throw new GitFailure(
        "git-failed",
        `git ${args.find((arg) => !arg.startsWith("--")) ?? ""} ended with ${exitCode ?? "a signal"}: ${said.trim()}`,
      );
  } finally {
    clearTimeout(late);
    child.kill("SIGKILL");
  }
}
