/** What clients were promised, and how it is compared with what is there after a kill. */

/** What is wrong, each with the sentence that says where. All are empty when the platform kept its word. */
export class Findings {
  /** Acknowledged, and not there. */
  readonly lost: string[] = [];
  /** There, or in force, twice. */
  readonly duplicated: string[] = [];
  /** Calls that are open and slots that are taken when all has come to rest. */
  readonly stuck: string[] = [];
  /** Anything else that must not be: a refusal of what is valid, a charge beside the fault table, an invariant that does not hold. */
  readonly other: string[] = [];
  /** Answers that promised something. */
  acknowledged = 0;

  get all(): readonly string[] {
    return [...this.lost, ...this.duplicated, ...this.stuck, ...this.other];
  }
}

/** One thing that a client asked for; `acknowledged` once it was answered that it is done. */
export interface Wish {
  readonly name: string;
  acknowledged: boolean;
}

/**
 * Compares a list that only grows with the wishes that went into it. `seen` may hold others' entries too. A wish that was not
 * answered may be there or not, and no wish may be there twice.
 */
export function compareList(what: string, wishes: readonly Wish[], seen: readonly string[], findings: Findings): void {
  const times = new Map<string, number>();
  for (const name of seen) times.set(name, (times.get(name) ?? 0) + 1);
  for (const { name, acknowledged } of wishes) {
    const found = times.get(name) ?? 0;
    if (found === 0 && acknowledged) findings.lost.push(`${what}: ${name} was acknowledged and is not there`);
    if (found > 1) findings.duplicated.push(`${what}: ${name} is there ${found} times`);
  }
}

/** Compares what a setting shows with its writes 1, 2, 3…, of which `acknowledged` was the last that was answered and `tried` the last at all. */
export function compareSetting(
  what: string,
  { acknowledged, tried, seen }: { acknowledged: number; tried: number; seen: number },
  findings: Findings,
): void {
  if (seen < acknowledged)
    findings.lost.push(`${what}: write ${acknowledged} was acknowledged, and it shows write ${seen}`);
  if (seen > tried) findings.other.push(`${what}: it shows ${seen}, and only ${tried} were ever written`);
}
