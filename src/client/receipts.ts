/** The part of the typed client that is about receipts in their numbers, and about their log. */
import type { ConsistencyView, ReceiptKeysView } from "../contract/receipts.ts";
import type { Asking } from "./asked.ts";
import type { Transport } from "./transport.ts";

export class ReceiptsClient {
  readonly #http: Transport;

  constructor(http: Transport) {
    this.#http = http;
  }

  /** That the log of `to` receipts extends that of `from`. */
  async consistency(from: number, to: number, asking: Asking = {}): Promise<ConsistencyView> {
    return await this.#http.get("/api/receipts/log/consistency", { from: String(from), to: String(to) }, asking);
  }

  /** That have signed receipts, and checkpoints of the log. */
  async keys(asking: Asking = {}): Promise<ReceiptKeysView> {
    return await this.#http.get("/api/keys", {}, asking);
  }

  /** Needs an administrator's token. */
  async rotateKey(asking: Asking = {}): Promise<ReceiptKeysView> {
    return await this.#http.send("POST", "/api/keys/receipts/rotate", {}, asking);
  }
}
