/** The bounds of HTTP/2 at the edge, each with the reason for its size. */
import { connectionsMax } from "../../http/limits.ts";

/** Streams at once on one session, as RFC 9113 §6.5.2 recommends at least: a page with its parts and a few event streams. */
export const streamsPerSession = 128;
/** Of all sessions together: each is a request under way, with two parsers and its buffers. */
export const streamsMax = 2 * connectionsMax;
/** Header fields of a request; the bytes are bounded by the head's own limit. */
export const headerPairsMax = 256;
/** RFC 7541's own size: more would be memory that each session may fill. */
export const headerTableBytes = 4_096;
/** A stream's window: what a visitor may send before the app has taken any. */
export const windowBytes = 65_535;
/** Node's unit is the megabyte: all streams of a session with full windows, and headers. */
export const sessionMemoryMb = 10;
/** Parameters of one SETTINGS frame: there are seven. */
export const settingsMax = 32;
/** Frames that break the rules before a session ends; no client of ours sends one. */
export const invalidFramesMax = 100;
/** Streams refused for being too many at once before a session ends. */
export const rejectedStreamsMax = 100;
/** RST_STREAM frames of a visitor (CVE-2023-44487): a browser that leaves a page resets all that it loads, now and then. */
export const resets = { burst: 400, aSecond: 20 } as const;
/** Streams that ended with an error of either side: a visitor can make us reset as well (CVE-2025-8671). */
export const faults = { burst: 400, aSecond: 20 } as const;
/** PING and SETTINGS frames: browsers send one of each, programs a ping every few seconds. */
export const noise = { burst: 100, aSecond: 5 } as const;
/** How long an answer may wait for a window that does not open. A tab in the background takes nothing for so long. */
export const stallMs = 120_000;
/** Between the polite end of an idle session and the other. */
export const goodbyeMs = 5_000;
