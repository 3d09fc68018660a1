/**
 * Shows a browser how its Space wakes up, in one answer that grows until the app answers or will not. It is a 503 like other answers of
 * ours that ask to come again: whoever keeps or reads it is not to take it for the app's.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { startStages } from "../contract/starts.ts";
import { prefersHtml } from "../http/accept.ts";
import { pageEnd, proseHtml } from "../http/page.ts";
import { verdictOf, writePageHead } from "../http/reply.ts";
import type { ProblemReply } from "../http/reply.ts";
import { stageBegins, stageEnds, startedAgain, wakingListEnds, wakingOpens, wakingTop } from "../http/waking-page.ts";
import { wakingSignEveryMs, wakingTriesShown } from "./limits.ts";
import type { SpaceRoute, Waking } from "./ports.ts";

/** Whether it is somebody who opens a page in a tab of their own: what is opened in a frame has to be the app, since our pages may not be framed. */
export function opensPage({ method, headers }: Pick<IncomingMessage, "method" | "headers">): boolean {
  const isDocument = (headers["sec-fetch-dest"] ?? "document") === "document";
  const isNavigation = (headers["sec-fetch-mode"] ?? "navigate") === "navigate";
  return method === "GET" && isDocument && isNavigation && prefersHtml(headers.accept);
}

/** How far its start is, where that is known. */
export function wakingOf(route: SpaceRoute | undefined): Waking | undefined {
  return route?.state.kind === "asleep" ? route.state.waking : undefined;
}

const unknown: Waking = { reached: {}, usual: {}, ended: 0, withinMs: null };

export class WakingPage {
  readonly #response: ServerResponse;
  /** Lines that are whole. */
  #done = 0;
  #ended = 0;
  #told: Waking;
  #writtenAt: number;

  constructor(
    response: ServerResponse,
    reply: ProblemReply,
    begun: { readonly waking: Waking | undefined; now: number },
  ) {
    this.#response = response;
    this.#told = begun.waking ?? unknown;
    this.#writtenAt = begun.now;
    this.#ended = this.#told.ended;
    writePageHead(response, reply);
    this.#write(`${wakingTop(this.#told.withinMs)}${this.#begins()}${this.#reached(this.#told)}`);
  }

  /** Looked at now and then: writes what has come, and a sign of life where nothing has, for the proxies on the way. */
  look(waking: Waking | undefined, now: number): void {
    const told = waking ?? this.#told;
    const text = `${this.#again(told)}${this.#reached(told)}`;
    this.#told = told;
    if (text === "" && now - this.#writtenAt < wakingSignEveryMs) return;
    this.#writtenAt = now;
    this.#write(text === "" ? "\n" : text);
  }

  /** The app answers. `wokeMs`: how long its start took. */
  opens(wokeMs: number | undefined): void {
    const { reached } = this.#told;
    let text = "";
    for (; this.#done < startStages.length; this.#done += 1) {
      // What was not heard of before came with the last one.
      const stage = startStages[this.#done] as (typeof startStages)[number];
      if (text !== "") text += stageBegins(stage, this.#told.usual);
      text += stageEnds(reached[stage] ?? wokeMs);
    }
    this.#end(`${text}${wakingOpens}`);
  }

  /** It will not answer, or not in time. */
  fails(reply: ProblemReply): void {
    const isOpen = this.#done < startStages.length;
    const left = isOpen ? "<b>✕ not reached</b></li>\n" : "";
    this.#end(`${left}${wakingListEnds}<h2>${proseHtml(reply.problem.title)}</h2>\n${verdictOf(reply)}${pageEnd}`);
  }

  /** The line of the stage that is waited for. */
  #begins(): string {
    const stage = startStages[this.#done];
    return stage === undefined ? "" : stageBegins(stage, this.#told.usual);
  }

  #reached({ reached, usual }: Waking): string {
    let text = "";
    for (;;) {
      const stage = startStages[this.#done];
      const at = stage && reached[stage];
      if (at === undefined) return text;
      this.#done += 1;
      const next = startStages[this.#done];
      text += `${stageEnds(at)}${next === undefined ? "" : stageBegins(next, usual)}`;
    }
  }

  /** Its replica ended, and another one follows: from the first stage on. */
  #again({ ended, usual }: Waking): string {
    if (ended === this.#ended) return "";
    this.#ended = ended;
    if (ended > wakingTriesShown) return "";
    this.#done = 0;
    return `${startedAgain}${stageBegins(startStages[0], usual)}`;
  }

  #write(html: string): void {
    // What is on its way is far below what a socket takes: a visitor who reads nothing of it has it in their buffers.
    this.#response.write(Buffer.from(html));
  }

  #end(html: string): void {
    this.#response.end(Buffer.from(html));
  }
}
