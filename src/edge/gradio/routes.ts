/** Which of Gradio's requests one is, by its method and path alone: with or without `/gradio_api`, under whatever path the app is mounted. Pure. */

export type GradioRoute =
  /** Asks for a function: `POST …/queue/join`, `POST …/call/NAME`. Answered with the event's id. */
  | { readonly kind: "join" }
  /** Carries what becomes of events: of all of one session, or of one event. */
  | { readonly kind: "stream"; readonly session: string }
  | { readonly kind: "result"; readonly event: string }
  /** `POST …/cancel`, with the event's id in its body. */
  | { readonly kind: "cancel" }
  /** Open as long as the page is; ends when its visitor goes. */
  | { readonly kind: "heartbeat" };

/** Undefined for all else, which costs a few comparisons. */
export function gradioRoute(method: string, target: string): GradioRoute | undefined {
  if (method !== "GET" && method !== "POST") return undefined;
  const query = target.indexOf("?");
  const path = query < 0 ? target : target.slice(0, query);
  return method === "POST" ? posted(path) : asked(path, query < 0 ? "" : target.slice(query));
}

/** How Gradio writes an event's id: `uuid4().hex`. */
export function isEventId(text: unknown): text is string {
  return typeof text === "string" && /^[0-9a-f]{32}$/.test(text);
}

/** A session's hash is made by the client: any short text. */
export function isSession(text: unknown): text is string {
  return typeof text === "string" && text !== "" && text.length <= sessionMaxLength;
}

/** Gradio's clients send 10 to 36 characters. */
const sessionMaxLength = 100;

function posted(path: string): GradioRoute | undefined {
  if (path.endsWith("/queue/join")) return { kind: "join" };
  if (path.endsWith("/cancel")) return { kind: "cancel" };
  return path.includes("/call/") && /\/call\/(?:v2\/)?[^/]+\/?$/.test(path) ? { kind: "join" } : undefined;
}

function asked(path: string, query: string): GradioRoute | undefined {
  if (path.endsWith("/queue/data")) {
    const session = new URLSearchParams(query).get("session_hash");
    return isSession(session) ? { kind: "stream", session } : undefined;
  }
  if (path.includes("/call/")) {
    const event = /\/call\/(?:v2\/)?[^/]+\/([0-9a-f]{32})$/.exec(path)?.[1];
    return event === undefined ? undefined : { kind: "result", event };
  }
  return path.includes("/heartbeat/") && /\/heartbeat\/[^/]+$/.test(path) ? { kind: "heartbeat" } : undefined;
}
