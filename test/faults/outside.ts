/**
 * For comparison: what somebody names who sees what a visitor sees, and none of the evidence. A plain table of status, whose body it is,
 * and time, made as people who run web platforms make it. What our own answers say of the fault is not looked at: that is the evidence speaking.
 */
import { codeRow } from "../../src/evidence/codes.ts";
import type { Code } from "../../src/evidence/codes.ts";
import type { Entry } from "../../src/evidence/entry.ts";
import type { Explanation, SubjectKind } from "../../src/evidence/verdict.ts";
import type { OutsideReport } from "./document.ts";

/** What is seen from outside of a work. */
export interface Seen {
  readonly kind: SubjectKind | "answer";
  /** HTTP's, of the answer; undefined where none came or it is no request. */
  readonly status: number | undefined;
  /** From its begin to its end. */
  readonly ms: number | undefined;
  /** The answer had begun, and broke off. */
  readonly isCut: boolean;
  /** Its body is the app's, and no page or problem of a platform. */
  readonly isApps: boolean;
}

interface Row {
  readonly when: (seen: Seen) => boolean;
  readonly names: Code;
}

const slowMs = 2_000;
const timeoutMs = 3_000;

/** The first that fits; a row a status, and time where it may tell two apart. */
const table: readonly Row[] = [
  { when: ({ isCut }) => isCut, names: "route/reset-midway" },
  { when: ({ kind, ms }) => kind === "build" && (ms ?? 0) >= 20_000, names: "build/step-timeout" },
  { when: ({ kind }) => kind === "build", names: "build/step-failed" },
  { when: ({ kind }) => kind === "replica", names: "app/exit" },
  { when: ({ kind }) => kind === "space", names: "route/not-running" },
  { when: ({ kind, ms }) => kind === "connection" && (ms ?? 0) >= slowMs, names: "egress/dial-timeout" },
  { when: ({ kind }) => kind === "connection", names: "egress/dial-refused" },
  { when: ({ kind, status }) => kind === "transfer" && status === undefined, names: "transfer/client-left" },
  { when: ({ kind, isApps, status }) => kind === "request" && isApps && (status ?? 0) >= 500, names: "app/exception" },
  { when: ({ status }) => status === 400, names: "route/malformed" },
  { when: ({ status }) => status === 401, names: "identity/bad-token" },
  { when: ({ status }) => status === 403, names: "identity/private" },
  { when: ({ status }) => status === 404, names: "route/no-such-space" },
  { when: ({ status }) => status === 413, names: "route/too-large" },
  { when: ({ kind, status }) => kind === "call" && status === 429, names: "gpu/quota-exceeded" },
  { when: ({ status }) => status === 429, names: "capacity/rate-limited" },
  { when: ({ status }) => status === 500, names: "app/exception" },
  { when: ({ kind, status }) => kind === "call" && status === 502, names: "gpu/worker-lost" },
  { when: ({ status, ms }) => status === 502 && (ms ?? 0) < slowMs, names: "route/connect-refused" },
  { when: ({ status }) => status === 502, names: "route/reset-midway" },
  { when: ({ kind, status }) => kind === "call" && status === 503, names: "gpu/queue-timeout" },
  { when: ({ status }) => status === 503, names: "route/not-running" },
  { when: ({ status, ms }) => status === 504 && (ms ?? 0) < timeoutMs, names: "route/connect-timeout" },
  { when: ({ status }) => status === 504, names: "route/response-timeout" },
  { when: ({ status }) => status === 499 || status === undefined, names: "route/visitor-left" },
];

/** What somebody says who sees this; null where the table has nothing for it. */
export function namedFromOutside(seen: Seen): Code | null {
  return table.find(({ when }) => when(seen))?.names ?? null;
}

/** What a client saw who was answered, and asked for no more. */
export function seenOfAnswer(status: number): Seen {
  return { kind: "answer", status, ms: undefined, isCut: false, isApps: false };
}

/**
 * What a work's visitor, its client or its owner saw of it. `asked`: the request that made a call, which is what a visitor sees of it.
 * The record of a counter or a transfer has no status: it is the one that its code is answered with.
 */
export function seenOf(code: Code, { kind, entries }: Explanation, asked: readonly Entry[] = []): Seen {
  const delivered = [...entries, ...asked].find(({ hop }) => hop === "edge.deliver");
  const { status, bytes, ms, answeredBy } = { ...delivered?.facts };
  const times = entries.map(({ at }) => Date.parse(at)).sort((a, b) => a - b);
  const isMoving = entries.some(({ hop, mark }) => hop === "transfer.move" && mark === "failed");
  const byCode = kind === "counter" || (kind === "transfer" && !isMoving) ? codeRow(code).status : undefined;
  return {
    kind,
    status: typeof status === "number" ? status : byCode,
    ms: typeof ms === "number" ? ms : (times.at(-1) ?? 0) - (times[0] ?? 0),
    isCut: delivered?.mark === "failed" && typeof bytes === "number" && bytes > 0,
    isApps: answeredBy === "app",
  };
}

interface Named {
  readonly code: Code;
  readonly right: boolean;
}

export class Outside {
  readonly #named: Named[] = [];

  add(code: Code, seen: Seen): void {
    this.#named.push({ code, right: namedFromOutside(seen) === code });
  }

  report(): OutsideReport {
    const sum = (of: readonly Named[]): { readonly right: number; readonly of: number } => ({
      right: of.filter(({ right }) => right).length,
      of: of.length,
    });
    const boundaryOf = ({ code }: Named): string => code.split("/")[0] ?? "";
    const groups = Object.entries(Object.groupBy(this.#named, boundaryOf));
    const { right, of } = sum(this.#named);
    return {
      right,
      of,
      share: of === 0 ? 0 : Math.round((1000 * right) / of) / 1000,
      byBoundary: Object.fromEntries(groups.map(([boundary, some]) => [boundary, sum(some ?? [])])),
    };
  }
}
