/** How a request to the platform fails: refused with a problem, or not answered at all. */
import type { Problem } from "../contract/problem.ts";

/** The platform refused; `problem` is its answer, whole. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly problem: Problem;
  /** Seconds from `Retry-After`; null where the platform sent none. */
  readonly retryAfter: number | null;

  constructor(problem: Problem, retryAfter: number | null = null) {
    super(problem.detail);
    this.problem = problem;
    this.retryAfter = retryAfter;
  }
}

/** Nobody answered at the address within the bound; `cause` is the system's error. */
export class ServerUnreachable extends Error {
  override readonly name = "ServerUnreachable";
  readonly code = "server-unreachable";
  readonly url: string;
  /** What to do, where that is more than to start it. */
  readonly next: string | undefined;

  constructor(url: string, says: string, cause: unknown, next?: string) {
    super(`Waybill at ${url} ${says}.`, { cause });
    this.url = url;
    this.next = next;
  }

  withNext(next: string): ServerUnreachable {
    return new ServerUnreachable(this.url, "does not answer", this.cause, next);
  }
}

/** The folder cannot be sent as it is. `next` says what to do. */
export class FolderRefused extends Error {
  override readonly name = "FolderRefused";
  readonly code: "not-a-folder" | "folder-empty" | "folder-too-large" | "too-many-files";
  readonly next: string;

  constructor(code: FolderRefused["code"], says: string, next: string) {
    super(says);
    this.code = code;
    this.next = next;
  }
}

interface WaitOverOptions extends ErrorOptions {
  readonly next?: string;
}

/** The wait was over before the work was. The work goes on; `next` says where to look. */
export class WaitOver extends Error {
  override readonly name = "WaitOver";
  readonly code = "timeout";
  readonly next: string;

  constructor(says: string, { next = "Look again with `waybill space show`.", ...options }: WaitOverOptions = {}) {
    super(says, options);
    this.next = next;
  }
}
