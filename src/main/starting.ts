/** What `waybill up` and `waybill agent` have in common: their configuration, their log, and how a start that fails is told. */
import { pino } from "pino";
import { exit } from "../cli/exit.ts";
import { CliFailure } from "../cli/failures.ts";
import { rightsErrors } from "../cli/folder.ts";
import { RecordsMissing } from "../control/call-list.ts";
import { ListenError } from "../edge/index.ts";
import { SecretKeyMissing } from "../identity/secret-box.ts";
import { closeInheritedFiles } from "../runtime/inherited-files.ts";
import { readConfig, type PlatformConfig } from "./config.ts";
import { giveBackWhenIdle } from "./idle-memory.ts";
import type { PlatformLog } from "./platform.ts";

export interface UpWorld {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  /** On the clock of `performance.now()`. */
  readonly startedAt: number;
  readonly signal: AbortSignal;
}

/** Throws a `CliFailure` that says all that is wrong with it. */
export function configFrom(env: UpWorld["env"], options: Parameters<typeof readConfig>[1]): PlatformConfig {
  const read = readConfig(env, options);
  if (read.ok) return read.config;
  throw new CliFailure(exit.usage, {
    code: "config-invalid",
    says: read.problems.join("; "),
    next: "Correct all of it and start again.",
  });
}

/** What this process leaves to those that it starts; its log, of JSON on standard error. */
export function prepareProcess({ json }: { readonly json: boolean }): PlatformLog {
  // Plain processes that we start would inherit what our starter left open, and what they make is read by other users.
  if (process.channel === undefined) closeInheritedFiles();
  process.umask(0o022);
  giveBackWhenIdle();
  // A person at a terminal sees warnings only, since the screen is for what matters.
  return pino(
    { level: json ? "info" : "warn", base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  );
}

/** What keeps the platform from starting, in the words of its own errors; anything unforeseen stays as it is. */
export function startFailure(error: unknown, config: PlatformConfig): unknown {
  if (error instanceof ListenError) {
    return new CliFailure(exit.failed, {
      code: "port-in-use",
      says: error.message,
      next: "Give another one with --port, or stop what has it.",
      cause: error,
    });
  }
  const { name, message } = error as Error;
  if (name === "SandboxMissing") {
    return new CliFailure(exit.failed, {
      code: "runtime/sandbox-denied",
      says: message,
      next: "Install what is missing, or start it with --sandbox none, which runs apps and builds as plain processes of your own user.",
      cause: error,
    });
  }
  if (name === "CertificateFilesUnfit" || name === "AuthorityUnfit") {
    return new CliFailure(exit.failed, {
      code: "certificate-unfit",
      says: message,
      next: "Correct it and start again: docs/network.md, TLS.",
      cause: error,
    });
  }
  if (error instanceof SecretKeyMissing) {
    return new CliFailure(exit.failed, {
      code: error.code,
      says: message,
      next: `Put the file back from your copy of it, or name where it is with WAYBILL_SECRETS_KEY_FILE. Nothing in ${config.data} was changed.`,
      cause: error,
    });
  }
  if (error instanceof RecordsMissing) {
    return new CliFailure(exit.failed, {
      code: error.code,
      says: message,
      next: `Restore ${config.data} from a backup.`,
      cause: error,
    });
  }
  if (
    name === "DataFolderBusy" ||
    name === "DatabaseBusy" ||
    name === "DatabaseUnfit" ||
    name === "JournalElsewhere" ||
    name === "JournalDamaged" ||
    name === "JournalFormatUnknown" ||
    name === "EventVersionUnknown" ||
    name === "CatalogError" ||
    name === "EvidenceFormatUnknown" ||
    name === "SnapshotMismatch"
  ) {
    return new CliFailure(exit.failed, {
      code: (error as { code?: string }).code ?? "data-folder",
      says: message,
      next: `Nothing in ${config.data} was changed.`,
      cause: error,
    });
  }
  if (rightsErrors.includes((error as NodeJS.ErrnoException).code ?? "")) {
    return new CliFailure(exit.failed, {
      code: "folder-not-writable",
      says: `nothing can be kept in ${config.data}: ${message}`,
      next: `Start it as the user that the folder and all in it belong to, or give it to this one (chown -R ${process.getuid?.() ?? "USER"} ${config.data}).`,
      cause: error,
    });
  }
  if (name === "JournalStopped" || diskErrors.includes((error as NodeJS.ErrnoException).code ?? "")) {
    return new CliFailure(exit.failed, {
      code: "data-folder-unfit",
      says: `nothing can be kept in ${config.data}: ${message}`,
      next: "Look at its disk: whether it is full or read-only, and what the kernel's log says of it; then start it again. What was acknowledged before is not lost.",
      cause: error,
    });
  }
  return error;
}

/** What the system says of a folder that cannot be written. */
const diskErrors: readonly string[] = ["EROFS", "ENOSPC", "EDQUOT", "EIO"];

export function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}
