/** How a filter of requests is asked for, and how their log is followed over streams that break. */
import { setTimeout as delay } from "node:timers/promises";
import type { RequestFilter, RequestLine } from "../contract/requests.ts";
import { ApiError, ServerUnreachable } from "./errors.ts";

export interface FollowRequests {
  /** The number to go on after. */
  readonly after?: number | undefined;
  readonly filter?: RequestFilter | undefined;
  readonly signal?: AbortSignal | undefined;
}

type Query = Record<string, string | undefined>;

/** A stream that is open, and what its breaking is called. */
interface Opened {
  readonly lines: AsyncIterable<RequestLine>;
  readonly broken: (error: unknown) => unknown;
}

/** How often it is opened again without a line in between, and what lies between the attempts. */
const triesMost = 30;
const pauseMs = 1_000;

export function queryOfFilter({ status, failed, ...named }: RequestFilter = {}): Query {
  return {
    ...named,
    status: status === undefined ? undefined : `${status}xx`,
    failed: failed === true ? "1" : undefined,
  };
}

export async function* followRequests(
  { after, filter, signal }: FollowRequests,
  open: (query: Query) => Promise<Opened>,
): AsyncGenerator<RequestLine> {
  let place = after;
  for (let tries = 0; ; tries += 1) {
    let broken: Opened["broken"] = (error) => error;
    try {
      const opened = await open({ ...queryOfFilter(filter), after: place?.toString(), follow: "1" });
      ({ broken } = opened);
      for await (const line of opened.lines) {
        place = line.n;
        tries = 0;
        yield line;
      }
      return;
    } catch (error) {
      const told = error instanceof ApiError ? error : broken(error);
      if (place === undefined || tries >= triesMost || !(told instanceof ServerUnreachable)) throw told;
      await delay(pauseMs, undefined, { signal });
    }
  }
}
