/** Visitors of an app who never rest, each in its own way: what goes wrong for any of them is counted. */
import { request } from "node:http";
import type { Agent, IncomingHttpHeaders } from "node:http";
import { connect } from "node:net";

/** An app for them: a page, an endless stream, an echo over an upgrade, and a counter of what is uploaded. */
export const loadApp = `
import { createServer } from "node:http";
const server = createServer((request, response) => {
  if (request.url.startsWith("/events")) {
    response.writeHead(200, { "content-type": "text/event-stream" });
    let n = 0;
    const timer = setInterval(() => response.write("data: " + n++ + "\\n\\n"), 20);
    response.on("close", () => clearInterval(timer));
    return;
  }
  if (request.method === "POST") {
    let bytes = 0;
    request.on("data", (piece) => (bytes += piece.length)).on("end", () => response.end(String(bytes)));
    return;
  }
  response.end("ok " + process.env.WAYBILL_REPLICA);
});
server.on("upgrade", (request, socket) => {
  socket.write("HTTP/1.1 101 Switching Protocols\\r\\nconnection: upgrade\\r\\nupgrade: websocket\\r\\n\\r\\n");
  socket.on("error", () => socket.destroy()).pipe(socket);
});
server.listen(process.env.PORT);
`;

export interface Load {
  /** So far. */
  readonly answered: number;
  readonly failures: readonly string[];
  stop(): Promise<void>;
}

/** `each` again and again, by so many visitors at once. */
export function loadOf(visitors: number, each: () => Promise<void>): Load {
  const failures: string[] = [];
  let answered = 0;
  let isOver = false;
  const visit = async (): Promise<void> => {
    while (!isOver) {
      try {
        await each();
        answered += 1;
      } catch (error) {
        failures.push(`${new Date().toISOString()} ${String(error)}`);
      }
    }
  };
  const all = Promise.all(Array.from({ length: visitors }, visit));
  return {
    get answered() {
      return answered;
    },
    failures,
    async stop() {
      isOver = true;
      await all;
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** One request; `agent`: on a kept connection, false: on one of its own. */
export function get(
  url: string,
  {
    agent = false,
    headers = {},
    body,
  }: { agent?: Agent | false; headers?: Record<string, string>; body?: Buffer } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const method = body === undefined ? "GET" : "POST";
    const asked = request(url, { agent, headers, method }, (response) => {
      const pieces: Buffer[] = [];
      response.on("data", (piece: Buffer) => pieces.push(piece)).on("error", reject);
      response.on("end", () => {
        const { statusCode: status = 0, headers: its } = response;
        resolve({ status, headers: its, text: Buffer.concat(pieces).toString() });
      });
    });
    asked.on("error", reject).end(body);
  });
}

export async function well(answer: Promise<Answer>): Promise<void> {
  const { status, text } = await answer;
  if (status !== 200) throw new Error(`${status} ${text.slice(0, 300)}`);
}

/** A stream of events that is read without end. */
export class Stream {
  events = 0;
  broken: string | undefined;
  /** Its id. */
  work = "";
  readonly #asked;

  constructor(url: string) {
    this.#asked = request(url, { agent: false }, (response) => {
      this.work = String(response.headers["x-waybill-id"]);
      const broke = (how: string) => (): void => void (this.broken ??= `${how} after ${this.events} events`);
      response
        .on("data", () => (this.events += 1))
        .on("end", broke("ended"))
        .on("error", broke("broken"));
    }).on("error", (error) => (this.broken ??= String(error)));
    this.#asked.end();
  }

  stop(): void {
    this.broken ??= "";
    this.#asked.destroy();
  }
}

/** An upgraded connection on which what is said comes back. */
export class Echo {
  echoed = 0;
  broken: string | undefined;
  readonly #socket;
  readonly #timer;

  constructor(url: string, host: string) {
    const { hostname, port } = new URL(url);
    this.#socket = connect(Number(port), hostname);
    this.#socket.write(
      `GET /echo HTTP/1.1\r\nhost: ${host}\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    );
    const broke = (how: string) => (): void => void (this.broken ??= `${how} after ${this.echoed} bytes`);
    this.#socket.on("data", (bytes: Buffer) => (this.echoed += bytes.length));
    this.#socket.on("end", broke("ended")).on("error", broke("broken")).on("close", broke("closed"));
    this.#timer = setInterval(() => this.#socket.write("x"), 20);
  }

  stop(): void {
    this.broken ??= "";
    clearInterval(this.#timer);
    this.#socket.destroy();
  }
}

/** An upload that is sent in pieces until it is told to end; resolves with what the app has counted, and what was sent. */
export function upload(url: string): { end(): Promise<{ sent: number; counted: number; status: number }> } {
  const piece = Buffer.alloc(10_000, "x");
  let sent = 0;
  const answer = Promise.withResolvers<Answer>();
  const asked = request(url, { agent: false, method: "POST" }, (response) => {
    let text = "";
    response.setEncoding("utf8").on("data", (more: string) => (text += more));
    const { statusCode: status = 0, headers } = response;
    response.on("end", () => answer.resolve({ status, headers, text })).on("error", answer.reject);
  }).on("error", answer.reject);
  const timer = setInterval(() => {
    asked.write(piece);
    sent += piece.length;
  }, 20);
  return {
    async end() {
      clearInterval(timer);
      asked.end();
      const { status, text } = await answer.promise;
      return { sent, counted: Number(text), status };
    },
  };
}
