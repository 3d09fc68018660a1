/** How a build ends when it does not end well. */
import type { Code } from "../evidence/codes.ts";

/** A build that stops here. Thrown by a step, caught by `runBuild` alone. */
export class BuildFailure extends Error {
  override readonly name = "BuildFailure";
  readonly code: Code;
  readonly because: readonly string[];
  readonly exitCode: number | null;

  constructor(
    code: Code,
    says: string,
    because: readonly string[] = [],
    options: ErrorOptions & { exitCode?: number | null } = {},
  ) {
    super(says, options);
    this.code = code;
    this.because = because;
    this.exitCode = options.exitCode ?? null;
  }
}
