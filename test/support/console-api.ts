/** A console API that a test scripts by method and path; for the client and the command line. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: string;
}

export type Reply = unknown | ((response: ServerResponse) => void);

export class ScriptedConsole implements AsyncDisposable {
  readonly received: Received[] = [];
  /** `GET /api/status` → a body, or a function that answers. */
  readonly routes = new Map<string, Reply>();
  readonly #server = createServer((request, response) => void this.#take(request, response));

  async listen(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = "", url: path = "", headers } = request;
    this.received.push({ method, path, authorization: headers.authorization, body: Buffer.concat(chunks).toString() });
    const reply = this.routes.get(`${method} ${path}`);
    if (typeof reply === "function") return void reply(response);
    if (reply === undefined)
      return problem(response, { status: 404, detail: `nothing at ${path}`, boundary: "control", code: "not-found" });
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(reply));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export function problem(response: ServerResponse, fields: { status: number } & Record<string, unknown>): void {
  const whole = {
    type: "about:blank",
    title: "Refused",
    owner: "visitor",
    retry: "never",
    next: "Do something else.",
    ...fields,
  };
  response.writeHead(fields.status, { "content-type": "application/problem+json" }).end(JSON.stringify(whole));
}

export const build = {
  id: "b_1",
  space: "alice/demo",
  commit: "c".repeat(40),
  stage: "done",
  outcome: "ok",
  code: null,
  says: "Built.",
  queuedAt: "2026-11-22T12:00:00.000Z",
  queuedMs: 100,
  tookMs: 6_200,
  logLines: 2,
  because: [] as string[],
  steps: [{ name: "install", state: "done", tookMs: 6_100 }],
};

export const space = {
  id: "alice/demo",
  owner: "alice",
  name: "demo",
  sdk: "node",
  state: "running",
  since: "2026-11-22T12:00:07.000Z",
  says: "One replica answers.",
  reason: { says: "One replica answers.", code: null },
  actor: { kind: "app", account: null },
  deadline: null,
  ends: "It ends when its owner or the operator stops it.",
  addresses: ["http://alice-demo.localhost:7070", "http://127.9.9.9:7070"],
  settings: { "on-leave": "finish" },
  build,
  release: "rel_1",
  replicas: [{ id: "rep_1", phase: "ready", since: "2026-11-22T12:00:07.000Z", says: "Listens." }],
};
