/** An app that speaks Gradio's protocol as 6.31 does, without Gradio: for what a client makes of it. Scripted a function at a time. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type StandInEvent = Readonly<Record<string, unknown>>;

const event = "0123456789abcdef0123456789abcdef";

export class GradioStandIn implements AsyncDisposable {
  readonly joins: { data: unknown[]; authorization: string | undefined }[] = [];
  readonly uploads: string[] = [];
  cancels = 0;
  speaksGradio = true;
  /** What the stream of the next join tells, a text as it is; it stays open where none of them ends it. */
  events: readonly (StandInEvent | string)[] = [];
  /** What is waited for before the last event is told. */
  beforeLast: Promise<unknown> = Promise.resolve();
  /** The work's id of the next join, as the edge gives it. */
  work = "q_1";
  files: Readonly<Record<string, string>> = {};
  readonly #server = createServer((request, response) => void this.#take(request, response));

  async listen(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? "";
    // As the edge passes on what an app answers.
    response.setHeader("proxy-status", "waybill; received-status=200");
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    const json = (value: unknown): void =>
      void response
        .writeHead(200, { "content-type": "application/json", "x-waybill-id": this.work })
        .end(JSON.stringify(value));
    if (!this.speaksGradio)
      return void response
        .writeHead(404, { "content-type": "application/problem+json" })
        .end(JSON.stringify({ status: 404, title: "Not found", detail: "This app has nothing here." }));
    if (path === "/config")
      return json({
        version: "6.31.0",
        api_prefix: "/gradio_api",
        dependencies: [
          { id: 4, api_name: "render" },
          { id: 5, api_name: false },
        ],
      });
    if (path === "/gradio_api/info") return json({ named_endpoints: { "/render": { parameters } } });
    if (path === "/gradio_api/upload") {
      this.uploads.push(body);
      return json(["/tmp/gradio/stored.png"]);
    }
    if (path === "/gradio_api/queue/join") {
      const { data } = JSON.parse(body) as { data: unknown[] };
      this.joins.push({ data, authorization: request.headers.authorization });
      return json({ event_id: event });
    }
    if (path === "/gradio_api/cancel") {
      this.cancels += 1;
      return json({ success: true });
    }
    if (path.startsWith("/gradio_api/queue/data")) return this.#stream(response);
    const file = /^\/gradio_api\/file=(.*)$/.exec(path)?.[1];
    const content = file === undefined ? undefined : this.files[decodeURI(file)];
    response.writeHead(content === undefined ? 404 : 200).end(content ?? "");
  }

  async #stream(response: ServerResponse): Promise<void> {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const [at, told] of this.events.entries()) {
      if (at === this.events.length - 1) await this.beforeLast;
      response.write(`data: ${typeof told === "string" ? told : JSON.stringify({ event_id: event, ...told })}\n\n`);
    }
    const last = this.events.at(-1);
    if (typeof last === "object" && last["msg"] === "process_completed") response.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const parameters = [
  {
    parameter_name: "zoom",
    parameter_has_default: true,
    parameter_default: 1,
    type: { type: "number" },
    component: "Slider",
  },
  {
    parameter_name: "title",
    parameter_has_default: false,
    parameter_default: null,
    type: { type: "string" },
    component: "Textbox",
  },
  { parameter_name: "picture", parameter_has_default: true, parameter_default: null, type: {}, component: "Image" },
];
