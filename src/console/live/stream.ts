/**
 * One stream of events for all tabs of a browser, which has six connections to a host by HTTP/1.1: the tab that holds the lock listens, and
 * tells the others. Where a browser has no such locks, as on a page by plain http from elsewhere, each tab listens itself.
 */
import type { Change } from "../../contract/changes.ts";
import { addressOf } from "../find.ts";

const path = "/api/events";
const name = "waybill-events";
/** In place of the browser's own, which gives up where the answer is an error, as while a platform starts. */
const againAfterMs = 2_000;
const types = ["begun", "ledger", "spaces", "builds"] as const;

/** Since when there is no connection; null: there is one, or it is being made for the first time. */
export type Lost = number | null;

type Said = { readonly change: Change } | { readonly lost: Lost };

export interface Hearing {
  onChange(change: Change): void;
  onLost(since: Lost): void;
}

/** Listens until what it returns is called. */
export function listen(hearing: Hearing): () => void {
  const gone = new AbortController();
  const channel = new BroadcastChannel(name);
  const hear = (said: Said): void => {
    if ("change" in said) hearing.onChange(said.change);
    else hearing.onLost(said.lost);
  };
  channel.addEventListener("message", ({ data }: MessageEvent<Said>) => hear(data));
  const tell = (said: Said): void => {
    hear(said);
    channel.postMessage(said);
  };
  const lead = (): Promise<void> => new Promise((done) => connect(tell, gone.signal, done));
  if (!("locks" in navigator)) void lead();
  else
    navigator.locks.request(name, { signal: gone.signal }, lead).catch(() => {
      // Aborted while it waited: this tab stops listening. Else the browser gives this page no lock.
      if (!gone.signal.aborted) void lead();
    });
  return () => {
    gone.abort();
    channel.close();
  };
}

function connect(tell: (said: Said) => void, signal: AbortSignal, done: () => void): void {
  let source: EventSource | undefined;
  let last = "";
  let lost: Lost = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const open = (): void => {
    const made = new EventSource(addressOf(path, { after: last }));
    source = made;
    for (const type of types)
      made.addEventListener(type, ({ data, lastEventId }: MessageEvent<string>) => {
        if (lastEventId !== "") last = lastEventId;
        tell({ change: { type, ...(JSON.parse(data) as object) } as Change });
      });
    made.addEventListener("open", () => {
      // Also where this tab lost nothing: the one that listened before may have told the others so, and be closed.
      lost = null;
      tell({ lost });
    });
    made.addEventListener("error", () => {
      lost ??= Date.now();
      tell({ lost });
      // Its last id would be lost with it; by `after` it goes on all the same.
      made.close();
      clearTimeout(timer);
      timer = setTimeout(open, againAfterMs);
    });
  };
  open();
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    source?.close();
    done();
  });
}
