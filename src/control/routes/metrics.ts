/** `GET /metrics`: for Prometheus, with an operator's token. `WAYBILL_METRICS` opens it on an address of its own, for whoever reaches that. */
import type { Route } from "../api.ts";
import { administrator } from "../api.ts";
import { metricsType } from "../metrics.ts";

export const metricsRoute: Route = (api, server) => {
  api.get("/metrics", async (c) => {
    const caller = administrator(c);
    if (caller instanceof Response) return caller;
    return new Response(await server.metrics(), {
      headers: { "content-type": metricsType, "cache-control": "no-store" },
    });
  });
};
