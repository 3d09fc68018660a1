/** Takes what other workers of this edge tell of Gradio's events, so that it is to this worker's as what passes here. */
import type { SharedEvent, StreamName } from "../shared.ts";
import type { EventStream, GradioEvents } from "./events.ts";

/** Event streams of other workers that are open: two for each visitor of all Spaces at a time, at most. */
const streamsMax = 20_000;

export class Elsewhere {
  readonly #events: GradioEvents;
  /** By worker, and by the stream's request. */
  readonly #streams = new Map<string, Map<string, EventStream>>();
  #count = 0;

  constructor(events: GradioEvents) {
    this.#events = events;
  }

  take(worker: string, told: SharedEvent): void {
    if ("stream" in told) return this.#takeOfStream(worker, told);
    const events = this.#events;
    switch (told.type) {
      case "announced":
        return events.announcedElsewhere(told.replica, told.event);
      case "joined":
        return events.joinedElsewhere(told.replica, told.event, {
          work: told.work,
          session: told.session ?? undefined,
        });
      case "over":
        return events.overElsewhere(told.replica, told.event);
      case "told-instead":
        return events.toldInstead(told, told.event, told.refused);
      case "cancel":
        return events.cancelElsewhere(told.replica, told.event, told.word);
    }
  }

  /** What it carried is broken off. */
  workerEnded(worker: string): void {
    const streams = this.#streams.get(worker);
    if (streams === undefined) return;
    this.#streams.delete(worker);
    this.#count -= streams.size;
    for (const stream of streams.values()) this.#events.closed(stream, "edge");
  }

  #takeOfStream(worker: string, told: Extract<SharedEvent, StreamName>): void {
    const events = this.#events;
    if (told.type === "opened") return this.#open(worker, told);
    const stream = this.#streams.get(worker)?.get(told.stream);
    if (stream === undefined) return;
    switch (told.type) {
      case "heard":
        return events.heard(stream, told.told, told.updates);
      case "unreadable":
        return events.unreadable(stream, told.says);
      case "broke":
        this.#drop(worker, told.stream);
        return events.broke(stream, told.code);
      case "closed":
        this.#drop(worker, told.stream);
        return void events.closed(stream, told.by);
    }
  }

  #open(worker: string, { stream: work, replica, of }: StreamName): void {
    const streams = this.#streams.get(worker) ?? new Map<string, EventStream>();
    if (this.#count >= streamsMax || streams.has(work)) return;
    this.#streams.set(worker, streams);
    this.#count += 1;
    const stream: EventStream = {
      ...{ work, replica, of, heard: false, closing: false, unread: undefined },
      isElsewhere: true,
    };
    streams.set(work, stream);
    this.#events.opened(stream);
  }

  #drop(worker: string, work: string): void {
    const streams = this.#streams.get(worker);
    if (streams?.delete(work) !== true) return;
    this.#count -= 1;
    if (streams.size === 0) this.#streams.delete(worker);
  }
}
