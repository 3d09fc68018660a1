/**
 * A reporter for node:test: prints failures whole, each with the end of what its file had printed, and skips with their reason; writes
 * its counts, and what each file took, to WAYBILL_TEST_SUMMARY.
 */
import { appendFileSync } from "node:fs";
import { relative } from "node:path";
import { inspect } from "node:util";

export interface TestEvent {
  readonly type: string;
  readonly data: {
    readonly name: string;
    readonly file?: string;
    readonly nesting: number;
    readonly skip?: boolean | string;
    readonly todo?: boolean | string;
    readonly details?: {
      readonly type?: string;
      readonly error?: { readonly cause?: unknown; readonly failureType?: string } & Error;
      readonly duration_ms?: number;
    };
    readonly message?: string;
  };
}

/** What one run of node:test came to; the runner adds several up. */
export interface Summary {
  passed: number;
  failed: number;
  failures: { file: string; name: string }[];
  skips: { name: string; why: string }[];
  /** Whole milliseconds that each file took, where files run in processes of their own. */
  tookMs: Record<string, number>;
}

/** What a platform and its tests print while one thing goes wrong; more hides it. */
const linesShown = 60;
const lineMax = 500;

export default async function* reporter(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const last = new LastLines();
  const summary: Summary = { passed: 0, failed: 0, failures: [], skips: [], tookMs: {} };
  for await (const { type, data } of source) {
    const file = data.file ? relative(process.cwd(), data.file) : "";
    if (type === "test:stderr") last.add(file, data.message ?? "");
    const isFile = data.nesting === 0 && data.file !== undefined && (data.name === data.file || data.name === file);
    if (type === "test:complete" && isFile) summary.tookMs[file] = Math.round(data.details?.duration_ms ?? 0);
    if (type !== "test:pass" && type !== "test:fail") continue;
    const error = data.details?.error;
    const isSkipped = data.skip !== undefined && data.skip !== false;
    // A suite fails with its tests, which tell why; of a hook, and of being skipped with all of them, it alone tells.
    if (data.details?.type === "suite" && error?.failureType !== "hookFailed" && !isSkipped) continue;
    if (type === "test:fail") {
      summary.failed += 1;
      summary.failures.push({ file, name: data.name });
      yield `FAILED  ${file} > ${data.name}\n`;
      if (error?.failureType === "cancelledByParent") yield `${indent(error.message)}\n`;
      else yield `${indent(whole(error?.cause ?? error) + last.take(file))}\n`;
    } else if (isSkipped) {
      summary.skips.push({
        name: `${file} > ${data.name}`,
        why: typeof data.skip === "string" ? data.skip : "no reason given",
      });
    } else if (!isFile) {
      summary.passed += 1;
    }
  }
  const where = process.env["WAYBILL_TEST_SUMMARY"];
  if (where) appendFileSync(where, `${JSON.stringify(summary)}\n`);
}

/** The end of what each file has printed on standard error since it was last asked for. */
class LastLines {
  readonly #lines = new Map<string, string[]>();

  add(file: string, text: string): void {
    const lines = this.#lines.get(file) ?? [];
    for (const line of text.split("\n")) if (line !== "") lines.push(line.slice(0, lineMax));
    this.#lines.set(file, lines.slice(-linesShown));
  }

  take(file: string): string {
    const lines = this.#lines.get(file) ?? [];
    this.#lines.delete(file);
    return lines.length === 0 ? "" : ["", "its standard error before that:", ...lines].join("\n");
  }
}

/** Of an error that another one followed, as something was given back, both: the first is why, and `inspect` shows neither. */
function whole(error: unknown): string {
  // From another process it is no SuppressedError any more.
  if (!(error instanceof Error && "suppressed" in error && "error" in error)) return inspect(error, { depth: 6 });
  return `${whole(error.suppressed)}\nand then, as what it had was given back:\n${whole(error.error)}`;
}

function indent(text: string): string {
  return text
    .split("\n")
    .map((line) => `        ${line}`)
    .join("\n");
}
