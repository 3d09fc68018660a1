/** What the edge signs for, from what it knows of one request: a packed record where it went well, entries where it did not. Pure. */
import type { InsideCaller } from "../contract/egress.ts";
import type { ProxyError } from "../contract/proxy-status.ts";
import type { Code } from "../evidence/codes.ts";
import type { Draft, Facts, Hop, Json, Packed } from "../evidence/entry.ts";
import type { Asked } from "./ask.ts";
import { wakingStatus } from "./limits.ts";
import type { IdentityRefusal, Visitor } from "./ports.ts";
import type { Gone } from "./upstream.ts";

/** Grows as the request passes its hops. Times are milliseconds on the edge's monotonic clock. */
export interface Story {
  readonly work: string;
  readonly method: string;
  /** Without its query, and without what looks like a token. */
  readonly path: string;
  /** Without the values of what is named like a secret, or looks like one. */
  readonly query: string | undefined;
  /** `HTTP/1.0`, `HTTP/1.1`, `HTTP/2`, or `websocket`. */
  readonly protocol: string;
  readonly host: string;
  /** The caller's own trace, kept as a fact. */
  readonly trace: string | undefined;
  readonly startedAt: number;
  readonly acceptedAt: number;
  /** The replica that made it, where it came from inside. */
  inside?: InsideCaller;
  /** The trusted proxy that told who the visitor is, and what a PROXY header calls the connection. */
  proxy?: string;
  proxyId?: string;
  visitor?: Visitor | IdentityRefusal;
  resolvedAt?: number;
  space?: string;
  replica?: string;
  routedAt?: number;
  /** Why that replica, of several. */
  placed?: Facts;
  /** It was held since then, for its Space was asleep; and went on then. */
  wakeAt?: number;
  wokenAt?: number;
  /** Its visitor was shown a page of that since then. */
  pageAt?: number;
  connectedAt?: number;
  hand?: HandOver;
  /** The whole request was written. */
  sentAt?: number;
  /** The answer's head came. */
  answeredAt?: number;
  status?: number;
  /** Of the request's body, or of what the visitor sent through a tunnel. */
  received: number;
  /** Of the answer's body, as the app gave it, or of what went back through a tunnel. */
  bytes: number;
  /** Attempts before this one, on connections that broke without a byte of answer. */
  retried: number;
  /** Entries of its own are already written: it was open for long. */
  opened: boolean;
  /** What the edge itself said within the app's answer. */
  said?: Facts;
  /** What else is to be kept of it. */
  more?: Facts;
}

/** One hand-over to a replica: bytes `[from, to)` of a connection. */
export interface HandOver {
  /** `<emitter>/<epoch>→<replica>`. */
  readonly channel: string;
  /** The connection's number within the epoch. */
  readonly number: number;
  /** `<emitter>/<epoch>/<number>`. */
  readonly connection: string;
  readonly from: number;
  to: number;
}

/** The record of a request that the app answered whole. */
export function packed(
  story: Story,
  now: number,
): Pick<Packed, "work" | "kind" | "stages" | "facts"> & { readonly startedAt: number } {
  const { acceptedAt: t0, wokenAt } = story;
  const at = (moment: number | undefined): number => (moment ?? now) - t0;
  const stages: [Hop, number][] = [
    ["edge.accept", 0],
    ["identity.resolve", at(story.resolvedAt)],
    ["edge.route", at(story.routedAt)],
    ["edge.connect", at(story.connectedAt)],
    ["app.take", at(story.sentAt)],
    ["app.respond", at(story.answeredAt)],
    ["edge.deliver", now - t0],
  ];
  if (wokenAt !== undefined) stages.splice(3, 0, ["edge.wake", at(wokenAt)]);
  return {
    work: story.work,
    kind: "request",
    startedAt: story.startedAt,
    stages,
    facts: answeredFacts(story),
  };
}

