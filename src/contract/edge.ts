/**
 * Between the server and an edge in processes of its own: a copy of what the edge has to know, its changes by number, and what the
 * edge asks and tells. One JSON document a line, over a unix socket of the data folder; the edge's parent passes it to its workers.
 */

/** Changes with what both sides have to understand of each other. */
export const edgeProtocol = 5;

/** A copy of 10,000 Spaces is some 4 MB; more than this is no message of ours. */
export const edgeLineMaxChars = 64 << 20;

/** The server's sockets in its data folder: what edges are told over, and where the console's requests are carried. */
export const edgeSockets = { control: "edge.sock", console: "console.sock" } as const;

/** On the console's socket, and stripped from what visitors send: who asks, as the edge knows it. */
export const carriedHeader = "x-waybill-carried";

/** A Space as the edge needs it; `route` is the edge's own type, whose shape this part does not know. */
export interface CopiedSpace<Route = unknown> {
  readonly space: string;
  /** In lower case, without ports. */
  readonly hosts: readonly string[];
  readonly route: Route;
  /** Of replicas on other machines: the number of the line to them; null while it is lost. */
  readonly lines: Readonly<Record<string, number | null>>;
}

/** What does not change while a server lives. */
export interface EdgeTerms {
  /** Where console and apps are listened for. */
  readonly address: string;
  readonly port: number;
  readonly consoleHosts: readonly string[];
  readonly appsDomain: string;
  /** Signs what browsers carry to apps' addresses; base64url. */
  readonly visitKey: string;
  /** The console's address. */
  readonly console: string;
  /** Of other machines the proxies in front alone may come. */
  readonly isProxiesAlone: boolean;
  /** The socket by which apps in sandboxes reach the edge; null where there is none. */
  readonly insidePath: string | null;
  readonly plainProcesses: boolean;
  /** The edge speaks TLS; null: it does not. */
  readonly tls: {
    /** A second port, without TLS. */
    readonly plainPort: number | null;
    /** Where visitors come to instead, where that is not `port`. */
    readonly publicPort: number | null;
  } | null;
}

/** A certificate with its chain, and its key; PEM. */
export interface EdgePair {
  readonly cert: string;
  readonly key: string;
}

/** A key of visitors' tokens; base64url. */
export interface EdgeKey {
  readonly kid: string;
  readonly key: string;
}

export interface Copy<Route = unknown, Found = unknown> {
  readonly type: "copy";
  /** The number of the last change that is in it. */
  readonly n: number;
  readonly terms: EdgeTerms;
  /** The one to mint with first. */
  readonly keys: readonly EdgeKey[];
  readonly spaces: readonly CopiedSpace<Route>[];
  /** Accounts and their tiers. */
  readonly tiers: readonly (readonly [string, string])[];
  /** Organisations with their members. */
  readonly members: readonly (readonly [string, readonly string[]])[];
  /** More addresses of the same port. */
  readonly addresses: readonly string[];
  /** Ports of one Space each, with the mark of its cookies there. */
  readonly ports: readonly (readonly [number, string])[];
  /** By the hash of the token. Empty when it comes from a server: what changed meanwhile is asked anew. */
  readonly tokens: readonly (readonly [string, Found])[];
  /** What was shown last, by {@link pairKey}. Empty when it comes from a server, as `tokens`. */
  readonly pairs: readonly (readonly [string, EdgePair])[];
}

/** What a visitor is shown depends on: the name that it asks for, if it does, and the address that it called. */
export interface PairAsked {
  readonly name: string | null;
  readonly address: string;
}

/** No name has a space. */
export function pairKey({ name, address }: PairAsked): string {
  return `${name ?? ""} ${address}`;
}

/** Each has the number after the last one's; one that is missing means that the copy is to be had anew. */
export type Change<Route = unknown> =
  | { readonly type: "space"; readonly n: number; readonly space: CopiedSpace<Route> }
  | { readonly type: "space-gone"; readonly n: number; readonly id: string }
  | { readonly type: "tier"; readonly n: number; readonly account: string; readonly tier: string }
  | {
      readonly type: "members";
      readonly n: number;
      readonly organisation: string;
      readonly accounts: readonly string[];
    }
  /** The token with this id is not what it was: it is asked for again. */
  | { readonly type: "token-changed"; readonly n: number; readonly id: string }
  /** All of them anew, the one to mint with first. */
  | { readonly type: "keys"; readonly n: number; readonly keys: readonly EdgeKey[] }
  | { readonly type: "address"; readonly n: number; readonly address: string }
  | { readonly type: "port"; readonly n: number; readonly port: number; readonly mark: string };

export type ToEdge<Route = unknown, Found = unknown, Told = unknown, Signed = unknown> =
  | Copy<Route, Found>
  | Change<Route>
  /** A sign of life. */
  | { readonly type: "tick" }
  /** What the GPU queue says of a call that a request caused; whichever worker carries that acts on it. */
  | { readonly type: "tell"; readonly request: string; readonly told: Told }
  | { readonly type: "synced"; readonly ask: string }
  | { readonly type: "woken"; readonly ask: string; readonly route: Route | null }
  | { readonly type: "token"; readonly ask: string; readonly hash: string; readonly found: Found | null }
  | { readonly type: "session"; readonly ask: string; readonly found: Signed | null }
  | { readonly type: "pair"; readonly ask: string; readonly asked: PairAsked; readonly found: EdgePair | null }
  | { readonly type: "challenge"; readonly ask: string; readonly answer: string | null };

export type FromEdge =
  | { readonly type: "hello"; readonly protocol: number; readonly version: string }
  | { readonly type: "worker"; readonly name: string; readonly epoch: number; readonly pid: number }
  /** `closed`: it has told all of its epoch, and said so there. */
  | { readonly type: "worker-ended"; readonly name: string; readonly epoch: number; readonly closed: boolean }
  | EdgeReport
  | { readonly type: "wake"; readonly ask: string; readonly space: string; readonly account: string | null }
  /** Nobody waits for that any more. */
  | { readonly type: "unwake"; readonly ask: string }
  /** Answered when all is told that was so before. */
  | { readonly type: "sync"; readonly ask: string }
  | { readonly type: "find-token"; readonly ask: string; readonly hash: string }
  | { readonly type: "find-session"; readonly ask: string; readonly id: string }
  /** Which certificate a visitor is to be shown. */
  | { readonly type: "find-pair"; readonly ask: string; readonly asked: PairAsked }
  /** What an authority that asks for proof of a name is answered. */
  | { readonly type: "find-challenge"; readonly ask: string; readonly token: string }
  | { readonly type: "touch-token"; readonly id: string }
  | { readonly type: "visitor-gone"; readonly request: string };

/** What a worker has and does. */
export interface EdgeReport {
  readonly type: "report";
  readonly name: string;
  /** The last change that it has. */
  readonly got: number;
  /** Requests under way, by replica. */
  readonly busy: Readonly<Record<string, number>>;
  /** Spaces that were asked for since the last report. */
  readonly used: readonly string[];
  /** Rows of its counters of strangers. */
  readonly counted: readonly unknown[];
}
