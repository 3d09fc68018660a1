/** What the edge needs of its neighbours. `main` plugs them in; none of them may block or touch a disk on the way of a request. */
import type { InsideCaller } from "../contract/egress.ts";
import type { StartTimes } from "../contract/starts.ts";
import type { Code } from "../evidence/codes.ts";
import type { Instant } from "../stdx/time.ts";
import type { VisitShown } from "./visit-cookie.ts";

export interface Replica {
  readonly id: string;
  /** Path of the replica's `in.sock`. */
  readonly socket: string;
  /** What its app's answers have in place of the app's own, by names in lower case. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** What a Space's owner allows its visitors; the platform's own limits hold beside it. */
export interface SpaceLimits {
  /** Under way at a time. */
  readonly requests?: number | undefined;
  readonly perSecond?: number | undefined;
  readonly bodyMaxBytes?: number | undefined;
  /** Nothing passes for so long. */
  readonly idleMs?: number | undefined;
  /** From its first byte to its last. */
  readonly openMs?: number | undefined;
}

export interface SpaceRoute {
  /** `owner/name`. */
  readonly space: string;
  /** The account that owns it. */
  readonly owner: string;
  /** Who may not read it is answered as at a name that is nobody's. */
  readonly private?: boolean | undefined;
  readonly limits?: SpaceLimits | undefined;
  /** Whether the edge speaks through its Gradio streams; `full` where it is not said. */
  readonly messages?: "full" | "quiet" | "off" | undefined;
  readonly state:
    /** `wokeMs`, as the answer to a wake: how long its start took. */
    | { readonly kind: "running"; readonly replicas: readonly Replica[]; readonly wokeMs?: number | undefined }
    /** It answers when somebody asks for it: the request is held meanwhile. `waking`: somebody has. */
    | { readonly kind: "asleep"; readonly waking?: Waking | undefined }
    | { readonly kind: "down"; readonly code: Code; readonly says: string; readonly retryAfterMs?: number };
}

/** How a Space's start goes on. Times are milliseconds since it began. */
export interface Waking {
  readonly reached: StartTimes;
  /** What earlier starts took; without what is not known yet. */
  readonly usual: StartTimes;
  /** Replicas of this start that ended, and that another one followed. */
  readonly ended: number;
  /** The time that it has; null: none of its own. */
  readonly withinMs: number | null;
}

/** A name that no `Host` can have: what the directory calls a Space's own port. */
export function portName(port: number): string {
  return `:${port}`;
}

/** Which Space has an address. The platform keeps it in memory; a lookup is one map. */
export interface SpaceDirectory {
  /** `host` in lower case, without port; or a {@link portName}. */
  find(host: string): SpaceRoute | undefined;
  /** A visitor was let in there: it stays awake for that. Who is refused keeps no app awake. */
  used(space: string): void;
  /** Whether it is private now; a lookup that is no visit. */
  isPrivate(space: string): boolean;
  /** Wakes a Space that is asleep; resolves when it answers, or will not. `account`: null for a stranger. */
  wake(space: string, account: string | null, gone: AbortSignal): Promise<SpaceRoute | undefined>;
}

export interface Visitor {
  readonly account: string;
  readonly tier: string;
  /** How the platform knows who pays: `token`, `session`, `address`, … */
  readonly billedBy: string;
  /** The signed-in person's name; null for a stranger. */
  readonly user: string | null;
  /** Where a Space passed on its visitor's token: whose request that was, and how many Spaces did so before. */
  readonly forwarded?: Forwarded;
}

export interface Forwarded {
  /** The calling Space's own request. */
  readonly by: string;
  /** The first request of all, which a person made. */
  readonly root: string;
  /** Spaces that the token has passed through: 1 or more. */
  readonly hops: number;
}

export interface IdentityRefusal {
  readonly refused: Code;
  /** One sentence for the client; the code's own where absent. */
  readonly detail?: string;
  /** Who it is that may not: for the Space's owner. */
  readonly who?: string;
  /** Nobody who is refused so is to learn that there is such a Space. */
  readonly hidden?: true;
}

/** What of a Space decides who may come in. */
export type Asked = Pick<SpaceRoute, "space" | "owner" | "private">;

export interface Credentials {
  /** `Authorization` as it came. */
  readonly authorization: string | undefined;
  /** `X-HF-Authorization`: what Python's `gradio_client` sends. */
  readonly xHfAuthorization: string | undefined;
  /** `X-IP-Token` as it came: never passed on; an app that calls another app sends it. */
  readonly ipToken: string | undefined;
  /** The cookie of a session that was handed over to this address. */
  readonly visit: VisitShown | undefined;
  /** The visitor's address, as the connection or a trusted proxy tells it; of no meaning for a caller from inside. */
  readonly address: string;
  /** The replica that calls, where the connection itself says so. */
  readonly inside: InsideCaller | undefined;
  /** The Space that is asked for; undefined where there is none under that name. */
  readonly to: Asked | undefined;
}

/** The one answer to who somebody is, by whichever way they come, and whether they may come in there. */
export interface VisitorIdentity {
  resolve(credentials: Credentials): Visitor | IdentityRefusal | Promise<Visitor | IdentityRefusal>;
  /** The `X-IP-Token` of one request to one Space. */
  mint(input: {
    readonly space: string;
    readonly request: string;
    readonly visitor: Visitor;
    /** The app's function that it names: by its name, `/render`, or its number, `3`. */
    readonly asksFor: string | undefined;
    readonly now: Instant;
  }): string;
}

/** What the platform's GPU queue says of a call that a request caused. Pushed to the edge as it changes. */
export type CallTold =
  | {
      readonly kind: "waiting";
      /** From 1 on. */
      readonly position: number;
      readonly of: number;
      readonly estimateMs: number | null;
    }
  | { readonly kind: "granted" }
  /** `says`: the sentence for its visitor. */
  | { readonly kind: "refused"; readonly code: Code; readonly says: string }
  /** It has ended in another way: nothing is said of it any more. */
  | { readonly kind: "ended" };

/** Counts what strangers cause without an account. Returns the counter's id, which the answer bears instead of a work's. */
export interface StrangerCounter {
  count(what: {
    readonly code: Code;
    readonly host: string;
    readonly address: string;
    /** An example of what was refused. */
    readonly sample?: string;
  }): string;
}
