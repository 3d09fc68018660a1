/** Trials of policies as the API has them. */
import type { TrialRequest, TrialView } from "../contract/trials.ts";
import type { Asking } from "./asked.ts";
import type { Transport } from "./transport.ts";

/** The server gives up before. */
const triedWithinMs = 60_000;

export class TrialsClient {
  readonly #http: Transport;

  constructor(http: Transport) {
    this.#http = http;
  }

  /** What a past span's calls would have become; changes nothing. Needs an administrator's token. */
  async run(body: TrialRequest, asking: Asking = {}): Promise<TrialView> {
    return await this.#http.send("POST", "/api/trials", body, asking, triedWithinMs);
  }
}
