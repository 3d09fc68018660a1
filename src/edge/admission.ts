/** Whether a request may come into its Space: asked when it comes, and in a private Space again while it is open. */
import { codeRow } from "../evidence/codes.ts";
import type { Code } from "../evidence/codes.ts";
import type { Break } from "../http/page.ts";
import { credentialsOf } from "./accepted.ts";
import type { Accepted, TurnedAway } from "./accepted.ts";
import type { EdgeContext } from "./context.ts";
import { admittedAgainMs } from "./limits.ts";
import type { Asked, IdentityRefusal, Visitor, VisitorIdentity } from "./ports.ts";
import type { Story } from "./story.ts";

/** Where a refusal stopped the work: at the edge itself where it cannot tell who asks. */
export function stopsAt({ refused }: IdentityRefusal): Break {
  return refused === "route/control-down" ? "edge" : "visitor";
}

export class Admission {
  readonly #context: Pick<EdgeContext, "identity" | "directory" | "guard" | "told">;
  readonly #accepted: Accepted;
  /** When it was last asked. */
  #askedAt: number;

  constructor(context: EdgeContext, accepted: Accepted) {
    this.#context = context;
    this.#accepted = accepted;
    this.#askedAt = context.clock.monotonic();
  }

  ask(to: Asked = this.#accepted.route): ReturnType<VisitorIdentity["resolve"]> {
    return this.#context.identity.resolve(credentialsOf(this.#accepted, to));
  }

  /** It is not known yet who asks at a private Space: whatever is answered now is answered to somebody who may not know of it. */
  isUntold(visitor: Visitor | IdentityRefusal | undefined): boolean {
    return this.#accepted.route.private === true && visitor === undefined;
  }

  /** Answers as at a name that is nobody's. */
  turnAway(code: Code, extra: TurnedAway): void {
    this.#accepted.turnAway(code, extra);
  }

  /** Nothing of it is told yet, it is a stranger's own fault, and enough of those are told in this minute: one more is counted. */
  isOnlyCounted(code: Code, { opened, hand, visitor }: Story): boolean {
    if (codeRow(code).owner !== "visitor" || opened || hand !== undefined || this.#accepted.response.headersSent)
      return false;
    const who = visitor === undefined ? undefined : "refused" in visitor ? visitor.who : visitor.account;
    return (who === undefined || who.startsWith("address:")) && !this.#context.told.take();
  }

  /**
   * The answer to who may not know of its private Space, who learns nothing of it; and to who may, where that is as busy as it may be: a
   * private Space's bounds are told to nobody else. Undefined where the request goes on, or its refusal is no secret.
   */
  turnsAway(visitor: Visitor | IdentityRefusal): (() => void) | undefined {
    const { route, upgrade, response, turnAway } = this.#accepted;
    if (route.private !== true) return undefined;
    if ("refused" in visitor) {
      const { refused, detail, hidden } = visitor;
      return () => (hidden === true ? turnAway("route/no-such-space", {}) : turnAway(refused, { detail }));
    }
    const entered = this.#context.guard.enter({ space: route.space, limits: route.limits, address: undefined });
    if (!entered.ok) return () => turnAway(entered.code, entered);
    (upgrade?.socket ?? response).once("close", entered.leave);
    return undefined;
  }

  /** What is open in a private Space, or by a session: why its visitor may be there no longer; undefined where there is nothing to be asked or said. */
  again(now: number, visitor: Visitor | IdentityRefusal | undefined): Promise<IdentityRefusal | undefined> | undefined {
    if (now - this.#askedAt <= admittedAgainMs) return undefined;
    this.#askedAt = now;
    const { space, owner } = this.#accepted.route;
    if (visitor === undefined || "refused" in visitor) return undefined;
    const isPrivate = this.#context.directory.isPrivate(space);
    return isPrivate || visitor.billedBy === "session" ? this.#over({ space, owner, private: isPrivate }) : undefined;
  }

  async #over(to: Asked): Promise<IdentityRefusal | undefined> {
    const again = await this.ask(to);
    // Nobody can tell for the moment: it was let in.
    return "refused" in again && again.refused !== "route/control-down" ? again : undefined;
  }
}
