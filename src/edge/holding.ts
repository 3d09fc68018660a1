/** A request that is held while its Space wakes up: whoever wakes it is told when nobody waits any more, and a browser sees how it goes on. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ProblemReply } from "../http/reply.ts";
import type { EdgeContext } from "./context.ts";
import { wakingMarginMs, wakingPageAfterMs, wakingStatus } from "./limits.ts";
import type { SpaceRoute } from "./ports.ts";
import type { Story } from "./story.ts";
import type { Telling } from "./telling.ts";
import { opensPage, WakingPage, wakingOf } from "./waking-page.ts";

export interface Held {
  readonly context: Pick<EdgeContext, "directory" | "limits">;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly story: Story;
  readonly telling: Pick<Telling, "pageShown" | "pageOpened">;
  /** What the directory was asked by. */
  readonly asked: string;
  readonly isUpgrade: boolean;
  /** What a page of it begins with. */
  reply(): ProblemReply;
}

export class Holding {
  readonly #held: Held;
  readonly #gone = new AbortController();
  /** For nobody else it is asked at each sweep how the start goes on. */
  readonly #wantsPage: boolean;
  #page: WakingPage | undefined;

  constructor(held: Held) {
    this.#held = held;
    this.#wantsPage = !held.isUpgrade && opensPage(held.request);
  }

  /** Resolves when the Space answers, or will not. */
  wake(space: string, account: string | null): Promise<SpaceRoute | undefined> {
    return this.#held.context.directory.wake(space, account, this.#gone.signal);
  }

  /** It waits no more. */
  end(): void {
    this.#gone.abort();
  }

  /** What its visitor has read already; undefined where nothing. */
  get status(): number | undefined {
    return this.#page === undefined ? undefined : wakingStatus;
  }

  /** Looked at every sweep. Says how long it was held where that is long enough. */
  look(now: number): string | undefined {
    const { context, story } = this.#held;
    const heldMs = now - (story.wakeAt ?? now);
    const startMs = this.#wantsPage && heldMs > wakingPageAfterMs ? this.#show(now) : 0;
    const withinMs = Math.max(context.limits.wakeWithinMs, startMs);
    return heldMs > withinMs ? `It was held for ${withinMs / 1000} s.` : undefined;
  }

  /** The Space answers. True where its page asks for the app, by a request of its own: this one is over. */
  opens({ state }: SpaceRoute): boolean {
    if (this.#page === undefined) return false;
    this.#held.telling.pageOpened();
    this.#page.opens(state.kind === "running" ? state.wokeMs : undefined);
    return true;
  }

  /** Ends its page with this; false where there is none. */
  fails(reply: ProblemReply): boolean {
    this.#page?.fails(reply);
    return this.#page !== undefined;
  }

  /** Its page as it is now, which is begun where there is none. Who sees how it goes on may wait for as long as it may take: gives how long. */
  #show(now: number): number {
    const { context, response, story, telling, asked } = this.#held;
    const waking = wakingOf(context.directory.find(asked));
    if (this.#page === undefined) {
      story.pageAt = now;
      telling.pageShown();
      this.#page = new WakingPage(response, this.#held.reply(), { waking, now });
    } else this.#page.look(waking, now);
    return (waking?.withinMs ?? 0) + wakingMarginMs;
  }
}
