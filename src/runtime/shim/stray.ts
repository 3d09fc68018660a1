/** A process of the app that used a card without a lease: what is told of it, and whether it is the app itself. */
import type { Code } from "../../evidence/codes.ts";
import { firstPid, insideMember, type Membership, type ProcessName, type Processes } from "../processes.ts";

export interface StrayFound {
  readonly process: ProcessName;
  readonly cards: readonly string[];
  /** The call whose worker it is, on another card. */
  readonly call: string | null;
}

/** The pid is the host's, as the card's process list has it. */
export function strayFacts({ process: { pid }, cards, call }: StrayFound) {
  const whose = call === null ? "none of the app's calls had that card" : `its call ${call} has another card`;
  return {
    code: "gpu/without-lease" satisfies Code,
    pid,
    cards,
    ...(call !== null && { link: call }),
    says: `process ${pid} was on card ${cards.join(" or ")} at two looks, and ${whose}`,
  } as const;
}

/** Whether a process is the app's first, with which all of the app ends. */
export function isFirst(processes: Processes, of: Membership, { pid, start }: ProcessName): boolean {
  const first = of.sandboxed ? insideMember(processes, of, firstPid) : of.root;
  return first?.pid === pid && first.start === start;
}
