/** The API for tests of the server: whatever it answers has to be as it is described. */
import type { Hono } from "hono";
import type { ApiEnv } from "../api.ts";
import { createApi } from "../app.ts";
import type { Server } from "../server.ts";
import { Description } from "./description.suite.ts";

export function createChecked(server: Server): Hono<ApiEnv> {
  const api = createApi(server);
  const description = Description.read();
  const answerTo = api.fetch;
  // `request` goes by it too.
  api.fetch = async (request, ...more) => {
    const answer = await answerTo(request, ...more);
    await description.hold(request, answer);
    return answer;
  };
  return api;
}
