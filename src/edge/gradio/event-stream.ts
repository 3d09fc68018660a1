/**
 * Reads server-sent events from bytes that pass, wherever they are cut, and holds at most an excerpt of one line. Lines end with LF
 * or CRLF, as every Gradio writes them. https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
 */
import { Excerpt } from "./excerpt.ts";

export interface StreamEvent {
  /** The `event:` field; "" without one. */
  readonly name: string;
  /** The `data:` field: whole, or its beginning. */
  readonly data: string;
  /** The end of a `data:` that was too long to be kept; undefined where it is whole. */
  readonly tail: string | undefined;
}

/** An event that tells how a call ended badly is far shorter; a picture is longer and need not be read. */
const lineMaxBytes = 16_384;
/** Behind a long output stand only `success` and a few short fields. */
const tailMaxBytes = 4_096;
const newline = 10;

export class EventStreamReader {
  readonly #onEvent: (event: StreamEvent) => void;
  readonly #line = new Excerpt(lineMaxBytes, tailMaxBytes);
  #name = "";
  #data: { readonly text: string; readonly tail: string | undefined } | undefined;

  constructor(onEvent: (event: StreamEvent) => void) {
    this.#onEvent = onEvent;
  }

  push(bytes: Buffer): void {
    let at = 0;
    for (;;) {
      const end = bytes.indexOf(newline, at);
      if (end < 0) break;
      if (end > at) this.#line.push(bytes.subarray(at, end));
      this.#endLine();
      at = end + 1;
    }
    if (at < bytes.length) this.#line.push(bytes.subarray(at));
  }

  #endLine(): void {
    const { isWhole, head } = this.#line;
    const tail = isWhole ? undefined : withoutReturn(this.#line.tail);
    const line = isWhole ? withoutReturn(head) : head;
    this.#line.clear();
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "event") this.#name = value;
    // A second line of data: Gradio's events have one, and of others only the first is looked at.
    else if (field === "data") this.#data ??= { text: value, tail };
  }

  #dispatch(): void {
    const [name, data] = [this.#name, this.#data];
    this.#name = "";
    this.#data = undefined;
    if (data !== undefined) this.#onEvent({ name, data: data.text, tail: data.tail });
  }
}

function withoutReturn(text: string): string {
  return text.endsWith("\r") ? text.slice(0, -1) : text;
}
