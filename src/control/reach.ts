/** Whether a Space's owner may have its app keep to something: only what it may reach anyway. */
import type { Outbound } from "../contract/egress.ts";
import { whyNotAllowed, parseReach, reachWords, ruleSays } from "../contract/reach.ts";

interface Around {
  /** Of each node that is connected: what its operator lets out; absent where nothing closes apps off. */
  readonly nodes: readonly { readonly outbound?: Outbound | undefined }[];
  /** Whether the platform's own edge answers to this name: the operator's rules are about others. */
  isOurs(name: string): boolean;
}

/** Why it may not, in a sentence; undefined where it may. Where no node is there nothing is known of its rules, which hold all the same. */
export function whyNoReach(reach: string, { nodes, isOurs }: Around): string | undefined {
  const rules = parseReach(reach);
  if (rules === null || typeof rules === "string") return undefined;
  if (nodes.some(({ outbound }) => outbound === undefined))
    return `Nothing closes apps off here, so none is held to less: reach is ${reachWords.all}.`;
  for (const rule of rules) {
    if (isOurs(rule.pattern)) continue;
    const by = nodes.map(({ outbound }) => outbound && whyNotAllowed(outbound.apps, rule));
    const refused = by.find((one) => one !== undefined);
    if (refused !== undefined && by.every((one) => one !== undefined))
      return `${ruleSays(rule)} is not what the operator allows, by the rule ${refused}: leave it out, or ask the operator to allow it.`;
  }
  return undefined;
}
