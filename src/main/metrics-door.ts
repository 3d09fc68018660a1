/** `GET /metrics` on an address of its own, without a token: for a Prometheus that is let in by the network. */
import { createServer } from "node:http";
import type { ServerResponse } from "node:http";
import { metricsType } from "../control/metrics.ts";
import type { MetricsAddress } from "./metrics-settings.ts";

export interface MetricsDoorOptions {
  metrics(): Promise<string>;
  onFailure(what: string, error: unknown): void;
}

/** Scrapers that are connected at once: one, as a rule. */
const connectionsMax = 16;
const requestWithinMs = 10_000;

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
