/** What operators give accounts beyond their tier, and what Spaces' owners pay for their visitors, as the API has it. */

/** `window`: more for the window that ran. `credits`: GPU time beside the window. `lift`: one of the tier's policies does not hold. */
export interface AllowanceView {
  readonly id: string;
  readonly kind: "window" | "credits" | "lift";
  /** GPU milliseconds that were given; null for `lift`. */
  readonly ms: number | null;
  /** Of credits. */
  readonly usedMs: number | null;
  readonly heldMs: number | null;
  /** Of `lift`. */
  readonly policy: LiftablePolicy | null;
  /** When it is over; null for credits that do not expire, and for `window`: with its window. */
  readonly until: string | null;
  readonly by: string;
  readonly reason: string;
  readonly at: string;
  /** Credits that were taken back while calls held of them: by whom, why, and when. Null where they were not. */
  readonly revoked: (RevokeAllowance & { readonly by: string; readonly at: string }) | null;
}

export type LiftablePolicy = "window" | "runs" | "calls" | "duration";

/** What an operator gives an account; `reason` is kept and shown. */
export type GiveAllowance = { readonly account: string; readonly reason: string } & (
  | { readonly kind: "window"; readonly ms: number }
  | { readonly kind: "credits"; readonly ms: number; readonly expiresAt?: string | null | undefined }
  | { readonly kind: "lift"; readonly policy: LiftablePolicy; readonly until: string }
);

/** Why an operator takes an allowance back; it is kept with the record. */
export interface RevokeAllowance {
  readonly reason: string;
}

/** What a Space's owner pays for its visitors. */
export interface BudgetView {
  readonly space: string;
  /** Who pays; null while nothing was ever set. */
  readonly sponsor: string | null;
  /** GPU milliseconds of one of the owner's windows; null: each visitor pays. */
  readonly limitMs: number | null;
  readonly usedMs: number;
  readonly heldMs: number;
  readonly leftMs: number | null;
  /** What becomes of a call that the budget cannot hold: its visitor pays, or it is refused. */
  readonly whenOut: "visitor" | "refuse";
  readonly resetsAt: string | null;
  /** How long the owner's next window will be. */
  readonly windowMs: number;
  readonly index: number;
}
