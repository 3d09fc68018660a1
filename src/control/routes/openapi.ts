/** `GET /api/openapi.json`: the description of this API, as `npm run api-reference` made it. */
import { readFile } from "node:fs/promises";
import type { Route } from "../api.ts";

/** The same from `src` and from `dist`. */
const file = new URL("../../../share/openapi.json", import.meta.url);

export const openapiRoute: Route = (api) => {
  api.get("/api/openapi.json", async (c) =>
    c.body(await readFile(file, "utf8"), 200, { "content-type": "application/json", "cache-control": "no-cache" }),
  );
};
