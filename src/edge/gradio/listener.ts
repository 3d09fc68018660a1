/** Listens to one of Gradio's requests while the edge carries it: it reads what passes, and speaks within it only as `voice.ts` has it. */
import type { Code } from "../../evidence/codes.ts";
import { fieldOf } from "../names.ts";
import type { ResponseHead } from "../response.ts";
import type { Story } from "../story.ts";
import { EventStreamReader } from "./event-stream.ts";
import type { EventStream, GradioEvents } from "./events.ts";
import { Excerpt } from "./excerpt.ts";
import { objectOf, parseMessage, parseResult } from "./messages.ts";
import { isEventId, isSession } from "./routes.ts";
import type { GradioRoute } from "./routes.ts";
import { Voice } from "./voice.ts";
import type { VoicePorts } from "./voice.ts";

export interface Listener {
  /** A piece of the request's body. */
  onRequest?(bytes: Buffer): void;
  onHead(head: ResponseHead): void;
  /** What goes to the visitor in place of these bytes of the answer, before they are read. */
  pass?(bytes: Buffer): Buffer;
  /** What was held back of the answer, at its end. */
  rest?(): Buffer;
  onBody?(bytes: Buffer): void;
  /** The answer has passed whole. True where its record is written by who follows the event. */
  onDelivered?(): boolean;
  onVisitorLeft?(): Leaving;
  /** The app's side failed under it, or the edge refused it midway; `code` is what the request ends with. */
  onBroken?(code: Code): void;
}

/** `delivered`: the answer had told all, so that leaving is how it ends. `followed`: its record is written by who follows the event. */
export type Leaving = "left" | "delivered" | "followed";

/** How a stream's visitor is spoken to; undefined where nobody may be: the answer cannot take another length. */
export type Speaking = Pick<VoicePorts, "messages" | "insert" | "monotonic">;

/** The story has its replica. */
export function listenerOf(route: GradioRoute, story: Story, events: GradioEvents, speaking?: Speaking): Listener {
  switch (route.kind) {
    case "join":
      return new JoinListener(story, events);
    case "stream":
      return new StreamListener({ story, of: route.session, event: undefined, events, speaking });
    case "result":
      return new StreamListener({ story, of: route.event, event: route.event, events, speaking });
    case "cancel":
      return new CancelListener(story, events);
    case "heartbeat":
      return new HeartbeatListener();
  }
}

/** A join's body is small, files are uploaded before; its `session_hash` stands last where clients write it. */
const bodyHeadBytes = 16_384;
const bodyTailBytes = 1_024;
/** `{"event_id":"…"}` and nothing more. */
const answerMaxBytes = 1_024;

class HeartbeatListener implements Listener {
  #answers = false;

  onHead({ status, rawHeaders }: ResponseHead): void {
    this.#answers = status === 200 && isEventStream(rawHeaders);
  }

  onVisitorLeft(): Leaving {
    return this.#answers ? "delivered" : "left";
  }
}

class JoinListener implements Listener {
  readonly #story: Story;
  readonly #events: GradioEvents;
  readonly #body = new Excerpt(bodyHeadBytes, bodyTailBytes);
  readonly #answer = new Excerpt(answerMaxBytes, 0);
  #reads = false;

  constructor(story: Story, events: GradioEvents) {
    this.#story = story;
    this.#events = events;
  }

  onRequest(bytes: Buffer): void {
    this.#body.push(bytes);
  }

  onHead({ status, rawHeaders }: ResponseHead): void {
    this.#reads = status === 200 && fieldOf(rawHeaders, "content-encoding") === undefined;
  }

  onBody(bytes: Buffer): void {
    if (!this.#reads) return;
    this.#answer.push(bytes);
    const event = this.#event;
    if (event !== undefined) this.#events.announced(this.#story.replica ?? "", event);
  }

  onDelivered(): boolean {
    return this.#joined("nobody");
  }

  onVisitorLeft(): Leaving {
    return this.#joined("visitor") ? "followed" : "left";
  }

  get #event(): string | undefined {
    const event = this.#reads && this.#answer.isWhole ? objectOf(this.#answer.head)?.["event_id"] : undefined;
    return isEventId(event) ? event : undefined;
  }

  #joined(by: "visitor" | "nobody"): boolean {
    const event = this.#event;
    if (event === undefined) return false;
    const because = this.#events.joined(this.#story, event, sessionIn(this.#body), by);
    if (because === undefined) return true;
    this.#story.more = { event, followed: false, because };
    return false;
  }
}

