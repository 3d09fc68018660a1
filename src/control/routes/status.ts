/**
 * `GET /api/status`: how the platform stands, boundary by boundary, and what runs here. Open to everyone who can reach it: it names no
 * account, and its nodes and how they close apps off only to who is signed in.
 */
import type { Route } from "../api.ts";
import { readerOf } from "./incidents.ts";

export const statusRoute: Route = (api, server) => {
  api.get("/api/status", async (c) => c.json(await server.status(readerOf(c))));
};
