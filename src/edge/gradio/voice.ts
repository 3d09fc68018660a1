/**
 * Speaks on one event stream that passes: whole events of ours between whole ones of the app's, and the true sentence within one of them.
 * A stream that nothing is to be said on passes byte for byte.
 */
import type { Facts } from "../../evidence/entry.ts";
import type { CallTold } from "../ports.ts";
import { placeEvent, startsEvent, trueMessage, trueResult } from "./words.ts";
import type { Refused } from "./words.ts";

/** How much of our own a Space's visitors are told: places and true sentences, the sentences alone, or nothing. */
export type MessagesSetting = "full" | "quiet" | "off";

export interface VoicePorts {
  readonly messages: MessagesSetting;
  /** Puts bytes after all that has passed; false where that cannot be now: the visitor reads slowly, or all is over. */
  readonly insert: (bytes: Buffer) => boolean;
  readonly monotonic: () => number;
  /** The refusal that this event of the stream will end by; undefined where none is known. */
  readonly refusalOf: (event: string) => Refused | undefined;
  /** It was said instead of the app's words. */
  readonly onSentence: (event: string, refused: Refused) => void;
}

/** A place is told once a second at most: each is a change on the visitor's page. */
export const placeEveryMs = 1_000;
/** An event that tells of a refusal is some hundred bytes; of a longer one nothing is held. */
const heldMaxBytes = 16_384;
/** Events of one stream that places are told of: a session has as many open as its page has buttons. */
const eventsMax = 256;

interface Waiting {
  /** To be said next; undefined where all is. */
  next: Extract<CallTold, { kind: "waiting" }> | undefined;
  said: string | undefined;
  saidAt: number;
  /** It has its GPU, and the visitor is still told of a place. */
  starts: boolean;
}

export class Voice {
  readonly #ports: VoicePorts;
  readonly #waiting = new Map<string, Waiting>();
  /** Only `queue/data` has a word for places; `event`: the one of `call/NAME/ID`. */
  readonly #event: string | undefined;
  /** The bytes that passed end a whole event, or are none. */
  #isBetween = true;
  #last = "";
  /** The beginning of an event, held until it is whole. */
  #held: Buffer = Buffer.alloc(0);
  #mayRewrite = false;
  #places = 0;
  #starts = 0;
  #sentences = 0;

  constructor(event: string | undefined, ports: VoicePorts) {
    this.#event = event;
    this.#ports = ports;
  }

  /** What the platform says of this event's call. */
  tell(event: string, told: CallTold): void {
    if (told.kind === "refused") this.#mayRewrite = true;
    if (this.#ports.messages !== "full" || this.#event !== undefined) return;
    const known = this.#waiting.get(event);
    if (told.kind === "waiting") {
      const waiting = known ?? { next: undefined, said: undefined, saidAt: 0, starts: false };
      if (known === undefined && this.#waiting.size >= eventsMax) return;
      this.#waiting.set(event, waiting);
      waiting.next = told;
      waiting.starts = false;
    } else if (known !== undefined) {
      known.next = undefined;
      known.starts = told.kind === "granted" && known.said !== undefined;
    }
    this.speak();
  }

  /** The app has ended this event: nothing more is said of it. */
  over(event: string): void {
    this.#waiting.delete(event);
  }

  /** Says what may be said now. Called whenever that may have changed, and every sweep. */
  speak(): void {
    if (!this.#isBetween || this.#held.length > 0) return;
    const now = this.#ports.monotonic();
    for (const [event, waiting] of this.#waiting) {
      if (waiting.starts) {
        if (!this.#ports.insert(startsEvent(event))) return;
        this.#starts += 1;
        this.#waiting.delete(event);
        continue;
      }
      if (waiting.next === undefined || (waiting.said !== undefined && now - waiting.saidAt < placeEveryMs)) continue;
      const bytes = placeEvent(event, waiting.next);
      const text = bytes.toString();
      if (text !== waiting.said) {
        if (!this.#ports.insert(bytes)) return;
        this.#places += 1;
      }
      waiting.next = undefined;
      waiting.said = text;
      waiting.saidAt = now;
    }
  }

  /** The app's bytes on their way to the visitor: they themselves, but for an event that is not whole yet or has another sentence. */
  pass(bytes: Buffer): Buffer {
    const passed = this.#mayRewrite && this.#ports.messages !== "off" ? this.#rewritten(bytes) : bytes;
    if (passed.length > 0) this.#note(passed);
    return passed;
  }

  /** What is held when the stream ends. */
  rest(): Buffer {
    const held = this.#held;
    this.#held = Buffer.alloc(0);
    return held;
  }

  /** For the stream's `edge.deliver`; undefined where nothing was said. */
  get facts(): Facts | undefined {
    const [places, starts, sentences] = [this.#places, this.#starts, this.#sentences];
    if (places + starts + sentences === 0) return undefined;
    return { said: { places, starts, sentences } };
  }

  #rewritten(bytes: Buffer): Buffer {
    const out: Buffer[] = [];
    let rest = this.#held.length > 0 ? Buffer.concat([this.#held, bytes]) : bytes;
    this.#held = Buffer.alloc(0);
    let isBetween = this.#isBetween;
    for (;;) {
      const end = eventEnd(rest);
      if (end < 0) break;
      const whole = rest.subarray(0, end);
      out.push((isBetween ? this.#withTruth(whole) : undefined) ?? whole);
      rest = rest.subarray(end);
      isBetween = true;
    }
    if (isBetween && rest.length <= heldMaxBytes) this.#held = Buffer.from(rest);
    else out.push(rest);
    return out.length === 1 ? (out[0] as Buffer) : Buffer.concat(out);
  }

  /** Undefined where it stays as it is. */
  #withTruth(whole: Buffer): Buffer | undefined {
    if (whole.length > heldMaxBytes) return undefined;
    const text = whole.toString("utf8");
    const [line] = /^data: ?.*$/m.exec(text) ?? [];
    if (line === undefined || /^data:[^]*^data:/m.test(text)) return undefined;
    const ended = line.endsWith("\r") ? "\r" : "";
    const data = line.slice(line.indexOf(":") + 1).trim();
    const event = this.#event ?? /"event_id"\s*:\s*"([0-9a-f]{32})"/.exec(data)?.[1];
    if (event === undefined || (this.#event !== undefined && !/^event: ?error\r?$/m.test(text))) return undefined;
    const refused = this.#ports.refusalOf(event);
    const truth = refused && (this.#event === undefined ? trueMessage(data, refused) : trueResult(data, refused));
    if (refused === undefined || truth === undefined) return undefined;
    this.#sentences += 1;
    this.#ports.onSentence(event, refused);
    return Buffer.from(text.replace(line, () => `data: ${truth}${ended}`));
  }

  #note(passed: Buffer): void {
    this.#last = (this.#last + passed.toString("latin1", Math.max(0, passed.length - 4))).slice(-4);
    this.#isBetween = this.#last.endsWith("\n\n") || this.#last.endsWith("\r\n\r\n");
  }
}

/** Behind the blank line of the first event; -1 where none is whole. */
function eventEnd(bytes: Buffer): number {
  const lf = bytes.indexOf("\n\n");
  const crlf = bytes.indexOf("\r\n\r\n");
  if (lf < 0 && crlf < 0) return -1;
  return crlf >= 0 && (lf < 0 || crlf < lf) ? crlf + 4 : lf + 2;
}
