/** The log of a Space's requests, as the API shows it. */

/** One request that has ended. */
export interface RequestView {
  readonly id: string;
  /** Its number in the order in which requests came into the record: who follows goes on after it. */
  readonly n: number;
  /** When it was accepted. */
  readonly at: string;
  readonly method: string;
  readonly path: string;
  /** Without its question mark; what is named like a secret, or looks like one, is `***`. */
  readonly query: string | null;
  /** `HTTP/1.1`, `websocket`; null where the record is older than that. */
  readonly protocol: string | null;
  /** 0 where nobody answered. */
  readonly status: number;
  /** `nobody`: the visitor left before. */
  readonly answeredBy: "app" | "edge" | "nobody";
  readonly outcome: "ok" | "refused" | "failed";
  readonly code: string | null;
  /** From its acceptance to its end. */
  readonly ms: number;
  readonly stages: RequestStages;
  /** Of the request's body, and of the answer's; of a tunnel, what passed either way. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly account: string;
  /** How it is known who that is: `token`, `address`, … */
  readonly billedBy: string | null;
  readonly replica: string | null;
}

/** Milliseconds since it was accepted; without the stages that it never reached. */
export interface RequestStages {
  readonly resolved?: number;
  readonly routed?: number;
  readonly woken?: number;
  readonly connected?: number;
  /** All of the request was given on. */
  readonly sent?: number;
  /** The first byte of the answer came. */
  readonly answered?: number;
}

/** Which requests are wanted. All of it has to hold. */
export interface RequestFilter {
  /** The first digit of the status. */
  readonly status?: number;
  readonly who?: RequestView["answeredBy"];
  readonly account?: string;
  readonly method?: string;
  /** Accepted at this time or later, and before that one: RFC 3339. */
  readonly since?: string;
  readonly until?: string;
  /** What the path begins with. */
  readonly path?: string;
  /** With a code of ours, or a status of 500 and more. */
  readonly failed?: boolean;
  /** A text in the path, the query, the account, the code or the id, whatever the case of its letters. */
  readonly grep?: string;
}

/** A page of the log, newest first. A filter may look through many: then a page has few items, or none, and a next one. */
export interface RequestPage {
  readonly items: readonly RequestView[];
  readonly next: string | null;
  /** Requests of which only counts are left, and those whose counts are gone too. */
  readonly older: { readonly counted: number; readonly forgotten: number };
}

/** Requests of one minute that are no longer in the record one by one. */
export interface RequestCount {
  /** The minute's beginning. */
  readonly at: string;
  readonly method: string;
  /** The path, with `*` for what looks like an id; `…` for all that are beyond the bound of one minute. */
  readonly route: string;
  /** 2: 200 to 299; 0: nobody answered. */
  readonly status: number;
  readonly answeredBy: RequestView["answeredBy"];
  readonly count: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Of all of them together, and of the longest. */
  readonly ms: number;
  readonly msMax: number;
}

/** A line of the log that is followed. `from`: what follows comes after this number; `note`: what the reader should know of the log itself. */
export type RequestLine =
  | ({ readonly type: "request" } & RequestView)
  | { readonly type: "from"; readonly n: number }
  | { readonly type: "note"; readonly n: number; readonly says: string };
