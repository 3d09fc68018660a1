/** The visitors of the edge's benchmark: raw sockets, since what they cost is the machine's too. */
import { connect } from "node:net";
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

import { event, smallBytes } from "./edge-app.ts";
import { quantile } from "./document.ts";
import { cpuUs } from "./process-cpu.ts";

export const host = "alice-demo.localhost";
/** Connections that wait to be accepted at one time, when many are opened. */
const openAtOnce = 100;

const browserHeaders = [
  `Host: ${host}`,
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  "Accept-Language: en-GB,en;q=0.9",
  "Accept-Encoding: gzip, deflate, br",
  "Cookie: theme=dark; session=0123456789abcdef",
  "Sec-Fetch-Mode: navigate",
  "Sec-Fetch-Site: none",
];
const get = (path: string, token?: string): string => {
  const shown = token === undefined ? "" : `\r\nAuthorization: Bearer ${token}`;
  return `GET ${path} HTTP/1.1\r\n${browserHeaders.join("\r\n")}\r\nCache-Control: no-cache${shown}\r\n\r\n`;
};
const upgrade = `GET /socket HTTP/1.1\r\n${browserHeaders.join("\r\n")}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
/** A masked text frame of 32 bytes (RFC 6455 §5.2). */
const frame = Buffer.concat([Buffer.from([0x81, 0x80 | 32, 1, 2, 3, 4]), Buffer.alloc(32, 0x61)]);

export type Want = "small" | "big" | "upload";

/** What is asked for, and how many bytes an answer's body has at least. */
export interface Wanted {
  readonly want: Want;
  readonly uploadBytes: number;
  /** An access token that all of them show. */
  readonly token?: string;
}

function requestOf({ want, uploadBytes, token }: Wanted): Buffer {
  if (want !== "upload") return Buffer.from(get(want === "small" ? "/small?v=1" : "/big", token));
  const head = `POST /upload HTTP/1.1\r\n${browserHeaders.join("\r\n")}\r\nContent-Length: ${uploadBytes}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), Buffer.alloc(uploadBytes, 0x62)]);
}

/** One visitor's connection, kept open: one request after the other. */
class Visitor {
  readonly socket: Socket;
  /** An answer is whole. */
  onAnswer: () => void = () => {};
  #left = -1;
  #head = "";

  constructor(port: number, onError: (error: Error) => void) {
    this.socket = connect({ host: "127.0.0.1", port, noDelay: true });
    this.socket.on("error", onError);
    this.socket.on("close", () => onError(new Error("a proxy closed a connection in the middle of the run")));
    this.socket.on("data", (bytes: Buffer) => {
      try {
        this.#take(bytes);
      } catch (error) {
        onError(error as Error);
      }
    });
  }

  #take(bytes: Buffer): void {
    let body = bytes.length;
    if (this.#left < 0) {
      const text = this.#head + bytes.toString("latin1", 0, Math.min(bytes.length, 4_096));
      const end = text.indexOf("\r\n\r\n");
      if (end < 0) {
        this.#head = text;
        return;
      }
      if (!text.startsWith("HTTP/1.1 200 ")) throw new Error(text.slice(0, 300));
      const length = /\ncontent-length: (\d+)\r/i.exec(text)?.[1];
      if (length === undefined) throw new Error(`an answer without a length: ${text.slice(0, 300)}`);
      this.#left = Number(length);
      body = this.#head.length + bytes.length - end - 4;
      this.#head = "";
    }
    this.#left -= body;
    if (this.#left > 0) return;
    this.#left = -1;
    this.onAnswer();
  }
}

/** Each connection sends its next request when the answer before is whole. Resolves with the answers that came in time. */
export function closedLoop(port: number, ms: number, connections: number, wanted: Wanted): Promise<number> {
  const request = requestOf(wanted);
  return new Promise((resolve, reject) => {
    let answered = 0;
    let over = false;
    const fail = (error: Error): void => {
      if (!over) reject(error);
    };
    const visitors = Array.from({ length: connections }, () => {
      const visitor = new Visitor(port, fail);
      visitor.onAnswer = () => {
        answered += 1;
        if (!over) visitor.socket.write(request);
      };
      visitor.socket.write(request);
      return visitor;
    });
    setTimeout(() => {
      over = true;
      for (const { socket } of visitors) socket.destroy();
      resolve(answered);
    }, ms);
  });
}

export interface Windows {
  readonly port: number;
  /** Whose CPU time counts. */
  readonly pids: readonly number[];
  readonly connections: number;
  readonly ms: number;
  /** Of each of the two. */
  readonly count: number;
}

