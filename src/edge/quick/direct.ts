/**
 * The direct way, of what is asked most: a plain GET of somebody who is known at once, to the one replica of a running Space, on a
 * connection that was kept. What is the same of all such requests of a visitor's connection, or of all answers on a replica's, is made
 * once. As long as its answer comes in one piece a request stays on this way; whatever else happens, it goes on as an exchange.
 */
import { isHandOver } from "../../contract/hand-over.ts";
import type { Instant } from "../../stdx/time.ts";
import { accountFieldOf } from "../account-field.ts";
import type { Accepted } from "../accepted.ts";
import type { EdgeContext } from "../context.ts";
import { Exchange } from "../exchange.ts";
import { gradioRoute } from "../gradio/routes.ts";
import { ownParts, shownHead } from "../headers.ts";
import type { Pool } from "../pool.ts";
import type { Replica, SpaceRoute, Visitor, VisitorIdentity } from "../ports.ts";
import { targetFacts } from "../redact.ts";
import type { ResponseHead } from "../response.ts";
import { packed } from "../story.ts";
import type { Story } from "../story.ts";
import { nowhere } from "../under-way.ts";
import type { Carried } from "../under-way.ts";
import type { Gone, Upstream, UpstreamUser } from "../upstream.ts";
import type { QuickRequest, QuickResponse } from "./ends.ts";
import type { Said, Sayings } from "./said.ts";

export interface DirectPorts {
  /** What its head says; undefined where nothing that says so is for this way. */
  readonly saidBy: (request: QuickRequest) => Said | undefined;
  /** Of a request that is to be an exchange. */
  readonly accepted: (request: QuickRequest, response: QuickResponse, said: Said, route: SpaceRoute) => Accepted;
}

type Resolved = ReturnType<VisitorIdentity["resolve"]>;

/** What every request of this way is to its connection. */
const plainGet = { method: "GET", upgrade: false, body: false, last: false };

export class DirectWay {
  readonly context: EdgeContext;
  readonly ports: DirectPorts;
  #second = Number.NaN;
  #date = "";

  constructor(context: EdgeContext, ports: DirectPorts) {
    this.context = context;
    this.ports = ports;
  }

  /** False where it is not for this way, and nothing has happened with it. */
  take(request: QuickRequest, response: QuickResponse, sayings: Sayings): boolean {
    const { context } = this;
    if (context.isDraining || !isPlain(request)) return false;
    const said = sayings.of(request, this.ports.saidBy);
    if (said === undefined) return false;
    const route = context.directory.find(said.asked);
    if (route === undefined || route.private === true || route.state.kind !== "running") return false;
    const { replicas } = route.state;
    const [replica] = replicas;
    if (replica === undefined || replicas.length > 1) return false;
    const { space, limits } = route;
    const entered = context.guard.enter({ space, limits, address: said.origin.address });
    if (!entered.ok) return false;
    response.once("close", entered.leave);
    // Behind the limits: who somebody is may have to be looked up.
    const visitor = context.identity.resolve(said.credentialsTo(route));
    const kept = this.#kept(said, replica, visitor);
    if (kept === undefined) {
      new Exchange(context, this.ports.accepted(request, response, said, route)).start(visitor);
      return true;
    }
    kept.pool.use(kept.upstream);
    context.directory.used(space);
    new DirectRequest(this, { request, response, said, route, replica, ...kept }).start();
    return true;
  }

  /** Undefined where it is not known at once who asks, or nothing is kept for who does. */
  #kept(said: Said, replica: Replica, visitor: Resolved): Kept | undefined {
    if (visitor instanceof Promise || "refused" in visitor) return undefined;
    const pool = this.context.poolOf(replica);
    const upstream = pool.kept(said.visitor(visitor), "any");
    return upstream && { visitor, pool, upstream };
  }

  /** The line that says when: RFC 9110 §6.6.1. */
  get date(): string {
    const wall = this.context.clock.wall();
    const second = Math.floor(wall / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#date = `Date: ${new Date(wall).toUTCString()}\r\n`;
    }
    return this.#date;
  }
}

/** Nothing of it is the platform's own, nor does a session or an event of Gradio's show in it. */
function isPlain({ method, url }: QuickRequest): boolean {
  return (
    method === "GET" && !isHandOver(url) && !url.includes("session_hash=") && gradioRoute(method, url) === undefined
  );
}

interface Kept {
  readonly visitor: Visitor;
  readonly pool: Pool;
  readonly upstream: Upstream;
}

interface Taken extends Kept {
  readonly request: QuickRequest;
  readonly response: QuickResponse;
  readonly said: Said;
  readonly route: SpaceRoute;
  readonly replica: Replica;
}

class DirectRequest implements UpstreamUser, Carried {
  place = nowhere;
  /** Its answer comes in one piece, or is an exchange's. */
  readonly isThrough = false;
  readonly #way: DirectWay;
  readonly #taken: Taken;
  readonly #story: Story;
  readonly #line: number | undefined;
  readonly #receivedBefore: number;
  /** Of the answer, nothing of which is the visitor's yet. */
  #head: ResponseHead | undefined;
  #body: Buffer | undefined;
  /** The answer is written. */
  #answered = false;
  /** It is delivered, or an exchange by now. */
  #over = false;

