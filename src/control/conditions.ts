/** What is wrong now, from what the ledger says of its nodes, whose evidence is behind, and how many works failed. Pure. */
import type { NodeView } from "../contract/nodes.ts";
import type { Drained } from "../core/drained.ts";
import { drainKey, drainedName } from "../core/slots.ts";
import { boundaries, isBehind, sumsOf } from "../evidence/boundaries.ts";
import type { Counts, Source } from "../evidence/boundaries.ts";
import { behindMax, isFailing } from "../evidence/incidents.ts";
import type { Condition, Incident } from "../evidence/incidents.ts";
import { codeRow, isCode } from "../evidence/codes.ts";
import type { WorkSample } from "../record/status-store.ts";

export interface Seen {
  readonly now: number;
  readonly nodes: readonly NodeView[];
  readonly drains: readonly Drained[];
  readonly sources: readonly Source[];
  /** Of the last ten minutes. */
  readonly recent: Counts;
  /** Incidents that are open, by subject, with what was counted since they began. */
  readonly open: ReadonlyMap<string, Incident>;
  readonly since: ReadonlyMap<string, Counts>;
  /** The newest works that failed, by any code. */
  readonly samples: readonly WorkSample[];
}

export function conditionsOf(seen: Seen): readonly Condition[] {
  return [...failures(seen), ...lost(seen), ...troubled(seen), ...drained(seen), ...behind(seen)];
}

/** Codes of a boundary that are the platform's fault. */
export function platformCodes(codes: readonly string[]): readonly string[] {
  return codes.filter((code) => isCode(code) && codeRow(code).owner === "platform");
}

function failures({ recent, open, since, samples }: Seen): readonly Condition[] {
  return boundaries.flatMap((boundary): Condition[] => {
    const subject = `failures/${boundary}`;
    const sums = sumsOf(boundary, recent);
    const incident = open.get(subject);
    if (!isFailing(sums, incident !== undefined)) return [];
    const all = sumsOf(boundary, since.get(subject) ?? recent);
    const codes = platformCodes(Object.keys(sums.codes));
    const works = samples.filter(({ code }) => codes.includes(code)).toSorted((a, b) => b.at - a.at);
    return [
      {
        ...{ subject, boundary, wrong: "failures", planned: false, since: null },
        says: `works fail at ${boundary} by the platform's fault (${codes.join(", ")})`,
        counts: { works: all.works, failed: all.failedBy.platform },
        behind: works.slice(0, behindMax).map(({ work }) => work),
      },
    ];
  });
}

function lost({ nodes }: Seen): readonly Condition[] {
  return nodes
    .filter(({ state }) => state === "lost")
    .map(({ name, drain }) => ({
      ...{ subject: `node/${name}`, boundary: "runtime", wrong: "node-lost", planned: drain !== null, since: null },
      says: `node ${name} does not answer${drain === null ? "" : `; ${drain.says}`}`,
      ...{ counts: null, behind: [name] },
    }));
}

function troubled({ nodes }: Seen): readonly Condition[] {
  return nodes.flatMap(({ name, cards }) =>
    cards.flatMap(({ index, trouble, drain }): Condition[] => {
      if (trouble === null) return [];
      const subject = `card/${name}/${index}`;
      return [
        {
          ...{ subject, boundary: "gpu", wrong: "card-trouble", planned: drain !== null, since: null },
          says: `card ${index} of node ${name} is in trouble: ${trouble.says}`,
          ...{ counts: null, behind: [name] },
        },
      ];
    }),
  );
}

function drained({ drains }: Seen): readonly Condition[] {
  return drains.map(({ of, drain }) => {
    const { reason, by, since } = drain;
    return {
      ...{ subject: `drain/${drainKey(of)}`, boundary: "capacity", wrong: "drain", planned: true, since },
      says: `${drainedName(of)} draining, planned, by ${by}: ${reason}`,
      ...{ counts: null, behind: of.kind === "pool" ? [] : [of.node] },
    };
  });
}

/** A node that is lost is told as that. */
function behind({ now, nodes, sources }: Seen): readonly Condition[] {
  const isLost = (name: string): boolean => nodes.some((node) => node.name === name && node.state === "lost");
  return sources
    .filter((source) => isBehind(source, now) && !(source.kind === "node" && isLost(source.name)))
    .map(({ kind, name, completeTo }) => ({
      ...{ subject: `evidence/${name}`, boundary: "record", wrong: "evidence-behind", planned: false },
      since: completeTo,
      says: `the record of ${kind === "node" ? `node ${name}` : `the ${name}`} is behind`,
      ...{ counts: null, behind: kind === "node" ? [name] : [] },
    }));
}
