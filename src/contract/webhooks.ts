/**
 * Webhooks: what is told to addresses that owners name, as JSON signed by Standard Webhooks (standardwebhooks.com), and what the API says
 * of them. What a type's data has is here; fields are added, never renamed.
 */

/** Of all that is told, `TYPE`: when. */
export const noticeTypes = {
  "space.state": "a Space is in another state",
  "build.ended": "a build has ended, well or not",
  "member.added": "an organisation has one more member",
  "member.changed": "a member has another role",
  "member.removed": "a member is one no more",
  "quota.exceeded": "a call of the account was refused, since less was left than it asked for; once a window",
  "budget.exceeded": "a visitor's call was refused, since less was left of what the Space's owner pays; once a window",
  "incident.opened": "something is wrong with the platform; for operators",
  "incident.closed": "an incident is over; for operators",
  "webhook.off": "another webhook of the same owner was switched off by the platform",
  "webhook.test": "somebody tried the webhook",
} as const;

export type NoticeType = keyof typeof noticeTypes;

/** Types that only a webhook of the platform is told. */
export const platformTypes: readonly NoticeType[] = ["incident.opened", "incident.closed"];
/** Types that are told whatever a webhook asks for: they are about itself or its neighbours. */
export const ownTypes: readonly NoticeType[] = ["webhook.test", "webhook.off"];

interface TooLittle {
  /** The first call that was refused. */
  readonly call: string;
  readonly askedMs: number;
  readonly leftMs: number;
  readonly limitMs: number;
  readonly resetsAt: string | null;
}

interface Member {
  readonly organisation: string;
  readonly account: string;
  readonly role: string;
}

interface IncidentTold {
  readonly incident: string;
  readonly boundary: string;
  readonly wrong: string;
  readonly planned: boolean;
  readonly says: string;
  readonly since: string;
  readonly until: string | null;
}

/** What the `data` of each type has. */
export interface NoticeData {
  readonly "space.state": {
    readonly space: string;
    readonly from: string;
    readonly to: string;
    readonly says: string;
    readonly code: string | null;
    /** Who brought it there: `owner`, `operator`, `platform`, `app`, `visitor`. */
    readonly by: string;
    readonly release: string | null;
  };
  readonly "build.ended": {
    readonly build: string;
    readonly space: string;
    readonly commit: string;
    /** `done`, `failed`, `cancelled` or `superseded`. */
    readonly stage: string;
    readonly says: string;
    readonly code: string | null;
    readonly release: string | null;
  };
  readonly "member.added": Member;
  readonly "member.changed": Member;
  readonly "member.removed": Member;
  readonly "quota.exceeded": TooLittle & { readonly account: string };
  readonly "budget.exceeded": TooLittle & { readonly space: string };
  readonly "incident.opened": IncidentTold;
  readonly "incident.closed": IncidentTold;
  readonly "webhook.off": { readonly webhook: string; readonly url: string; readonly says: string };
  readonly "webhook.test": { readonly webhook: string; readonly by: string };
}

/** The body of a delivery. `timestamp`: when it happened. */
export interface NoticeBody<Type extends NoticeType = NoticeType> {
  readonly type: Type;
  readonly timestamp: string;
  readonly data: NoticeData[Type];
}

/** How one try to deliver went: what somebody who reads the log is told of it. */
export const attemptOutcomes = {
  delivered: "it was answered well",
  answered: "it was answered by another status than 2xx",
  redirected: "it was answered by a redirect, and none is followed: change the webhook's address",
  gone: "it was answered by 410: whoever is there wants to hear no more",
  unresolved: "the name could not be resolved",
  denied: "the address is one that the platform does not reach",
  unconnected: "the connection was refused, or nobody took it in time",
  untrusted: "the certificate is not one that this machine trusts for that name",
  late: "there was no answer in time",
  broken: "the connection broke before there was an answer",
} as const;

export type AttemptOutcome = keyof typeof attemptOutcomes;

export interface AddWebhook {
  readonly url: string;
  /** Absent or empty: all that the owner may hear. */
  readonly types?: readonly NoticeType[] | undefined;
  readonly description?: string | undefined;
  /** Whose it is, an account or an organisation; the caller's own where it is absent. */
  readonly account?: string | undefined;
  /** The platform's, for operators: it hears of all. */
  readonly platform?: boolean | undefined;
}

export interface ChangeWebhook {
  readonly url?: string | undefined;
  readonly types?: readonly NoticeType[] | undefined;
  readonly description?: string | undefined;
  readonly state?: "on" | "off" | undefined;
}

export interface WebhookView {
  readonly id: string;
  /** Null: the platform's. */
  readonly owner: string | null;
  readonly url: string;
  readonly types: readonly NoticeType[];
  readonly description: string | null;
  readonly state: "on" | "off";
  readonly since: string;
  /** Who brought it into its state, and why. */
  readonly says: string;
  /** All tries since then failed; null where the last one did not. */
  readonly failingSince: string | null;
  /** Deliveries that have not ended. */
  readonly waiting: number;
  /** Until then what is sent bears the former secret's signature too; null: it has none. */
  readonly formerSecretUntil: string | null;
  readonly createdAt: string;
  readonly createdBy: string;
}

/** The only time that the secret is shown. */
export interface WebhookSecret {
  readonly id: string;
  readonly secret: string;
  readonly formerSecretUntil: string | null;
}

export type AddedWebhook = WebhookView & Pick<WebhookSecret, "secret">;

export interface AttemptView {
  readonly at: string;
  readonly tookMs: number;
  readonly outcome: AttemptOutcome;
  readonly status: number | null;
  readonly says: string;
  /** The first bytes of the answer; null where there was none. */
  readonly answer: string | null;
}

export interface DeliveryView {
  /** The `webhook-id` of each try. */
  readonly id: string;
  readonly webhook: string;
  readonly type: NoticeType;
  readonly at: string;
  readonly state: "waiting" | "delivered" | "failed";
  /** When it is tried next; null where it has ended. */
  readonly dueAt: string | null;
  readonly endedAt: string | null;
  readonly says: string;
  /** The oldest first. */
  readonly attempts: readonly AttemptView[];
  /** As it is sent; only of one that is asked for alone. */
  readonly body?: string;
}
