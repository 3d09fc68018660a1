/** How a replica's end is told: its phase, code and sentence. */
import type { Code } from "../../evidence/codes.ts";
import { lastLines } from "../../log/segments.ts";
import type { AppEnd } from "./app.ts";
import type { AppEndCause } from "./shim.ts";

const lastLinesShown = 5;
/** Far enough back to find what was said before a stack trace. */
const lastLinesRead = 60;
/** Frames of a stack trace and Node's closing line: they push out the error itself. */
const saysOnlyWhere = /^at .+:\d+:\d+\)?$|^at .+ \(<anonymous>\)$|^\^+$|^Node\.js v\d/;
const lineShownChars = 200;
/** Node prints an error's properties below its trace, Python a note below its message: what it was stands above. */
const namesError = /^(?:Uncaught )?[\w.]*(?:Error|Exception)(?: \[\w+\])?: ./;

export interface End {
  readonly phase: "exited" | "stopped";
  readonly code: Code;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly says: string;
}

export function networkDenied(error: unknown): End {
  const says = `The sandbox's network could not be made: ${error instanceof Error ? error.message : String(error)}`;
  return { phase: "exited", code: "runtime/sandbox-denied", exitCode: null, signal: null, says };
}

export function stoppedEnd(why: string, exitCode: number | null): End {
  return {
    phase: "stopped",
    code: "route/not-running",
    exitCode,
    signal: null,
    says: `The platform stopped it: ${why}.`,
  };
}

export function causeOf({ signal }: AppEnd): AppEndCause {
  return signal === "SIGKILL" || signal === "SIGTERM" || signal === "SIGINT" || signal === "SIGHUP"
    ? "app-killed"
    : "app-exit";
}

export function endSays({ exitCode, signal, failure }: AppEnd): string {
  if (failure !== null) return `The app could not be started: ${failure}.`;
  return signal === null ? `The app ended with exit code ${exitCode}.` : `The app was ended by ${signal}.`;
}

/** What the app printed last: it goes after the sentence about its end. */
export function lastOutput(folder: string): string {
  const lines = lastLines(folder, lastLinesRead)
    .map((line) => line.trim())
    .filter((line) => line !== "" && !saysOnlyWhere.test(line));
  if (lines.length === 0) return " It printed nothing.";
  const last = lines.slice(-lastLinesShown);
  const error = lines.findLast((line) => namesError.test(line));
  const shown = error === undefined || last.includes(error) ? last : [error, "…", ...last.slice(2)];
  return ` Its last output: ${shown.map((line) => line.slice(0, lineShownChars)).join(" ⏎ ")}`;
}

/** Whether an app's last words are about a disk that is full: ENOSPC as errno(3), strerror(3), Node, Python and SQLite say it. */
export function namesDisk(lastWords: string): boolean {
  return /ENOSPC|No space left on device|disk (?:is )?full/i.test(lastWords);
}

export function outOfMemorySays(memoryBytes: number): string {
  return `The app used more than the ${Math.round(memoryBytes / (1 << 20))} MiB of memory that it may, and was ended.`;
}
