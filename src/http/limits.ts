/** Limits of every HTTP server that we open, each with the reason for its size. */

/** A request's head must be whole this long after it began: a slow one holds a socket and nothing else. */
export const headWithinMs = 20_000;
/** A whole request, body included: an upload of 10 GB at 3 MB/s fits. */
export const requestWithinMs = 3_600_000;
/** How long a visitor's idle connection is kept: longer than a page takes to fetch its parts, shorter than most clients' own. */
export const visitorIdleMs = 30_000;
/** Bytes of a request's head (Node's default, said here because tests lean on it). */
export const headMaxBytes = 16_384;
/** Lines of a request's head: a browser sends thirty; where an app's server drops those beyond its own bound, ours are the last ones. */
export const headLinesMax = 256;
/** Connections open at once on one address; file descriptors are commonly limited to twice this or more. */
export const connectionsMax = 10_000;
/** A JSON body of our own API: the largest is a commit's header line; files travel as streams. */
export const jsonBodyMaxBytes = 1 << 20;
/** How long `close` waits for answers under way before it breaks them. */
export const closeGraceMs = 2_000;
