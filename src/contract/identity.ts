/** What the API says of accounts and of what they did. */

export interface AccountView {
  readonly name: string;
  readonly kind: "person" | "organisation";
  readonly tier: string;
  readonly role: "user" | "admin";
  readonly createdAt: string;
}

export interface CreateAccount {
  readonly name: string;
  readonly organisation?: boolean;
  readonly tier?: "free" | "pro" | "enterprise" | "unlimited";
  /** An organisation's first administrator; whoever makes it where nobody is named. */
  readonly admin?: string;
}

export type MemberRole = "read" | "contributor" | "write" | "admin";

/** The first three fields are the Hub's. */
export interface MemberView {
  readonly user: string;
  readonly fullname: string;
  readonly avatarUrl: string;
  readonly role: MemberRole;
  readonly since: string;
  readonly addedBy: string;
}

/** Who an account is at another sign-in provider. */
export interface IdentityView {
  /** As it is configured; null where it is not any more. */
  readonly provider: string | null;
  readonly issuer: string;
  readonly subject: string;
  readonly linkedAt: string;
  readonly linkedBy: string;
}

/** An access token, without its secret. */
export interface TokenView {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  /** What it may do to single Spaces beside its scopes. */
  readonly spaces: readonly { readonly space: string; readonly right: "read" | "write" }[];
  /** The Space whose app has it, because its owner signed in there; null for all others. */
  readonly app: string | null;
  readonly createdAt: string;
  /** To the hour. */
  readonly lastUsedAt: string | null;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
  /** The one by which it is asked. */
  readonly current: boolean;
}

/** A browser that is signed in at the console. */
export interface SessionView {
  readonly id: string;
  /** `password`, `link`, or what else signed it in. */
  readonly how: string;
  readonly createdAt: string;
  /** To the hour. */
  readonly lastUsedAt: string;
  readonly expiresAt: string;
  /** Of the browser, as it signed in. */
  readonly address: string | null;
  readonly agent: string | null;
  /** The one by which it is asked. */
  readonly current: boolean;
}

export interface SetPassword {
  readonly password: string;
  /** The one that holds so far; not asked of operators who set another's. */
  readonly current?: string;
}

/** What `whoami-v2` says of what the caller has shown; the first kind is the Hub's. */
export type WhoAmIAuth =
  | {
      readonly type: "access_token";
      readonly accessToken: {
        readonly displayName: string;
        readonly role: "read" | "write" | "admin" | "fineGrained";
        readonly createdAt: string;
      };
    }
  /** A browser, signed in at the console. */
  | {
      readonly type: "session";
      readonly session: { readonly id: string; readonly createdAt: string; readonly expiresAt: string };
    };

/** Keys of visitors' tokens, the current one first. */
export interface VisitorKeysView {
  readonly keys: readonly {
    readonly kid: string;
    /** `next`: known to all who verify. `current`: minted with. `former`: what it has minted holds. */
    readonly stage: "next" | "current" | "former";
    /** When it came into this stage. */
    readonly since: string;
    /** Of a former one: its tokens are refused from then on. */
    readonly until: string | null;
  }[];
  /** After a rotation: processes of the edge, in words, that have not said that they go by these keys. */
  readonly behind?: readonly string[];
}

/** An organisation of an account, in the Hub's shape. */
export interface OrganisationOf {
  readonly type: "org";
  readonly id: string;
  readonly name: string;
  readonly fullname: string;
  readonly email: null;
  readonly canPay: boolean;
  readonly periodEnd: null;
  readonly isEnterprise: boolean;
  readonly avatarUrl: string;
  readonly roleInOrg: MemberRole;
}

/** Which entries of the audit log; `since` and `until` in RFC 3339. */
export type AuditFilter = Readonly<
  Partial<Record<"account" | "action" | "target" | "request" | "since" | "until" | "page", string | undefined>>
>;

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