/** Without a spread: each request that goes well has them. */
function answeredFacts(story: Story): Facts {
  const { hand, visitor, query, retried, trace } = story;
  const account = visitor !== undefined && "account" in visitor ? visitor : undefined;
  const facts: Record<string, Json> = { method: story.method, path: story.path };
  if (query !== undefined) facts["query"] = query;
  facts["host"] = story.host;
  facts["protocol"] = story.protocol;
  facts["space"] = story.space ?? null;
  facts["replica"] = story.replica ?? null;
  facts["status"] = story.status ?? null;
  facts["answeredBy"] = "app";
  facts["account"] = account?.account ?? null;
  facts["billedBy"] = account?.billedBy ?? null;
  facts["connection"] = hand?.connection ?? null;
  facts["from"] = hand?.from ?? null;
  facts["to"] = hand?.to ?? null;
  facts["received"] = story.received;
  facts["bytes"] = story.bytes;
  if (retried > 0) facts["retried"] = retried;
  if (trace !== undefined) facts["trace"] = trace;
  return withMore(facts, story);
}

/** What few have. */
function withMore(facts: Facts, story: Story): Facts {
  const { inside, proxy, proxyId, visitor, placed, said, more } = story;
  const isForwarded = visitor !== undefined && "forwarded" in visitor;
  const isStraight = inside === undefined && proxy === undefined && proxyId === undefined && !isForwarded;
  if (isStraight && placed === undefined && said === undefined && more === undefined) return facts;
  return { ...facts, ...callerFacts(story), ...placed, ...said, ...more };
}

/** Whose request this one came of, from which Space, and through which proxy. */
export function callerFacts({ inside, proxy, proxyId, visitor }: Story): Facts {
  const forwarded = visitor !== undefined && "account" in visitor ? visitor.forwarded : undefined;
  return {
    ...(inside === undefined ? {} : { caller: inside.space, callerReplica: inside.replica }),
    ...(proxy === undefined ? {} : { proxy }),
    ...(proxyId === undefined ? {} : { proxyId }),
    ...(forwarded === undefined ? {} : { link: forwarded.by, hops: forwarded.hops }),
  };
}

/** What was asked for, and how. */
function askedFacts({ method, path, query, host, protocol }: Story): Facts {
  return { method, path, ...(query === undefined ? {} : { query }), host, protocol };
}

/** Up to the route, as far as it came. */
export function openingDrafts(story: Story): Draft[] {
  const { visitor } = story;
  // The Space whose host was asked for stands here too: its owner may see what was refused before the route.
  const accept = {
    ...askedFacts(story),
    ...(story.space === undefined ? {} : { space: story.space }),
  };
  const drafts = [
    draft(story, "edge.accept", "took", { ...accept, ...(story.trace === undefined ? {} : { trace: story.trace }) }),
  ];
  if (visitor !== undefined) {
    drafts.push(
      "refused" in visitor
        ? draft(story, "identity.resolve", "refused", {
            code: visitor.refused,
            ...(visitor.detail === undefined ? {} : { says: visitor.detail }),
            ...(visitor.who === undefined ? {} : { account: visitor.who }),
            ...callerFacts(story),
          })
        : draft(story, "identity.resolve", "done", {
            account: visitor.account,
            billedBy: visitor.billedBy,
            tier: visitor.tier,
            user: visitor.user,
            ...callerFacts(story),
          }),
    );
  }
  if (story.replica !== undefined) drafts.push(routedDraft(story));
  return [...drafts, ...wokenDraft(story)];
}

/** Its Space woke up while it was held. */
export function wokenDraft(story: Story): readonly Draft[] {
  const { wakeAt, wokenAt, space = null } = story;
  if (wakeAt === undefined || wokenAt === undefined) return [];
  return [draft(story, "edge.wake", "done", { space, ms: wokenAt - wakeAt })];
}

/** It is held, and its visitor gets the page that shows for what. */
export function pageShownDraft(story: Story, now: number): Draft {
  return draft(story, "edge.wake", "took", {
    ...{ space: story.space ?? null, page: "waking", status: wakingStatus },
    ms: now - (story.wakeAt ?? now),
  });
}

/** Where it goes. */
export function routedDraft(story: Story): Draft {
  return draft(story, "edge.route", "done", {
    space: story.space ?? null,
    replica: story.replica ?? null,
    ...story.placed,
  });
}

