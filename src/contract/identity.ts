/** What the API says of accounts and of what they did. */

/** One change that somebody made: docs/identity.md. */
export interface AuditEntryView {
  readonly id: number;
  readonly at: string;
  readonly account: string;
  /** Null also for who may not know it, as `session` and `address` are. */
  readonly token: string | null;
  readonly session: string | null;
  readonly address: string | null;
  readonly action: string;
  readonly target: string;
  readonly owner: string | null;
  readonly request: string;
  readonly outcome: "begun" | "done" | "failed";
  readonly before: unknown;
  readonly after: unknown;
}