/** As {@link closedLoop}, for two kinds of requests that take turns on the same connections. Resolves with what one request cost, in microseconds, window by window. */
export async function inWindows(
  { port, pids, connections, ms, count }: Windows,
  wanted: readonly [Wanted, Wanted],
): Promise<readonly [number[], number[]]> {
  const requests = wanted.map(requestOf) as [Buffer, Buffer];
  const us: [number[], number[]] = [[], []];
  let [answered, which]: [number, 0 | 1] = [0, 0];
  let failed: Error | undefined;
  const visitors = Array.from({ length: connections }, () => {
    const visitor = new Visitor(port, (error) => (failed ??= error));
    visitor.onAnswer = () => {
      answered += 1;
      visitor.socket.write(requests[which]);
    };
    visitor.socket.write(requests[which]);
    return visitor;
  });
  try {
    // Who is first changes, so that what grows or shrinks with time is neither's.
    for (let n = 0; n < 2 * count; n++) {
      which = n % 4 === 0 || n % 4 === 3 ? 0 : 1;
      const [before, since] = [cpuUs(pids), answered];
      await delay(ms);
      if (failed !== undefined) throw failed;
      us[which].push((cpuUs(pids) - before) / (answered - since));
    }
    return us;
  } finally {
    failed ??= new Error("it is over");
    for (const { socket } of visitors) socket.destroy();
  }
}

/** Requests come at this rate whether answers do or not; a request's time begins when it was due. Resolves with their 99th percentile. */
export function openLoop(port: number, ms: number, connections: number, perSecond: number): Promise<number> {
  const request = requestOf({ want: "small", uploadBytes: 0 });
  return new Promise((resolve, reject) => {
    const times: number[] = [];
    const due: number[] = [];
    const free: Visitor[] = [];
    let over = false;
    const fail = (error: Error): void => {
      if (!over) reject(error);
    };
    const visitors = Array.from({ length: connections }, () => {
      const visitor = new Visitor(port, fail);
      free.push(visitor);
      return visitor;
    });
    const send = (): void => {
      while (due.length > 0 && free.length > 0) {
        const visitor = free.pop() as Visitor;
        const dueAt = due.shift() as number;
        visitor.onAnswer = () => {
          times.push(performance.now() - dueAt);
          free.push(visitor);
          send();
        };
        visitor.socket.write(request);
      }
    };
    const beganAt = performance.now();
    let sent = 0;
    const tick = (): void => {
      const now = performance.now();
      if (now - beganAt >= ms) {
        over = true;
        for (const { socket } of visitors) socket.destroy();
        // What is still due has waited at least so long.
        resolve(quantile([...times, ...due.map((at) => now - at)], 0.99));
        return;
      }
      for (; sent < ((now - beganAt) / 1_000) * perSecond; sent++) due.push(beganAt + (sent * 1_000) / perSecond);
      send();
      setTimeout(tick, 1);
    };
    tick();
  });
}

/** Many connections that stay open until they are dropped. */
export class Crowd {
  readonly #sockets: Socket[] = [];
  #heard = 0;
  #speaking: NodeJS.Timeout | undefined;

  /** Resolves when each of them has had its first answer: idle ones a whole one, streams an event, sockets their own frame back. */
  async open(port: number, count: number, kind: "idle" | "streams" | "sockets"): Promise<void> {
    for (let opened = 0; opened < count; opened += openAtOnce) {
      const batch = Math.min(openAtOnce, count - opened);
      await Promise.all(Array.from({ length: batch }, () => this.#one(port, kind)));
    }
  }

  /** Events or frames that came in this time; sockets send one each in every pause of `everyMs` meanwhile. */
  async listen(ms: number, everyMs: number | undefined): Promise<number> {
    if (everyMs !== undefined) this.#speak(everyMs);
    const before = this.#heard;
    await new Promise((resolve) => setTimeout(resolve, ms));
    clearInterval(this.#speaking);
    return this.#heard - before;
  }

  drop(): void {
    for (const socket of this.#sockets.splice(0)) socket.destroy();
  }

  /** A part of them each 10 ms. */
  #speak(everyMs: number): void {
    const beganAt = performance.now();
    let sent = 0;
    this.#speaking = setInterval(() => {
      const until = ((performance.now() - beganAt) / everyMs) * this.#sockets.length;
      for (; sent < until; sent++) this.#sockets[sent % this.#sockets.length]?.write(frame);
    }, 10);
  }

  #one(port: number, kind: "idle" | "streams" | "sockets"): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: "127.0.0.1", port, noDelay: true });
      this.#sockets.push(socket);
      let text = "";
      let begun = false;
      socket.on("error", reject).on("close", () => reject(new Error(`closed: ${text.slice(0, 300)}`)));
      socket.on("data", (bytes: Buffer) => {
        if (begun) {
          // Several may have come at once; an empty line ends an event, and nothing else here has one.
          this.#heard +=
            kind === "sockets" ? bytes.length / frame.length : bytes.toString("latin1").split("\n\n").length - 1;
          return;
        }
        text += bytes.toString("latin1");
        if (kind === "sockets" && text.endsWith("\r\n\r\n") && text.startsWith("HTTP/1.1 101")) socket.write(frame);
        const whole =
          kind === "idle"
            ? text.length >= smallBytes + text.indexOf("\r\n\r\n") + 4 && text.includes("\r\n\r\n")
            : kind === "streams"
              ? text.includes(event)
              : text.length >= text.indexOf("\r\n\r\n") + 4 + frame.length && text.includes("\r\n\r\n");
        if (!whole) return;
        begun = true;
        resolve();
      });
      socket.write(kind === "sockets" ? upgrade : get(kind === "idle" ? "/small" : "/events"));
    });
  }
}
