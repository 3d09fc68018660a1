/**
 * Loaded before each process test (tools/test-files.ts): what the API answers to it by `fetch`, and so to the typed client, has to be as it
 * is described. Not what the processes that it starts are answered.
 */
import { Description } from "../../src/control/described/description.suite.ts";

const asked = globalThis.fetch;
let description: Description | undefined;

globalThis.fetch = async (input, init) => {
  const answer = await asked(input, init);
  const url = input instanceof Request ? input.url : String(input);
  // An app has such paths too, and none that is described.
  if (!new URL(url).pathname.startsWith("/api/") || !answer.headers.has("x-waybill-id")) return answer;
  description ??= Description.read();
  await description.hold({ method: init?.method ?? (input instanceof Request ? input.method : "GET"), url }, answer);
  return answer;
};
