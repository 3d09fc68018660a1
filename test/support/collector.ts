/** A collector of traces, as OpenTelemetry's is at its HTTP door: it takes spans in OTLP's JSON form and keeps them. */
import { createServer } from "node:http";
import { json } from "node:stream/consumers";
import { once } from "node:events";
import type { AddressInfo } from "node:net";

export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly links?: readonly { readonly traceId: string }[];
}

interface Body {
  readonly resourceSpans: readonly { readonly scopeSpans: readonly { readonly spans: readonly CollectedSpan[] }[] }[];
}

export class Collector implements AsyncDisposable {
  readonly spans: CollectedSpan[] = [];
  readonly #server = createServer((request, response) => {
    void json(request).then((body) => {
      if (request.url !== "/v1/traces" || request.method !== "POST") return response.writeHead(404).end();
      const { resourceSpans } = body as Body;
      this.spans.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)));
      return response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  });

  static async open(): Promise<Collector> {
    const collector = new Collector();
    collector.#server.listen(0, "127.0.0.1");
    await once(collector.#server, "listening");
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Of works, by their traces: a work's own span has no parent. */
  root(traceId: string | undefined): CollectedSpan | undefined {
    return this.spans.find((span) => span.traceId === traceId && span.parentSpanId === undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
