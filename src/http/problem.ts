/** From a code of the closed list to the RFC 9457 document that says it. */
import type { ProxyError } from "../contract/proxy-status.ts";
import type { Problem } from "../contract/problem.ts";
import { codeRow, splitCode } from "../evidence/codes.ts";
import type { Code } from "../evidence/codes.ts";

/** What one occurrence adds to its code's row. */
export interface ProblemExtra {
  /** What happened this time, in one sentence; the row's own sentence where absent. Never topology, never a secret. */
  readonly detail?: string;
  /** Where HTTP has a narrower status than the row's (431 or 408 for 400). */
  readonly status?: number;
  readonly waybill?: string;
  /** Link to the work's explain page. */
  readonly explain?: string;
  /** The console's address, without a slash at its end: makes `type` a link. `about:blank` without it. */
  readonly console?: string;
  readonly errors?: NonNullable<Problem["errors"]>;
  /** What to do, where that is narrower than the row's advice. */
  readonly next?: string;
}

/** The problem of `code`: title, owner and retry come from its row, and so are the same wherever it is shown. */
export function problemOf(code: Code, extra: ProblemExtra = {}): Problem {
  const row = codeRow(code);
  const [boundary, name] = splitCode(code);
  return {
    type: extra.console === undefined ? "about:blank" : `${extra.console}/codes/${code}`,
    title: row.says,
    status: extra.status ?? row.status,
    detail: extra.detail ?? row.says,
    ...(extra.explain === undefined ? {} : { instance: extra.explain, explain: extra.explain }),
    boundary,
    code: name,
    owner: row.owner,
    retry: row.retry,
    next: extra.next ?? row.next,
    ...(extra.waybill === undefined ? {} : { waybill: extra.waybill }),
    ...(extra.errors === undefined ? {} : { errors: extra.errors }),
  };
}

/** The `Proxy-Status` error type of a code's row. */
export function proxyErrorOf(code: Code): ProxyError {
  return codeRow(code).proxy;
}
