/** How a filter of requests is asked for, and how their log is followed over streams that break. */
import type { RequestFilter, RequestLine } from "../contract/requests.ts";
import { followed, type Opened, type Watching } from "./following.ts";

export interface FollowRequests extends Watching {
  /** The number to go on after. */
  readonly after?: number | undefined;
  readonly filter?: RequestFilter | undefined;
}

type Query = Record<string, string | undefined>;

export function queryOfFilter({ status, failed, ...named }: RequestFilter = {}): Query {
  return {
    ...named,
    status: status === undefined ? undefined : `${status}xx`,
    failed: failed === true ? "1" : undefined,
  };
}

export async function* followRequests(
  { after, filter, ...watching }: FollowRequests,
  open: (query: Query) => Promise<Opened<RequestLine>>,
): AsyncGenerator<RequestLine> {
  let place = after;
  const openAfter = (): Promise<Opened<RequestLine>> =>
    open({ ...queryOfFilter(filter), after: place?.toString(), follow: "1" });
  for await (const line of followed(openAfter, watching, () => place !== undefined)) {
    place = line.n;
    yield line;
  }
}