/** The hand-over: without `closed` while it goes on, with it when the attempt is over. */
export function handedDraft(story: Story, hand: HandOver, closed: boolean): Draft {
  const { channel, number, connection, from, to } = hand;
  const space = { space: story.space ?? null, replica: story.replica ?? null };
  return draft(story, "edge.connect", "handed", {
    channel,
    number,
    connection,
    from,
    to,
    ...space,
    ...(closed ? { closed: true } : {}),
  });
}

/** The Space cannot take it now. */
export function routeRefusedDraft(story: Story, code: Code, says: string | undefined): Draft {
  return draft(story, "edge.route", "refused", {
    code,
    space: story.space ?? null,
    ...(says === undefined ? {} : { says }),
  });
}

/** It was held, and its Space did not wake up meanwhile, or not at all. */
export function wakeFailedDraft(story: Story, now: number, code: Code, says: string | undefined): Draft {
  return draft(story, "edge.wake", "failed", {
    code,
    space: story.space ?? null,
    ms: now - (story.wakeAt ?? now),
    ...(says === undefined ? {} : { says }),
  });
}

interface Failure {
  readonly gone: Gone | undefined;
  readonly asked: Asked | undefined;
  readonly error: ProxyError;
}

/** Where the app's side failed, with what the shim answered about the connection. */
export function failedDraft(
  story: Story,
  hop: "edge.connect" | "app.respond",
  code: Code,
  { gone, asked, error }: Failure,
): Draft {
  return draft(story, hop, "failed", {
    code,
    proxyError: error,
    bytes: story.bytes,
    ...(story.status === undefined ? {} : { receivedStatus: story.status }),
    ...(story.hand === undefined ? {} : { connection: story.hand.connection }),
    ...(story.retried === 0 ? {} : { retried: story.retried }),
    ...goneFacts(gone),
    ...(asked === undefined ? {} : { shim: shimFacts(asked) }),
  });
}

/** How it ended for the visitor. */
export function deliverDraft(
  story: Story,
  mark: "done" | "refused" | "failed",
  now: number,
  end: {
    readonly code?: Code;
    readonly status: number | null;
    readonly answeredBy: "app" | "edge" | null;
    readonly says?: string;
  },
): Draft {
  const { code, status, answeredBy, says } = end;
  return draft(story, "edge.deliver", mark, {
    ...(code === undefined ? {} : { code }),
    status,
    answeredBy,
    received: story.received,
    bytes: story.bytes,
    stages: stagesSoFar(story),
    ms: now - story.acceptedAt,
    ...(says === undefined ? {} : { says }),
    ...(story.pageAt === undefined ? {} : { page: "waking", pageAfterMs: story.pageAt - story.acceptedAt }),
    ...story.said,
  });
}

/** When it passed its hops, in milliseconds since it was accepted; without those that it never reached. */
function stagesSoFar(story: Story): Facts {
  const { acceptedAt, resolvedAt, routedAt, wokenAt, connectedAt, sentAt, answeredAt } = story;
  const moments = { resolvedAt, routedAt, wokenAt, connectedAt, sentAt, answeredAt };
  const reached = Object.entries(moments).filter((one): one is [string, number] => one[1] !== undefined);
  return Object.fromEntries(reached.map(([name, at]) => [name.slice(0, -2), at - acceptedAt]));
}

/** What entries of a long request add when it ends well. */
export function longEndDrafts(story: Story, now: number): Draft[] {
  const status = story.status ?? null;
  return [
    ...(story.hand === undefined ? [] : [handedDraft(story, story.hand, true)]),
    draft(story, "app.respond", "done", { status, bytes: story.bytes, ...story.more }),
    deliverDraft(story, "done", now, { status, answeredBy: "app" }),
  ];
}

function draft(story: Story, hop: Hop, mark: Draft["mark"], facts: Facts): Draft {
  return { work: story.work, hop, mark, facts };
}

function goneFacts(gone: Gone | undefined): Facts {
  if (gone === undefined) return {};
  return gone.kind === "invalid" ? { because: `the answer is not valid HTTP: ${gone.says}` } : { errno: gone.errno };
}

/** The answer of the shim in the contract's own names, or that there was none and how. */
function shimFacts(asked: Asked): Json {
  if (asked.kind === "answer") return { ...asked.answer };
  return asked.kind === "unreachable"
    ? { state: "unreachable", errno: asked.errno }
    : { state: "silent", says: asked.says };
}
