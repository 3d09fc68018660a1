/** `GET /api/status`: what runs here, and how it is isolated. Open to everyone who can reach it: it names no account. */
import type { Route } from "../api.ts";

export const statusRoute: Route = (api, server) => {
  api.get("/api/status", async (c) => c.json(await server.status()));
};
