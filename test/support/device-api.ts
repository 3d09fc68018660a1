/** A Device API that a test scripts: it answers `/schedule` as told and keeps what it was asked. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Asked {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
}

type Answer = (response: ServerResponse, asked: Asked, request: IncomingMessage) => void;

export class ScriptedDeviceApi implements AsyncDisposable {
  readonly asked: Asked[] = [];
  /** Replaced by a test; the defaults grant at once and accept everything. */
  schedule: Answer = (response) => grantNow(response);
  allow: Answer = (response) => plain(response, 200);
  release: Answer = (response) => plain(response, 200);
  readonly #server = createServer((request, response) => this.#take(request, response));

  async listen(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  of(path: string): Asked[] {
    return this.asked.filter((asked) => asked.path === path);
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", "http://device");
    const asked = { path: url.pathname, query: Object.fromEntries(url.searchParams) };
    this.asked.push(asked);
    const answers: Record<string, Answer> = {
      "/schedule": this.schedule,
      "/allow": this.allow,
      "/release": this.release,
    };
    (answers[asked.path] ?? ((other) => plain(other, 404)))(response, asked, request);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export const grant = { idle: false, nvidiaIndex: 0, nvidiaUUID: "GPU-0", allowToken: "t1", slot: "n1/0/0" };

export function grantNow(response: ServerResponse, fields: Partial<typeof grant> = {}): void {
  response
    .writeHead(200, { "content-type": "application/json", "x-waybill-id": "c_1" })
    .end(JSON.stringify({ ...grant, ...fields }));
}

export function stream(response: ServerResponse): (event: string, data?: unknown) => void {
  response.writeHead(200, { "content-type": "text/event-stream", "x-waybill-id": "c_2" });
  return (event, data = "") => {
    response.write(`event: ${event}\ndata: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`);
  };
}

export function plain(response: ServerResponse, status: number, body: unknown = ""): void {
  response.writeHead(status, { "content-type": "application/json" }).end(body === "" ? "" : JSON.stringify(body));
}
