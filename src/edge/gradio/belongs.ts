/** To which session of Gradio's a request belongs, as in gradio 4.44 to 6.31: `routes.py`. Pure. */
import { objectOf } from "./messages.ts";
import { isEventId, isSession } from "./routes.ts";

/** How a request says to which session it belongs. */
export type Belongs =
  | { readonly kind: "session"; readonly session: string }
  /** The session is whose join gave this event's id. */
  | { readonly kind: "event"; readonly event: string }
  /** In the JSON of its body: `session_hash`, or `event_id`. */
  | { readonly kind: "body" }
  /** A session's files, which go up before a join and come down after it; it does not say whose. */
  | { readonly kind: "file" };

/** Undefined for what belongs to none. */
export function belongsTo(method: string, target: string): Belongs | undefined {
  const query = target.indexOf("?");
  const path = query < 0 ? target : target.slice(0, query);
  if (query >= 0 && target.includes("session_hash=", query)) {
    const session = new URLSearchParams(target.slice(query)).get("session_hash");
    if (isSession(session)) return { kind: "session", session };
  }
  const inPath = /\/(?:heartbeat\/([^/]{1,100})$|stream\/([^/]{1,100})\/\d+\/)/.exec(path);
  if (inPath !== null) return { kind: "session", session: (inPath[1] ?? inPath[2]) as string };
  if (method === "POST") {
    if (inBody.test(path)) return { kind: "body" };
    return path.endsWith("/upload") ? { kind: "file" } : undefined;
  }
  const event = /\/call\/(?:v2\/)?[^/]+\/([0-9a-f]{32})$/.exec(path)?.[1];
  if (event !== undefined) return { kind: "event", event };
  return /\/(?:file=|upload_progress|proxy=)/.test(path) ? { kind: "file" } : undefined;
}

/** What such a body says; nothing where it is no JSON of Gradio's. */
export function belongsIn(body: string): { readonly session?: string; readonly event?: string } {
  const fields = objectOf(body);
  const { session_hash: session, event_id: event } = fields ?? {};
  return { ...(isSession(session) && { session }), ...(isEventId(event) && { event }) };
}

const inBody =
  /\/(?:queue\/join|cancel|reset|component_server|api\/predict|(?:call|run|gradio_api\/api)\/(?:v2\/)?[^/]+)\/?$/;
