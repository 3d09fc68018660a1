/** The edge's bounds, each with the reason for its size. What an operator may set is in {@link EdgeLimits}. */

export interface EdgeLimits {
  /** The longest request body. */
  readonly bodyMaxBytes: number;
  /** From the last byte of a request to the first of its answer. */
  readonly responseWithinMs: number;
  /** Waiting for one of the replica's connections to become free. */
  readonly connectWithinMs: number;
  /** A request that waits for its Space to wake up. */
  readonly wakeWithinMs: number;
  /** Connections to one replica at a time. */
  readonly connectionsPerReplica: number;
  /** A request under way on which nothing passes, once its answer or its WebSocket has begun. */
  readonly idleWithinMs: number;
  /** From a request's first byte to the last of its answer. */
  readonly openWithinMs: number;
}

export const defaultLimits: EdgeLimits = {
  // The Hub's own limit for one file of an app's upload is of this order; a model does not come through an app.
  bodyMaxBytes: 10 * 2 ** 30,
  // The longest wait for a GPU and the longest function together stay below it.
  responseWithinMs: 600_000,
  // A Space whose every connection is busy for so long has more visitors than it serves.
  connectWithinMs: 10_000,
  // As long as browsers and the proxies before them commonly wait for the first byte.
  wakeWithinMs: 60_000,
  // Each is a socket here, two in the shim and one in the app, whose limit of open files is commonly 1,024.
  connectionsPerReplica: 512,
  // Event streams and WebSockets say something every minute at most, or a network on the way would have dropped them.
  idleWithinMs: 3_600_000,
  // A page that is left open for a week.
  openWithinMs: 7 * 86_400_000,
};

/** The bound that holds where a Space's owner may have set one beside ours. */
export function least(ours: number, owners: number | undefined): number {
  return owners === undefined ? ours : Math.min(ours, owners);
}

/** How often waits are looked at: their granularity. One timer for the edge, none for a request. */
export const sweepEveryMs = 250;
/** How often it is looked whether the visitor of an open request may still be in a private Space. */
export const admittedAgainMs = 400;
/** A request still open after this long writes entries of its own, so that a death of the edge leaves them behind. */
export const openEntriesAfterMs = 1_000;
/** Idle connections end before the common servers' own 5 s, so that a request seldom meets one that is just being closed. */
export const upstreamIdleMs = 4_000;
/** A request that must not be sent twice takes only a connection that was used this recently. */
export const freshIdleMs = 1_000;
/** Requests that wait for a connection to one replica; beyond, they are refused at once. */
export const waitersPerReplica = 1_024;
/** The shim's answer about a connection that failed: it is on the same machine, and the visitor waits for it. */
export const askWithinMs = 1_500;
/** Bytes of an answer's head (the shim's answers too): more than any framework sends, small enough to hold for each connection. */
export const responseHeadMaxBytes = 65_536;
/** Times that one request, passed on and on by apps, may come by here: a chain of Spaces is two or three long. */
export const passesMax = 8;
/** Bytes of a body that is read before its request goes to one of several replicas: a join is a few kilobytes, its files go up before it. */
export const earlyBodyMaxBytes = 65_536;
/** Such bodies at a time, 32 MiB; what comes beyond goes where its visitor's other requests went. */
export const earlyBodiesMax = 512;
/** How long such a body may take: what is slower goes on without. */
export const earlyBodyWithinMs = 10_000;
/** Replicas that one request may meet dead before it is told so. */
export const movesMax = 3;
/** A replica that could not be reached gets nothing else for so long, where another one can: its node tells of its end meanwhile. */
export const shunnedForMs = 2_000;
/** Interim (1xx) answers before the final one; more is an app in a loop. */
export const interimMax = 8;
/** Characters of a path that an entry keeps. */
export const pathFactMaxLength = 200;
/** And of its query. */
export const queryFactMaxLength = 500;
/** Characters of a caller's `X-Request-Id` that is echoed. */
export const requestIdMaxLength = 128;
/** Random bytes drawn at a time: an id and a trace take 40, and one draw of the system costs as much as 40 of them. */
export const randomPoolBytes = 4_096;
/** Bytes of a refused upload that are read and dropped, so that the client gets to read the refusal instead of a reset. */
export const drainMaxBytes = 16 * 2 ** 20;
/** What a visitor is told to wait before the next try, where a request was held for nothing. */
export const wakeRetryMs = 5_000;
/** A browser that waits so long for a Space to wake up is shown how far that has come; an app that was frozen is there long before. */
export const wakingPageAfterMs = 1_000;
/** Its status: sent before it is known how the start ends. */
export const wakingStatus = 503;
/** What such a page sends where nothing happens: proxies on the way end what is silent for 30 s and more. */
export const wakingSignEveryMs = 15_000;
/** Replicas whose end such a page tells of one by one. */
export const wakingTriesShown = 3;
/** The server tells how a start ends at its deadline; an edge that does not hear of it says so by itself so much later. */
export const wakingMarginMs = 5_000;
/** Requests of one connection that nobody has answered yet: clients that send ahead at all send a few. */
export const pipelinedMax = 64;

/** A time of a request that is over. */
export interface TimeOver {
  readonly code: "route/idle-timeout" | "route/open-too-long";
  readonly limitMs: number;
}

export const timeSays = {
  "route/idle-timeout": (ms: number) => `Nothing passed for ${ms / 1_000} s.`,
  "route/open-too-long": (ms: number) => `It may be open for ${ms / 1_000} s.`,
} satisfies Record<TimeOver["code"], (ms: number) => string>;

export const loopSays = `It has passed this edge ${passesMax} times already, by its CDN-Loop.`;
/** Refusals of strangers that are told one by one in a minute, 3 kB of entries each: an owner sees what is tried, and a flood leaves a third of a megabyte. */
export const strangersToldPerMinute = 100;
