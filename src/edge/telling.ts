/** Writes down what becomes of one request: entries before the visitor's answer where it ends badly, one packed record where it went well. */
import type { ProxyError } from "../contract/proxy-status.ts";
import type { Code } from "../evidence/codes.ts";
import { codeRow } from "../evidence/codes.ts";
import type { Draft } from "../evidence/entry.ts";
import type { Blamed } from "./blame.ts";
import type { EdgeContext } from "./context.ts";
import { wakingStatus } from "./limits.ts";
import {
  deliverDraft,
  failedDraft,
  handedDraft,
  longEndDrafts,
  openingDrafts,
  packed,
  pageShownDraft,
  routedDraft,
  wokenDraft,
} from "./story.ts";
import type { Story } from "./story.ts";

type Why = Pick<Blamed, "cause" | "asked"> & { readonly error: ProxyError };

export class Telling {
  readonly #context: Pick<EdgeContext, "clock" | "emitter">;
  readonly #story: Story;

  constructor(context: Pick<EdgeContext, "clock" | "emitter">, story: Story) {
    this.#context = context;
    this.#story = story;
  }

  /** Entries of a request that stays open: should this process die, they say what it was carrying. */
  open(): void {
    const { hand } = this.#story;
    if (hand === undefined) return;
    this.#write([...this.#openings(), handedDraft(this.#story, hand, false)]);
    this.#story.opened = true;
  }

  /** How far it came, where what follows is still to be found out. */
  cameSoFar(): void {
    this.#write([...this.#openings(), ...this.#closedHandOver()]);
  }

  /** Its visitor gets a page of ours that shows how its Space wakes up. */
  pageShown(): void {
    this.#write([...this.#openings(), pageShownDraft(this.#story, this.now)]);
    this.#story.opened = true;
  }

  /** Its Space is awake, and that page asks for the app. */
  pageOpened(): void {
    this.#write([
      ...wokenDraft(this.#story),
      deliverDraft(this.#story, "done", this.now, { status: wakingStatus, answeredBy: "edge" }),
    ]);
  }

  /** It goes to another replica, and entries of the first one are written already. */
  moved(): void {
    if (this.#story.opened) this.#write([routedDraft(this.#story)]);
  }

  /** Another attempt is the one to tell of: `story.hand` is that one's. */
  handedBefore(): void {
    this.#write(this.#closedHandOver());
  }

  delivered(): void {
    const { now } = this;
    if (this.#story.opened) this.#write(longEndDrafts(this.#story, now));
    else this.#context.emitter.pack(packed(this.#story, now));
  }

  visitorLeft(): void {
    const { pageAt } = this.#story;
    const status = this.#story.status ?? (pageAt === undefined ? null : wakingStatus);
    const answeredBy = status === null ? null : pageAt === undefined ? "app" : "edge";
    this.cameSoFar();
    this.#write([deliverDraft(this.#story, "failed", this.now, { code: "route/visitor-left", status, answeredBy })]);
  }

  /** By the edge; `drafts`: the entries of the hop that refused it. */
  refused(code: Code, status: number, drafts: readonly Draft[] = []): void {
    this.#write([
      ...this.#openings(),
      ...drafts,
      ...this.#closedHandOver(),
      deliverDraft(this.#story, "refused", this.now, { code, status, answeredBy: "edge" }),
    ]);
  }

  /** On the app's side, after {@link cameSoFar}. */
  failed(hop: Parameters<typeof failedDraft>[1], code: Code, why: Why): void {
    const { cause, asked, error } = why;
    const gone = "errno" in cause || cause.kind === "invalid" ? cause : undefined;
    this.#write([failedDraft(this.#story, hop, code, { gone, asked, error }), this.#ended(code, codeRow(code).status)]);
  }

  /** Ended in the middle of it by the edge: it closes, or a time is over. */
  cutOff(code: Code, says: string | undefined, ownStatus: number): void {
    this.cameSoFar();
    this.#write([this.#ended(code, ownStatus, says)]);
  }

  get now(): number {
    return this.#context.clock.monotonic();
  }

  /** What the visitor has of the app's answer stays what they have. */
  #ended(code: Code, ownStatus: number, says?: string): Draft {
    const { status } = this.#story;
    const answered =
      status === undefined
        ? { status: ownStatus, answeredBy: "edge" as const }
        : { status, answeredBy: "app" as const };
    return deliverDraft(this.#story, "failed", this.now, { code, ...answered, ...(says !== undefined && { says }) });
  }

  #openings(): Draft[] {
    return this.#story.opened ? [] : openingDrafts(this.#story);
  }

  #closedHandOver(): Draft[] {
    return this.#story.hand === undefined ? [] : [handedDraft(this.#story, this.#story.hand, true)];
  }

  #write(drafts: readonly Draft[]): void {
    this.#context.emitter.writeAll(drafts);
  }
}