class CancelListener implements Listener {
  readonly #story: Story;
  readonly #events: GradioEvents;
  readonly #body = new Excerpt(bodyHeadBytes, 0);

  constructor(story: Story, events: GradioEvents) {
    this.#story = story;
    this.#events = events;
  }

  onRequest(bytes: Buffer): void {
    this.#body.push(bytes);
    this.#say("asked");
  }

  onHead({ status }: ResponseHead): void {
    this.#say(status >= 200 && status < 300 ? "taken" : "refused");
  }

  onBroken(): void {
    this.#say("refused");
  }

  #say(word: "asked" | "taken" | "refused"): void {
    const event = this.#body.isWhole ? objectOf(this.#body.head)?.["event_id"] : undefined;
    if (isEventId(event)) this.#events.cancel(this.#story.replica ?? "", event, word);
  }
}

interface StreamOf {
  readonly story: Story;
  readonly of: string;
  /** The only one that it tells of, in the language of `call/NAME/ID`. */
  readonly event: string | undefined;
  readonly events: GradioEvents;
  readonly speaking: Speaking | undefined;
}

class StreamListener implements Listener {
  readonly #story: Story;
  readonly #events: GradioEvents;
  readonly #speaking: Speaking | undefined;
  readonly #event: string | undefined;
  readonly #stream: EventStream;
  readonly #reader: EventStreamReader;
  #state: "waiting" | "reading" | "open" | "over" = "waiting";

  constructor({ story, of, event, events, speaking }: StreamOf) {
    this.#story = story;
    this.#events = events;
    this.#speaking = speaking;
    this.#event = event;
    this.#stream = {
      work: story.work,
      replica: story.replica ?? "",
      of,
      heard: false,
      closing: false,
      unread: undefined,
    };
    this.#reader = new EventStreamReader((told) => {
      const message = event === undefined ? parseMessage(told) : parseResult(event, told);
      if (message !== undefined) events.heard(this.#stream, message);
    });
  }

  onHead({ status, rawHeaders, length }: ResponseHead): void {
    if (status !== 200 || !isEventStream(rawHeaders)) return;
    this.#state = "open";
    const coding = fieldOf(rawHeaders, "content-encoding");
    const speaking = this.#speaking;
    if (speaking !== undefined && speaking.messages !== "off" && length === undefined && coding === undefined)
      this.#stream.voice = new Voice(this.#event, {
        ...speaking,
        refusalOf: (event) => this.#events.refusalOf(this.#stream, event),
        onSentence: (event, refused) => this.#events.toldInstead(this.#stream, event, refused),
      });
    this.#events.opened(this.#stream);
    if (coding === undefined) this.#state = "reading";
    else {
      const says = `its event stream is encoded (${coding.slice(0, codingMaxLength)}), so it was not read`;
      this.#events.unreadable(this.#stream, says);
    }
  }

  pass(bytes: Buffer): Buffer {
    return this.#stream.voice?.pass(bytes) ?? bytes;
  }

  rest(): Buffer {
    return this.#stream.voice?.rest() ?? nothing;
  }

  onBody(bytes: Buffer): void {
    if (this.#state === "reading") this.#reader.push(bytes);
  }

  onDelivered(): boolean {
    this.#close("app");
    return false;
  }

  onVisitorLeft(): Leaving {
    return this.#close("visitor") ? "delivered" : "left";
  }

  onBroken(code: Code): void {
    this.#noteSaid();
    if (this.#isOpen) this.#events.broke(this.#stream, code);
    this.#state = "over";
  }

  /** What was said on it, for its own record. */
  #noteSaid(): void {
    const facts = this.#stream.voice?.facts;
    if (facts !== undefined) this.#story.said = facts;
  }

  #close(by: "visitor" | "app"): boolean {
    this.#noteSaid();
    const inOrder = this.#isOpen && this.#events.closed(this.#stream, by);
    this.#state = "over";
    return inOrder;
  }

  get #isOpen(): boolean {
    return this.#state === "open" || this.#state === "reading";
  }
}

const codingMaxLength = 20;
const nothing = Buffer.alloc(0);

function isEventStream(raw: readonly string[]): boolean {
  return fieldOf(raw, "content-type")?.toLowerCase().startsWith("text/event-stream") === true;
}

/** The last `session_hash` of a long body is the client's own: what comes before it is the function's input. */
function sessionIn(body: Excerpt): string | undefined {
  const session = body.isWhole
    ? objectOf(body.head)?.["session_hash"]
    : [...body.tail.matchAll(/"session_hash"\s*:\s*"([^"\\]{1,100})"/g)].at(-1)?.[1];
  return isSession(session) ? session : undefined;
}
