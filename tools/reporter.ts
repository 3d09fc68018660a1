/** A reporter for node:test: prints failures whole, skips with their reason, slow files; writes its counts to WAYBILL_TEST_SUMMARY. */
import { appendFileSync } from "node:fs";
import { relative } from "node:path";
import { inspect } from "node:util";

interface TestEvent {
  readonly type: string;
  readonly data: {
    readonly name: string;
    readonly file?: string;
    readonly nesting: number;
    readonly skip?: boolean | string;
    readonly todo?: boolean | string;
    readonly details?: {
      readonly type?: string;
      readonly error?: { readonly cause?: unknown } & Error;
      readonly duration_ms?: number;
    };
    readonly message?: string;
  };
}

/** What one run of node:test came to; the runner adds several up. */
export interface Summary {
  passed: number;
  failed: number;
  skips: { name: string; why: string }[];
  /** Whole milliseconds that each file took, where files run in processes of their own. */
  tookMs: Record<string, number>;
}

export default async function* reporter(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const summary: Summary = { passed: 0, failed: 0, skips: [], tookMs: {} };
  for await (const { type, data } of source) {
    if (type === "test:stderr" || type === "test:stdout") continue;
    const file = data.file ? relative(process.cwd(), data.file) : "";
    const isFile = data.nesting === 0 && data.file !== undefined && (data.name === data.file || data.name === file);
    if (type === "test:complete" && isFile) summary.tookMs[file] = Math.round(data.details?.duration_ms ?? 0);
    if (type !== "test:pass" && type !== "test:fail") continue;
    if (data.details?.type === "suite") continue;
    if (type === "test:fail") {
      summary.failed += 1;
      yield `FAILED  ${file} > ${data.name}\n${indent(inspect(data.details?.error?.cause ?? data.details?.error, { depth: 6 }))}\n`;
    } else if (data.skip !== undefined && data.skip !== false) {
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

function indent(text: string): string {
  return text
    .split("\n")
    .map((line) => `        ${line}`)
    .join("\n");
}
