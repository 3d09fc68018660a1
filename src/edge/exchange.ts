/**
 * One request from the moment the edge has accepted it: identity, route, hand-over, answer, evidence.
 *
 *   resolve → route → connect → send ⇄ answer → delivered          (one packed record)
 *   any step → refused | failed | left                             (entries, written before the visitor's answer)
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Break } from "../http/page.ts";
import type { ProblemReply } from "../http/reply.ts";
import { codeRow, type Code } from "../evidence/codes.ts";
import type { Draft } from "../evidence/entry.ts";
import { instant } from "../stdx/time.ts";
import { accountFieldOf } from "./account-field.ts";
import { Admission, stopsAt } from "./admission.ts";
import { reuseOf, storyOf, versionOf, type Accepted, type Begun, type UpgradeEnd } from "./accepted.ts";
import { answerOwn, breakOff, drain, dropRest, ownReply, type OwnAnswer } from "./answers.ts";
import { ask } from "./ask.ts";
import { blame, certaintyOf, type Attempt, type Blamed } from "./blame.ts";
import type { EdgeContext } from "./context.ts";
import { endedByApp } from "./closed-end.ts";
import { Delivery } from "./delivery.ts";
import { listenerOf, type Listener, type Speaking } from "./gradio/listener.ts";
import { gradioRoute } from "./gradio/routes.ts";
import { echoedRequestId, isLast, passedHeaders, switchingHead, upstreamHead, visitorHeaders } from "./headers.ts";
import type { AnswerAdditions } from "./headers.ts";
import { Holding } from "./holding.ts";
import { hopTo, type Hop } from "./hop.ts";
import {
  earlyBodyWithinMs,
  least,
  loopSays,
  openEntriesAfterMs,
  timeSays,
  wakeRetryMs,
  wakingStatus,
} from "./limits.ts";
import type { CookieJar } from "./jar.ts";
import type { Origin } from "./origin.ts";
import { Placing } from "./placing.ts";
import { visitorKey, type Pool, type Reuse, type Waiter } from "./pool.ts";
import { proxyErrorIn } from "./proxy-error.ts";
import type { IdentityRefusal, Replica, SpaceRoute, Visitor } from "./ports.ts";
import type { ResponseHead } from "./response.ts";
import type { Screened } from "./screen.ts";
import { routeRefusedDraft, wakeFailedDraft, type Story } from "./story.ts";
import { Telling } from "./telling.ts";
import { passedTrailers, trailerLines } from "./trailers.ts";
import { Timing } from "./timing.ts";
import { tunnel } from "./tunnel.ts";
import { nowhere, type Carried } from "./under-way.ts";
import type { Gone, Upstream, UpstreamUser } from "./upstream.ts";
import { failureCode, isLineLost, tookNothing, type Cause } from "./verdicts.ts";

type Manner = Pick<OwnAnswer, "detail" | "retryAfterMs" | "status" | "close" | "error" | "certainty">;

export class Exchange implements UpstreamUser, Waiter, Carried {
  readonly work: string;
  place = nowhere;
  reuse: Reuse;
  /** Nothing more may happen to it: the outcome is decided and told, or being told. */
  over = false;
  readonly #context: EdgeContext;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #delivery: Delivery;
  readonly #screened: Screened;
  readonly #origin: Origin;
  readonly #asked: string;
  readonly #jar: CookieJar | undefined;
  readonly #route: SpaceRoute;
  readonly #upgrade: UpgradeEnd | undefined;
  readonly #admission: Admission;
  readonly #requestId: string;
  readonly #story: Story;
  readonly #telling: Telling;
  readonly #placing: Placing;
  #timing: Timing | undefined;
  #pool: Pool | undefined;
  #upstream: Upstream | undefined;
  /** Over which line to the replica's node the attempt began. */
  #line: number | undefined;
  #waiting = false;
  #holding: Holding | undefined;
  #tunnelled = false;
  /** Its connection has failed, and whether that was the line to its node is being asked. */
  #settling = false;
  /** Its body is read since then, and says where it goes. */
  #readingSince: number | undefined;
  #bodyDone = false;
  #bodyBytes = 0;
  /** Last time the app took or gave something. */
  #progressAt: number;
  /** What the connection had brought before this request. */
  #receivedBefore = 0;
  #switching: ResponseHead | undefined;
  /** The attempt before this one, which broke without a byte of answer. */
  #earlier: Attempt | undefined;
  /** Hears what passes, where it is one of Gradio's requests. */
  #listener: Listener | undefined;

  /** `begun`: by the direct way, which it leaves here. */
  constructor(context: EdgeContext, accepted: Accepted, begun?: Begun) {
    const { request, response, screened, origin, asked, jar, route, upgrade, inside } = accepted;
    const now = context.clock.monotonic();
    this.work = begun?.story.work ?? context.drawn.requestId();
    this.#context = context;
    this.#request = request;
    this.#response = response;
    this.#delivery = new Delivery(response);
    this.#screened = screened;
    this.#origin = origin;
    this.#asked = asked;
    this.#jar = jar;
    this.#route = route;
    this.#upgrade = upgrade;
    this.#admission = new Admission(context, accepted);
    this.#progressAt = now;
    this.#requestId = echoedRequestId(screened.requestId, this.work);
    this.reuse = reuseOf(accepted);
    this.#story =
      begun?.story ?? storyOf(accepted, { work: this.work, startedAt: context.clock.wall(), acceptedAt: now });
    this.#telling = new Telling(context, this.#story);
    this.#placing = new Placing(context, {
      space: route.space,
      method: this.#story.method,
      screened,
      address: inside?.replica ?? origin.address,
      secure: origin.proto === "https",
      inside: inside !== undefined,
      jar,
    });
    if (begun === undefined) return;
    this.#pool = begun.pool;
    this.#upstream = begun.upstream;
    this.#line = begun.line;
    this.#receivedBefore = begun.receivedBefore;
    this.#bodyDone = true;
    this.#follow();
  }

  #follow(): void {
    this.#context.active.add(this);
    this.#response.on("close", () => this.onResponseClosed());
    // Writing to a visitor who has just left: the close that follows says so.
    this.#response.on("error", () => this.#response.destroy());
  }

  /** `resolved`: who asks, where that was asked for already. */
  start(resolved = this.#admission.ask()): void {
    this.#follow();
    if (!(resolved instanceof Promise)) return this.#onIdentity(resolved);
    resolved.then((visitor) => this.#onIdentity(visitor)).catch((error: unknown) => this.#onBug(error));
  }

  // ---- the way to the app

  #onIdentity(visitor: Visitor | IdentityRefusal): void {
    if (this.over) return;
    this.#story.visitor = visitor;
    this.#story.resolvedAt = this.#now;
    const away = this.#admission.turnsAway(visitor);
    if (away !== undefined) {
      this.#abandon();
      // The Space's owner reads what was refused there, and why.
      if ("refused" in visitor && !this.#admission.isOnlyCounted(visitor.refused, this.#story))
        this.#telling.refused(visitor.refused, codeRow(visitor.refused).status);
      return away();
    }
    if ("refused" in visitor) return this.#refuse(visitor.refused, stopsAt(visitor), { detail: visitor.detail });
    if (this.#context.isLoop(this.#screened.cdnLoop)) {
      const drafts = [routeRefusedDraft(this.#story, "route/loop", loopSays)];
      return this.#refuse("route/loop", "edge", { detail: loopSays, drafts, certainty: "likely" });
    }
    this.#context.directory.used(this.#route.space);
    this.#toRoute(visitor);
  }

  /** Where its Space is now: while it was found out who asks, a replica may have been told to end. */
  #toRoute(visitor: Visitor): void {
    const hop = hopTo(this.#context.directory.find(this.#asked) ?? this.#route);
    if (hop.kind === "wake") return this.#wake(hop.route, visitor);
    this.#onRoute(hop);
  }

  /** It is asleep: held until it answers, or will not. What is left of the request waits at the visitor's side. */
  #wake({ space }: SpaceRoute, visitor: Visitor): void {
    this.#story.wakeAt = this.#now;
    delete this.#story.wokenAt;
    this.#holding = new Holding({
      ...{ context: this.#context, request: this.#request, response: this.#response, asked: this.#asked },
      ...{ story: this.#story, telling: this.#telling, isUpgrade: this.#upgrade !== undefined },
      reply: () => this.#own("route/waking", { retryAfterMs: wakeRetryMs, stoppedAt: "edge", status: wakingStatus }),
    });
    const woken = this.#holding.wake(space, visitor.user);
    woken.then((route) => this.#onWoken(route)).catch((error: unknown) => this.#onBug(error));
  }

  #onWoken(route: SpaceRoute | undefined): void {
    if (this.over) return;
    const hop = route && hopTo(route);
    if (hop?.kind === "forward") {
      this.#story.wokenAt = this.#now;
      return this.#holding?.opens(hop.route) === true ? this.#finish() : this.#onRoute(hop);
    }
    const refused =
      hop?.kind === "refuse" ? hop : { code: "route/waking" as const, says: undefined, retryAfterMs: undefined };
    this.#notWoken(refused.code, refused.says, refused.retryAfterMs);
  }

  #notWoken(code: Code, says: string | undefined, retryAfterMs: number | undefined): void {
    this.#refuse(code, "edge", {
      detail: says,
      retryAfterMs,
      drafts: [wakeFailedDraft(this.#story, this.#now, code, says)],
    });
  }

  #onRoute(hop: Exclude<Hop, { kind: "wake" }>): void {
    if (hop.kind === "refuse") {
      return this.#refuse(hop.code, "edge", {
        detail: hop.says,
        retryAfterMs: hop.retryAfterMs,
        drafts: [routeRefusedDraft(this.#story, hop.code, hop.says)],
      });
    }
    const { framing } = this.#screened;
    if (framing.kind === "length" && framing.bytes > this.#bodyMaxBytes) return this.#refuseTooLarge();
    if (!this.#placing.wantsBody(hop.replicas)) return this.#place(hop.replicas);
    this.#readingSince = this.#now;
    this.#placing.readFirst(this.#request, () => this.#onEarlyBody());
  }

  /** It is known to whose session it belongs, or that this is not to be known: where it goes is looked up now. */
  #onEarlyBody(): void {
    if (this.over) return;
    this.#readingSince = undefined;
    const { visitor } = this.#story;
    if (visitor !== undefined && !("refused" in visitor)) this.#toRoute(visitor);
  }

  #place(replicas: readonly Replica[]): void {
    const gradio = this.#upgrade === undefined ? gradioRoute(this.#story.method, this.#screened.target) : undefined;
    const isStream = gradio?.kind === "stream" || gradio?.kind === "heartbeat";
    const replica = this.#placing.place(replicas, isStream);
    this.#story.replica = replica.id;
    this.#story.routedAt = this.#now;
    if (this.#placing.facts !== undefined) this.#story.placed = this.#placing.facts;
    if (gradio !== undefined) this.#listener = listenerOf(gradio, this.#story, this.#context.gradio, this.#speaking());
    this.#pool = this.#context.poolOf(replica);
    this.#connect();
  }

  #connect(): void {
    this.#waiting = true;
    this.#progressAt = this.#now;
    if (!this.#pool?.take(this)) this.#failLater({ kind: "connect-timeout", full: true });
  }

  get visitor(): string {
    const { visitor } = this.#story;
    return visitor !== undefined && "account" in visitor ? visitorKey(visitor.account, this.#origin.address) : "";
  }

  onConnection(upstream: Upstream): void {
    const { visitor, space = "" } = this.#story;
    if (visitor === undefined || "refused" in visitor) return;
    const { asksFor } = this.#placing;
    const now = instant(this.#context.clock.wall());
    this.#waiting = false;
    this.#upstream = upstream;
    this.#line = this.#context.line(this.#story.replica ?? "");
    this.#story.connectedAt = this.#progressAt = this.#now;
    const { framing } = this.#screened;
    const head = upstreamHead(this.#story.method, this.#screened, {
      request: this.work,
      requestId: this.#requestId,
      address: this.#origin.address,
      traceparent: this.#context.drawn.traceparent(),
      ipToken: this.#context.identity.mint({ space, request: this.work, visitor, asksFor, now }),
      proto: this.#origin.proto,
      version: versionOf(this.#request),
      deployment: this.#context.via,
      cdnLoop: this.#screened.cdnLoop,
    });
    const body = framing.kind !== "none";
    this.#receivedBefore = upstream.received;
    const { method } = this.#story;
    const last = isLast(method, this.#screened);
    const from = upstream.begin(this, head, { method, upgrade: this.#upgrade !== undefined, body, last });
    this.#story.hand = {
      channel: this.#context.channelTo(this.#story.replica ?? ""),
      number: upstream.name.connection,
      connection: upstream.id,
      from,
      to: upstream.sent,
    };
    if (body) this.#sendBody(upstream, framing.kind === "chunked");
    else this.#onSent(upstream);
  }

  #sendBody(upstream: Upstream, chunked: boolean): void {
    const request = this.#request;
    const onEnd = (): void => {
      if (this.over || this.#upstream !== upstream || !request.complete) return;
      upstream.endBody(chunked, chunked ? trailerLines(request.rawTrailers) : "");
      this.#onSent(upstream);
    };
    /** What it says is for whoever reads into memory that is used again: all of it has left, or all but what the app's connection waits with. */
    const onData = (bytes: Buffer): unknown => {
      if (this.over || this.#settling || this.#upstream !== upstream) return true;
      this.#bodyBytes += bytes.length;
      this.#story.received = this.#bodyBytes;
      this.#progressAt = this.#now;
      if (this.#bodyBytes > this.#bodyMaxBytes) return this.#refuseTooLarge();
      this.#listener?.onRequest?.(bytes);
      if (!upstream.writeBody(bytes, chunked)) request.pause();
      return this.#listener === undefined ? upstream.flushed : undefined;
    };
    this.#bodyBytes = 0;
    for (const bytes of this.#placing.early?.pieces ?? []) onData(bytes);
    if (this.#placing.early?.isWhole === true) return onEnd();
    request.on("data", onData).on("end", onEnd).resume();
  }

  #onSent(upstream: Upstream): void {
    this.#bodyDone = true;
    this.#progressAt = this.#story.sentAt = this.#now;
    if (this.#story.hand !== undefined) this.#story.hand.to = upstream.sent;
  }

  onDrain(): void {
    this.#progressAt = this.#now;
    this.#request.resume();
  }

  // ---- the app's answer

  get isThrough(): boolean {
    return this.#listener === undefined && this.#delivery.isThrough;
  }

  onInterim(status: number, rawHeaders: readonly string[]): void {
    // 100 was ours to send; the others are the app's (RFC 9110 §15.2).
    if (this.over || status === 100 || this.#response.headersSent || this.#request.httpVersion === "1.0") return;
    this.#response.writeInformation(status, passedHeaders(rawHeaders, this.#story.host, this.#jar));
  }

  onHead(head: ResponseHead): void {
    if (this.over) return;
    this.#story.status = head.status;
    this.#story.answeredAt = this.#now;
    if (head.status === 101) {
      this.#switching = head;
      return;
    }
    if (this.#upgrade !== undefined) dropRest(this.#upgrade.socket);
    this.#listener?.onHead(head);
    this.#response.writeHead(
      head.status,
      head.reason,
      visitorHeaders(head.rawHeaders, this.#story.host, this.#additions(head.status, head.rawHeaders), head.status),
    );
  }

  onBody(bytes: Buffer): void {
    if (this.over) return;
    this.#story.bytes += bytes.length;
    const passed = this.#listener?.pass?.(bytes) ?? bytes;
    this.#listener?.onBody?.(bytes);
    if (passed.length > 0) this.#delivery.take(passed, this.#upstream);
  }

  /** HTTP/1.0 ends an answer with its connection: what is added to one could be taken for the app's. */
  #speaking(): Speaking | undefined {
    if (this.#request.httpVersion === "1.0") return undefined;
    return {
      messages: this.#route.messages ?? "full",
      monotonic: () => this.#now,
      insert: (bytes) => {
        if (this.over || !this.#response.headersSent || this.#response.writableNeedDrain) return false;
        this.#delivery.take(bytes, undefined);
        this.#delivery.flush(undefined);
        return true;
      },
    };
  }

  onPause(): void {
    if (!this.over && this.#story.status !== undefined) this.#delivery.flush(this.#upstream);
  }

  onTrailers(rawTrailers: readonly string[]): void {
    if (!this.over) this.#response.addTrailers(passedTrailers(rawTrailers));
  }

  onEnd(): void {
    if (this.over) return;
    this.#upstream = undefined;
    const rest = this.#listener?.rest?.();
    if (rest !== undefined && rest.length > 0) this.#delivery.take(rest, undefined);
    this.#delivery.end();
    if (!this.#bodyDone) drain(this.#request);
  }

  onClosedEnd(): void {
    this.#confirmEnd(this.#upstream).catch((error: unknown) => this.#onBug(error));
  }

  async #confirmEnd(upstream: Upstream | undefined): Promise<void> {
    if (this.over || upstream === undefined || this.#pool === undefined) return;
    const broken: Gone = { kind: "broken", errno: null };
    const isWhole = !this.#lineLost(broken) && (await endedByApp(this.#pool.replica.socket, upstream, this.#bodyDone));
    if (this.over) return;
    if (isWhole) this.onEnd();
    else this.#failLater(broken);
  }

  onUpgraded(first: Buffer): void {
    const { socket, first: fromVisitor } = this.#upgrade as UpgradeEnd;
    const upstream = this.#upstream as Upstream;
    const switching = this.#switching?.rawHeaders ?? [];
    this.#tunnelled = true;
    this.#response.detachSocket(socket);
    tunnel({
      visitor: socket,
      fromVisitor,
      upstream,
      fromApp: first,
      head: switchingHead(switching, this.#story.host, this.#additions(101, switching)),
      onCount: (direction, bytes) => {
        if (direction === "to-visitor") this.#story.bytes += bytes;
        else {
          this.#story.received += bytes;
          if (this.#story.hand !== undefined) this.#story.hand.to += bytes;
        }
      },
      onClosed: (end) => this.#onTunnelClosed(end),
    });
  }

  onGone(gone: Gone): void {
    if (this.over) return;
    const upstream = this.#upstream;
    const silent = gone.kind === "broken" && upstream !== undefined && upstream.received === this.#receivedBefore;
    if (silent && upstream.uses > 1 && this.reuse === "any" && this.#story.retried === 0) {
      // RFC 9110 §9.2.2: it met a kept connection that was just being closed, and may be sent twice.
      this.#story.retried = 1;
      this.#earlier = { name: upstream.name, hand: this.#story.hand, gone };
      this.reuse = "never";
      this.#upstream = undefined;
      return this.#connect();
    }
    this.#failLater(gone);
  }

  // ---- the ends

  onResponseClosed(): void {
    if (this.#tunnelled) return;
    if (!this.over && this.#story.status !== undefined && this.#response.writableFinished) return this.#delivered();
    if (!this.over) this.#visitorLeft();
  }

  #delivered(): void {
    this.#finish();
    if (this.#listener?.onDelivered?.() !== true) this.#telling.delivered();
  }

  #visitorLeft(): void {
    const handed = this.#story.hand !== undefined;
    this.#abandon();
    const leaving = this.#listener?.onVisitorLeft?.() ?? "left";
    if (leaving === "followed") return;
    if (leaving === "delivered") {
      this.#story.more = { closedBy: "visitor" };
      return this.#telling.delivered();
    }
    this.#telling.visitorLeft();
    if (handed) this.#context.onVisitorGone(this.work);
  }

  /** Refused by us, before the app was asked or without it. */
  #refuse(code: Code, stoppedAt: Break, how: Manner & { readonly drafts?: readonly Draft[] }): void {
    this.#abandon();
    this.#listener?.onBroken?.(code);
    if (this.#admission.isOnlyCounted(code, this.#story)) return this.#admission.turnAway(code, how);
    this.#telling.refused(code, this.#statusOf(code, how.status), how.drafts);
    this.#answer(code, stoppedAt, how);
  }

  #refuseTooLarge(): void {
    this.#refuse("route/too-large", "edge", { detail: `A request's body may have ${this.#bodyMaxBytes} bytes here.` });
  }

  get #bodyMaxBytes(): number {
    return least(this.#context.limits.bodyMaxBytes, this.#route.limits?.bodyMaxBytes);
  }

  /** The parser found the rest of the request wrong, or waited for it too long. False where the answer is to be as at a name that is nobody's. */
  malformed(detail: string, status: number): boolean {
    if (this.#admission.isUntold(this.#story.visitor)) {
      this.#abandon();
      if (!this.#admission.isOnlyCounted("route/malformed", this.#story))
        this.#telling.refused("route/malformed", status);
      return false;
    }
    this.#refuse("route/malformed", "visitor", { detail, status, close: true });
    return true;
  }

  #failLater(cause: Cause): void {
    this.#fail(cause).catch((error: unknown) => this.#onBug(error));
  }

  /** The attempt is closed, the shim is asked, the entries are written, then the visitor is told. */
  async #fail(saw: Cause): Promise<void> {
    if (saw.kind === "broken" || saw.kind === "unreachable") {
      const settled = this.#context.lineSettled(this.#story.replica ?? "");
      if (settled !== undefined) {
        this.#settling = true;
        await settled;
        this.#settling = false;
        // Its visitor left meanwhile.
        if (this.over) return;
      }
    }
    const name = this.#upstream?.name;
    const begun = (this.#upstream?.received ?? 0) > this.#receivedBefore;
    const cause = this.#lineLost(saw) ? ({ kind: "node-away" } as const) : saw;
    if (cause.kind === "unreachable" || cause.kind === "node-away") this.#context.shun(this.#story.replica ?? "");
    const others = this.#others(saw);
    if (others.length === 0) this.#abandon();
    else {
      this.#detach();
      this.#upstream = undefined;
    }
    // What was written to a socket that never opened was handed to nobody.
    if (saw.kind === "unreachable") delete this.#story.hand;
    if (others.length === 0) this.#telling.cameSoFar();
    const told = await blame({ cause, name, earlier: this.#earlier }, (of) =>
      ask((this.#pool as Pool).replica.socket, of, this.work),
    );
    if (others.length > 0) {
      // Its visitor left meanwhile.
      if (this.over) return;
      if (this.#reachedNobody(told)) return this.#move(others);
      this.#finish();
      this.#telling.cameSoFar();
    }
    if (told.hand !== undefined) {
      this.#story.hand = told.hand;
      this.#telling.handedBefore();
    }
    const { code, hop } = failureCode(told.cause, told.asked);
    const error = proxyErrorIn(code, told.cause, begun);
    this.#listener?.onBroken?.(code);
    this.#telling.failed(hop, code, { ...told, error });
    const stoppedAt = cause.kind === "node-away" ? "edge" : "app";
    if (this.#story.status === undefined) this.#answer(code, stoppedAt, { error, certainty: certaintyOf(told) });
    else breakOff(this.#request, this.#response);
  }

  /** Replicas that may be given what this one may not have got: nothing of an answer came, and all of the request is here. */
  #others(saw: Cause): readonly Replica[] {
    const { visitor } = this.#story;
    const isOpen = this.#story.status === undefined && visitor !== undefined && !("refused" in visitor);
    if (!isOpen || (saw.kind !== "unreachable" && saw.kind !== "broken") || !this.#placing.mayMove()) return [];
    if (this.#lineLost(saw) && (saw.kind === "broken" || this.#placing.isBound)) return [];
    this.#placing.passOver(this.#story.replica ?? "");
    const hop = hopTo(this.#context.directory.find(this.#asked) ?? this.#route);
    return hop.kind === "forward" ? hop.replicas.filter(({ id }) => !this.#placing.isPassedOver(id)) : [];
  }

  #reachedNobody({ cause, asked, hand }: Blamed): boolean {
    if (hand !== undefined) return false;
    return this.#story.hand === undefined || (cause.kind === "broken" && tookNothing(asked, this.#story.hand.from));
  }

  #move(others: readonly Replica[]): void {
    delete this.#story.hand;
    this.#earlier = undefined;
    this.#place(others);
    this.#telling.moved();
  }

  /** A connection breaks with the line that carries it; one that waited in vain for a line finds none. */
  #lineLost({ kind }: Cause): boolean {
    if (this.#upstream === undefined || (kind !== "broken" && kind !== "unreachable")) return false;
    return isLineLost(this.#line, this.#context.line(this.#story.replica ?? ""));
  }

  #answer(code: Code, stoppedAt: Break, how: Manner): void {
    if (this.#admission.isUntold(this.#story.visitor)) return this.#admission.turnAway(code, { detail: how.detail });
    const reply = this.#own(code, { ...how, stoppedAt, status: this.#statusOf(code, how.status) });
    if (this.#holding?.fails(reply) !== true) answerOwn(this.#request, this.#response, reply);
  }

  #own(code: Code, how: Manner & Pick<OwnAnswer, "stoppedAt">): ProblemReply {
    const close = how.close === true || this.#upgrade !== undefined;
    const account = accountFieldOf(this.#story.visitor);
    return ownReply(this.#context, { ...how, work: this.work, requestId: this.#requestId, account, code, close });
  }

  #statusOf(code: Code, narrower?: number): number {
    return this.#holding?.status ?? narrower ?? codeRow(code).status;
  }

  /** Looked at every sweep: what waited too long, and what has been open long enough to be written down. */
  sweep(now: number): void {
    if (this.over || this.#settling) return;
    const { limits } = this.#context;
    const passed = this.#story.bytes + this.#bodyBytes + (this.#story.hand?.to ?? 0);
    this.#timing ??= new Timing(limits, this.#route.limits, this.#story.acceptedAt);
    const over = this.#timing.over(now, { passed, hasBegun: this.#story.status !== undefined });
    if (over !== undefined) return this.#cutOff(over.code, timeSays[over.code](over.limitMs));
    const again = this.#admission.again(now, this.#story.visitor);
    again?.then((gone) => gone && !this.over && this.#cutOff(gone.refused, gone.detail), this.#onBug.bind(this));
    const quiet = now - this.#progressAt;
    if (this.#readingSince !== undefined && now - this.#readingSince > earlyBodyWithinMs) this.#placing.early?.stop();
    if (this.#holding !== undefined && this.#story.wokenAt === undefined) {
      const says = this.#holding.look(now);
      return says === undefined ? undefined : this.#notWoken("route/waking", says, wakeRetryMs);
    }
    if (this.#waiting && quiet > limits.connectWithinMs)
      return this.#failLater({ kind: "connect-timeout", full: true });
    const upstream = this.#upstream;
    if (upstream !== undefined && this.#story.status === undefined) {
      const ours = this.#bodyDone || !upstream.flushed;
      if (ours && quiet > limits.responseWithinMs)
        return this.#failLater({ kind: "response-timeout", unread: !upstream.flushed });
    }
    if (!this.#story.opened && now - this.#story.acceptedAt > openEntriesAfterMs) this.#telling.open();
  }

  /** The edge is closing: what is still open is broken, and said to be. */
  breakOff(): void {
    if (!this.over) this.#cutOff("route/control-down", undefined);
  }

  #cutOff(code: Code, says: string | undefined): void {
    const cut = this.#story.status !== undefined;
    this.#abandon();
    if (code !== "route/control-down") this.#listener?.onBroken?.(code);
    this.#telling.cutOff(code, says, this.#statusOf(code));
    if (cut || this.#tunnelled) breakOff(this.#request, this.#response);
    else this.#answer(code, "edge", { detail: says, close: true });
    if (this.#tunnelled) this.#upgrade?.socket.destroy();
  }

  #onTunnelClosed(end: { readonly by: "visitor" | "app"; readonly errno: string | undefined }): void {
    if (this.over) return;
    if (end.errno === undefined) return this.#delivered();
    if (end.by === "visitor") return this.#visitorLeft();
    this.#failLater({ kind: "broken", errno: end.errno });
  }

  /** Something of ours threw: the visitor is not left waiting, and whoever runs the edge is told. */
  #onBug(error: unknown): void {
    this.#context.onError(error);
    if (this.over) this.#response.destroy();
    else this.#refuse("route/control-down", "edge", { detail: "The platform could not carry this request." });
  }

  #abandon(): void {
    this.#finish();
    this.#detach();
  }

  #detach(): void {
    if (this.#waiting) this.#pool?.forget(this);
    if (this.#upstream !== undefined && this.#story.hand !== undefined && !this.#tunnelled)
      this.#story.hand.to = this.#upstream.sent;
    this.#upstream?.destroy();
  }

  #finish(): void {
    this.over = true;
    this.#holding?.end();
    this.#placing.release();
    this.#context.active.delete(this);
  }

  #additions(status: number, rawHeaders: readonly string[]): AnswerAdditions {
    return {
      request: this.work,
      requestId: this.#requestId,
      proxyStatus: this.#context.receivedStatus(status),
      deployment: this.#context.via,
      account: accountFieldOf(this.#story.visitor, rawHeaders),
      ofSpace: this.#pool?.replica.headers,
      cookie: this.#placing.cookie(rawHeaders),
      jar: this.#jar,
    };
  }

  get #now(): number {
    return this.#context.clock.monotonic();
  }
}
