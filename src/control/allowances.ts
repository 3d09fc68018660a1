/** What operators give accounts, and what Spaces' owners pay for their visitors: from the API to the ledger's commands. */
import { z } from "zod";
import { gpuMs, maxGpuMs } from "../core/amounts.ts";
import { allowancesMax } from "../core/policy.ts";
import type { Allowance, AllowanceTerms, BudgetSettings, Command, CommandRefusal, TierName } from "../core/model.ts";
import { instant } from "../stdx/time.ts";
import type { Answer } from "./engine.ts";
import { plainText } from "./plain-text.ts";
import type { Refused } from "./spaces.ts";

/** A sentence or two; it is shown with each receipt that rests on it. */
const reasonMax = 500;
const amount = z.int().min(1).max(maxGpuMs);
const at = z.iso.datetime({ offset: true }).transform((text) => instant(Date.parse(text)));
const common = {
  account: z.string().min(1).max(200),
  reason: plainText(reasonMax),
};

/** The body of `POST /api/quota/allowances`. */
export const allowanceBody = z.discriminatedUnion("kind", [
  z.strictObject({ ...common, kind: z.literal("window"), ms: amount }),
  z.strictObject({ ...common, kind: z.literal("credits"), ms: amount, expiresAt: at.nullish() }),
  z.strictObject({
    ...common,
    kind: z.literal("lift"),
    policy: z.enum(["window", "runs", "calls", "duration"]),
    until: at,
  }),
]);
export type AllowanceWish = z.infer<typeof allowanceBody>;

/** The body of `POST /api/quota/allowances/ID/revoke`. */
export const revocationBody = z.strictObject(common);
export type Revocation = z.infer<typeof revocationBody>;

/** The body of `PUT /api/spaces/O/N/budget`. */
export const budgetBody = z
  .strictObject({ limitMs: z.int().min(0).max(maxGpuMs).nullable(), whenOut: z.enum(["visitor", "refuse"]) })
  .partial()
  .refine((change) => Object.keys(change).length > 0, "name limitMs, whenOut or both");
export type BudgetWish = z.infer<typeof budgetBody>;

/** Has the ledger do it. */
type Order = (command: Command) => Promise<Answer>;

/** Who gives it, under which id. */
export interface Giving extends Pick<Allowance, "id" | "by"> {
  readonly tier: TierName;
}

export async function giveAllowance(
  order: Order,
  wish: AllowanceWish,
  { id, by, tier }: Giving,
): Promise<Refused | { readonly ok: true }> {
  const { account, reason } = wish;
  const allowance: Allowance = { id, by, reason, terms: termsOf(wish) };
  const answer = await order({ type: "allow", account, tier, allowance });
  return answer.ok ? answer : refusedAs(answer.why, account);
}

/** `by`: the operator who takes it back. */
export async function takeAllowance(
  order: Order,
  { account, reason }: Revocation,
  { id, by }: Pick<Giving, "id" | "by">,
): Promise<Refused | { readonly ok: true }> {
  const answer = await order({ type: "revoke", account, allowance: id, by, reason });
  return answer.ok ? answer : refusedAs(answer.why, account, id);
}

/** `sponsor`: the Space's owner. */
export async function changeBudget(
  order: Order,
  { space, sponsor, tier }: { readonly space: string; readonly sponsor: string; readonly tier: TierName },
  wish: BudgetWish,
): Promise<Refused | { readonly ok: true }> {
  const answer = await order({ type: "set-budget", space, sponsor, tier, settings: settingsOf(wish) });
  return answer.ok ? answer : refusedAs(answer.why, sponsor);
}

function termsOf(wish: AllowanceWish): AllowanceTerms {
  switch (wish.kind) {
    case "window":
      return { kind: "window", ms: gpuMs(wish.ms) };
    case "credits":
      return { kind: "credits", ms: gpuMs(wish.ms), expiresAt: wish.expiresAt ?? null };
    case "lift":
      return { kind: "lift", policy: wish.policy, until: wish.until };
  }
}

function settingsOf({ limitMs, whenOut }: BudgetWish): Partial<BudgetSettings> {
  return {
    ...(limitMs !== undefined && { limitMs: limitMs === null ? null : gpuMs(limitMs) }),
    ...(whenOut !== undefined && { whenOut }),
  };
}

/** Each with advice of its own: what a code advises in general is about ids and what is there. */
function refusedAs(why: CommandRefusal, account: string, id = ""): Refused {
  switch (why) {
    case "no-window":
      return {
        ...{ ok: false, code: "control/conflict" },
        says: `No window of ${account} runs: its next call opens one with the whole limit.`,
        next: "Give credits, which outlast windows; or give it once the account has called.",
      };
    case "not-ahead":
      return {
        ...{ ok: false, code: "control/invalid" },
        says: "Its end does not lie ahead, or is more than 366 days away.",
        next: "Name an instant between now and 366 days from now; credits may also have no end.",
      };
    case "too-many":
      return {
        ...{ ok: false, code: "control/conflict" },
        says: `${account} has ${allowancesMax} allowances that are not over, and no more are kept.`,
        next: `Take one back (\`waybill quota revoke ${account} ID\`), or give it when one is over.`,
      };
    case "amount-overflow":
      return {
        ...{ ok: false, code: "control/invalid" },
        says: "Together with what was given before it is no exact amount.",
        next: `Give less: all together at most ${maxGpuMs} ms.`,
      };
    case "unknown-allowance":
      return {
        ...{ ok: false, code: "control/not-found" },
        says: `${account} has no allowance ${id} that is not over.`,
        next: `\`waybill quota --account ${account}\` shows those that it has, each with its id.`,
      };
    case "already-revoked":
      return {
        ...{ ok: false, code: "control/conflict" },
        says: `${id} of ${account} was taken back already, by somebody else or for another reason.`,
        next: "Nothing needs to be done: what calls hold of it is given back at their ends.",
      };
    default:
      return { ok: false, code: "control/conflict", says: `The ledger refused it: ${why}.` };
  }
}