  constructor(way: DirectWay, taken: Taken) {
    const { context } = way;
    const { request, said, replica, visitor, upstream } = taken;
    const now = context.clock.monotonic();
    const { path, query } = targetFacts(request.url);
    this.#way = way;
    this.#taken = taken;
    this.#line = context.line(replica.id);
    this.#receivedBefore = upstream.received;
    this.#story = {
      work: context.drawn.requestId(),
      method: request.method,
      path,
      query,
      protocol: "HTTP/1.1",
      host: said.screened.host,
      trace: said.trace,
      startedAt: context.clock.wall(),
      acceptedAt: now,
      space: taken.route.space,
      visitor,
      resolvedAt: now,
      replica: replica.id,
      routedAt: now,
      connectedAt: now,
      hand: {
        channel: context.channelTo(replica.id),
        number: upstream.name.connection,
        connection: upstream.id,
        from: upstream.sent,
        to: upstream.sent,
      },
      sentAt: now,
      received: 0,
      bytes: 0,
      retried: 0,
      opened: false,
    };
  }

  start(): void {
    const { context } = this.#way;
    const { request, response, said, route, visitor, upstream } = this.#taken;
    const { work, startedAt, hand } = this.#story;
    context.active.add(this);
    response.on("close", () => this.#onResponseClosed());
    const own = ownParts({
      request: work,
      requestId: said.requestId(work),
      traceparent: context.drawn.traceparent(),
      ipToken: context.identity.mint({
        space: route.space,
        request: work,
        visitor,
        asksFor: undefined,
        now: startedAt as Instant,
      }),
    });
    upstream.beginWith(context.packet, this, ["GET ", request.url, said.lines, ...own], plainGet);
    if (hand !== undefined) hand.to = upstream.sent;
  }

  onHead(head: ResponseHead): void {
    // Without a length it is framed anew, by the exchange.
    if (!isWhole(head)) return this.#exchange().onHead(head);
    this.#story.answeredAt = this.#way.context.clock.monotonic();
    this.#head = head;
  }

  onBody(bytes: Buffer): void {
    if (this.#body === undefined) this.#body = bytes;
    else this.#exchange().onBody(bytes);
  }

  onEnd(): void {
    const head = this.#head as ResponseHead;
    const { response, said, replica, visitor, upstream } = this.#taken;
    const { context } = this.#way;
    const { work } = this.#story;
    const account = accountFieldOf(visitor, head.rawHeaders);
    const ofSpace = replica.headers;
    const { host } = said.screened;
    const add = { proxyStatus: context.receivedStatus(head.status), deployment: context.via, account, ofSpace };
    const shown = shownHead(upstream.shown, head, host, { ...add, jar: said.jar });
    upstream.shown = shown;
    this.#story.status = head.status;
    this.#story.bytes = this.#body?.length ?? 0;
    this.#answered = true;
    const date = shown.isDated ? "" : this.#way.date;
    const parts = [shown.before, said.requestId(work), "\r\nx-waybill-id: ", work, shown.after, date, "\r\n"];
    response.endAll(context.packet, parts, this.#body);
  }

  onPause(): void {
    this.#exchange().onPause();
  }

  onDrain(): void {
    // It has no body, and its head was written whole.
  }

  onInterim(status: number, rawHeaders: readonly string[]): void {
    this.#exchange().onInterim(status, rawHeaders);
  }

  onTrailers(rawTrailers: readonly string[]): void {
    this.#exchange().onTrailers(rawTrailers);
  }

  onUpgraded(first: Buffer): void {
    this.#exchange().onUpgraded(first);
  }

  onClosedEnd(): void {
    this.#exchange().onClosedEnd();
  }

  onGone(gone: Gone): void {
    this.#exchange().onGone(gone);
  }

  sweep(now: number): void {
    if (!this.#over) this.#exchange().sweep(now);
  }

  breakOff(): void {
    if (!this.#over) this.#exchange().breakOff();
  }

  #onResponseClosed(): void {
    if (this.#over) return;
    if (!this.#answered || !this.#taken.response.writableFinished) return this.#exchange().onResponseClosed();
    this.#leave();
    const { clock, emitter } = this.#way.context;
    emitter.pack(packed(this.#story, clock.monotonic()));
  }

  /** Goes on as one, which is told all that came so far. */
  #exchange(): Exchange {
    const { context, ports } = this.#way;
    const { request, response, said, route, pool, upstream } = this.#taken;
    this.#leave();
    const begun = {
      story: this.#story,
      pool,
      upstream: this.#answered ? undefined : upstream,
      line: this.#line,
      receivedBefore: this.#receivedBefore,
    };
    const exchange = new Exchange(context, ports.accepted(request, response, said, route), begun);
    if (!this.#answered) {
      upstream.passTo(exchange);
      if (this.#head !== undefined) exchange.onHead(this.#head);
      if (this.#body !== undefined) exchange.onBody(this.#body);
    }
    return exchange;
  }

  #leave(): void {
    this.#over = true;
    this.#way.context.active.delete(this);
  }
}

/** Its visitor gets the length from the app. */
function isWhole({ status, length }: ResponseHead): boolean {
  return length !== undefined || status === 204 || status === 304;
}
