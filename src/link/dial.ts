/** The agent's side of a connection over a network: dials out, goes on after a loss, and begins anew where the server has forgotten it. */
import type { IncomingMessage } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { WebSocket } from "ws";
import type { ToAgent, ToServer } from "../contract/agent.ts";
import { newId, type RandomBytes } from "../stdx/ids.ts";
import type { AgentEnd } from "./memory.ts";
import { parseToAgent } from "./messages.ts";
import { isCount } from "./session.ts";
import { linkPath, parseTerms, versionHeader, type Terms } from "./terms.ts";
import { keepAlive, socketMaxBytes, textOf, WireEnd, wireTiming, type WireTiming } from "./wire.ts";

export interface DialOptions {
  /** Addresses of servers, `http://host:port` or `https://…`, tried in turn. */
  readonly servers: readonly string[];
  /** The node's token, asked for at each try. */
  token(): string;
  /** The agent's own. */
  readonly version: string;
  readonly random: RandomBytes;
  /** On a clock that never steps back. */
  now(): number;
  /** Each fresh connection, before any message of it; one after another. Not called for one that goes on. */
  onLink(link: AgentEnd, terms: Terms): void;
  /** A server was not reached, or refused; the next try comes by itself. */
  onTrouble(trouble: DialTrouble): void;
  /** The server said what cannot be taken: the connection is over, and begun anew. */
  onFailure(what: string, error: unknown): void;
  readonly timing?: WireTiming;
}

export interface DialTrouble {
  readonly server: string;
  /** Its HTTP status where it answered and refused; 409: it is of another version. */
  readonly status: number | undefined;
  readonly says: string;
}

/** Between tries: doubled from the first to the last, so that a take-over is noticed within it, and a crowd of agents is no burden. */
const pauseFirstMs = 100;
const pauseMostMs = 2_000;
/** A connection that lived for so long was no failed try. */
export const livedMs = 1_000;

/** Of a refusal's body. */
const refusalMax = 4_096;

interface Going {
  readonly id: string;
  readonly end: WireEnd<ToServer, ToAgent>;
  /** The server knows it. */
  begun: boolean;
}

/** Dials until it is closed. */
export function dial(options: DialOptions): Disposable {
  const dialler = new Dialler(options);
  void dialler.run();
  return dialler;
}

/** Before the next try, after so many that failed. */
export function pauseMs(tries: number, random: RandomBytes): number {
  const most = Math.min(pauseMostMs, pauseFirstMs * 2 ** Math.min(tries, 10));
  const [part = 0] = random(1);
  return most / 2 + (most / 2) * (part / 256);
}

class Dialler implements Disposable {
  readonly #options: DialOptions;
  readonly #timing: WireTiming;
  readonly #stop = new AbortController();
  #session: Going | undefined;
  #tries = 0;

  constructor(options: DialOptions) {
    this.#options = options;
    this.#timing = options.timing ?? wireTiming;
  }

  /** Tries one server after another, each until its connection ends. */
  async run(): Promise<void> {
    const { servers } = this.#options;
    while (!this.#stop.signal.aborted) {
      const lived = await this.#connect(servers[this.#tries % servers.length] as string);
      this.#tries = lived ? 0 : this.#tries + 1;
      await this.#pause();
    }
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    this.#session?.end.close();
  }

  async #pause(): Promise<void> {
    const ms = pauseMs(this.#tries, this.#options.random);
    await delay(ms, undefined, { signal: this.#stop.signal }).catch(() => undefined); // told to stop
  }

  /** Resolves when the connection is over, or never was: whether it lived for {@link livedMs}. */
  #connect(server: string): Promise<boolean> {
    const session = this.#sessionToGoOn();
    const socket = new WebSocket(addressOf(server, linkPath), {
      headers: { authorization: `Bearer ${this.#options.token()}`, [versionHeader]: this.#options.version },
      handshakeTimeout: this.#timing.silentMs,
      maxPayload: socketMaxBytes,
      perMessageDeflate: false,
    });
    const over = Promise.withResolvers<boolean>();
    const { now, onTrouble } = this.#options;
    let joinedAt: number | undefined;
    let isTold = false;
    // A socket that is ended for one trouble tells another of its own.
    const trouble = (says: string, status?: number): void => {
      if (!isTold && !this.#stop.signal.aborted) onTrouble({ server, status, says });
      isTold = true;
    };
    const late = setTimeout(() => socket.terminate(), this.#timing.silentMs);
    const stop = (): void => socket.terminate();
    this.#stop.signal.addEventListener("abort", stop, { once: true });
    socket.once("open", () => {
      keepAlive(socket, this.#timing, now);
      socket.send(JSON.stringify({ open: { session: session.id, begins: !session.begun, got: session.end.got } }));
    });
    socket.once("message", (data) => {
      clearTimeout(late);
      const answer = parseAnswer(textOf(data));
      if (answer === undefined) trouble("it speaks another protocol than this agent");
      else if (answer !== "gone") {
        joinedAt = now();
        return this.#goOn(session, socket, answer);
      }
      session.end.close();
      socket.terminate();
    });
    socket.once("unexpected-response", (_request, response) => {
      const { statusCode } = response;
      void detailOf(response).then((detail) => {
        const other = statusCode === 409 ? detail : undefined;
        trouble(
          statusCode === 401 ? "it refused this node's token" : (other ?? `it answered with status ${statusCode}`),
          statusCode,
        );
        socket.terminate();
      });
    });
    socket.on("error", (error) => trouble(error.message));
    socket.once("close", () => {
      clearTimeout(late);
      this.#stop.signal.removeEventListener("abort", stop);
      over.resolve(joinedAt !== undefined && now() - joinedAt >= livedMs);
    });
    return over.promise;
  }

  #sessionToGoOn(): Going {
    if (this.#session === undefined || this.#session.end.isOver) {
      const id = newId("ln", this.#options.random);
      const onMisfit = (error: unknown): void =>
        this.#options.onFailure("a message of the server, to whom the connection is over", error);
      const end = new WireEnd<ToServer, ToAgent>({ parse: parseToAgent, onMisfit }, this.#timing);
      this.#session = { id, end, begun: false };
    }
    return this.#session;
  }

  #goOn(session: Going, socket: WebSocket, { got, terms }: Answer): void {
    if (!session.end.attach(socket, got)) return socket.terminate();
    if (session.begun) return;
    session.begun = true;
    this.#options.onLink(session.end, terms);
  }
}

interface Answer {
  readonly got: number;
  readonly terms: Terms;
}

/** `gone`: the server knows nothing of the session. */
function parseAnswer(text: string): Answer | "gone" | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof value !== "object" || value === null) return undefined;
  if ("gone" in value) return "gone";
  const { got, terms } = value as Record<string, unknown>;
  const parsed = parseTerms(terms);
  return isCount(got) && parsed ? { got, terms: parsed } : undefined;
}

/** What a server's refusal says; undefined where that is nothing, or not to be read. */
async function detailOf(response: IncomingMessage): Promise<string | undefined> {
  try {
    let body = "";
    for await (const part of response.setEncoding("utf8")) {
      body += part as string;
      if (body.length > refusalMax) return undefined;
    }
    const { detail } = JSON.parse(body) as { readonly detail?: unknown };
    return typeof detail === "string" ? detail : undefined;
  } catch {
    return undefined; // its status says enough
  }
}

export function addressOf(server: string, path: string): string {
  const url = new URL(path, server);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}
