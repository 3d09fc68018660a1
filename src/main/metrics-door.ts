/** `GET /metrics` on an address of its own, without a token: for a Prometheus that is let in by the network. */
import { createServer } from "node:http";
import { isIP } from "node:net";
import type { ServerResponse } from "node:http";
import { metricsType } from "../control/metrics.ts";

export interface MetricsAddress {
  readonly address: string;
  readonly port: number;
}

export interface MetricsDoorOptions {
  metrics(): Promise<string>;
  onFailure(what: string, error: unknown): void;
}

/** Scrapers that are connected at once: one, as a rule. */
const connectionsMax = 16;
const requestWithinMs = 10_000;

/** `127.0.0.1:9464`, `[::1]:9464`; null where nothing is set. What is wrong with it is added to `problems`. */
export function metricsAddress(text: string | undefined, problems: string[]): MetricsAddress | null {
  if (text === undefined || text === "") return null;
  const [, v6, v4, port] = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+)):(\d{1,5})$/i.exec(text) ?? [];
  const address = v6 ?? v4 ?? "";
  if (isIP(address) !== 0 && Number(port) >= 1 && Number(port) <= 65_535) return { address, port: Number(port) };
  problems.push(`WAYBILL_METRICS is "${text}"; write a numeric address and a port, such as 127.0.0.1:9464`);
  return null;
}

/** A collector's address by http or https; null where nothing is set. */
export function collectorUrl(text: string | undefined, problems: string[]): string | null {
  if (text === undefined || text === "") return null;
  if (/^https?:$/.test(URL.parse(text)?.protocol ?? "")) return text;
  problems.push(`--otlp is "${text}"; write the collector's address, such as http://localhost:4318`);
  return null;
}

/** Rejects where the address cannot be listened on; without one it opens nothing. */
export async function openMetricsDoor(
  at: MetricsAddress | null,
  { metrics, onFailure }: MetricsDoorOptions,
): Promise<AsyncDisposable> {
  if (at === null) return { [Symbol.asyncDispose]: async () => undefined };
  const server = createServer(
    { requestTimeout: requestWithinMs, headersTimeout: requestWithinMs },
    (request, response) => {
      const [path] = (request.url ?? "").split("?");
      if (path !== "/metrics") return answer(response, 404, "Only /metrics is here.\n");
      if (request.method !== "GET") return answer(response, 405, "Ask with GET.\n");
      metrics().then(
        (text) => answer(response, 200, text, metricsType),
        (error: unknown) => {
          onFailure("telling metrics", error);
          answer(response, 503, "The record does not answer.\n");
        },
      );
    },
  );
  server.maxConnections = connectionsMax;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(at.port, at.address, () => {
      server.off("error", reject);
      server.on("error", (error) => onFailure("the address of /metrics", error));
      resolve();
    });
  });
  return {
    async [Symbol.asyncDispose](): Promise<void> {
      server.closeAllConnections();
      await new Promise<void>((closed) => server.close(() => closed()));
    },
  };
}

function answer(response: ServerResponse, status: number, text: string, type = "text/plain; charset=utf-8"): void {
  response.writeHead(status, { "content-type": type, "cache-control": "no-store" });
  response.end(text);
}
