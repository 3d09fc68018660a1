/** The part of the typed client that is about receipts in their numbers, and about their log. */
import type { Page } from "../contract/api.ts";
import type { ConsistencyView, Receipt, ReceiptKeysView, StatementView } from "../contract/receipts.ts";
import type { Asking } from "./asked.ts";
import type { Transport } from "./transport.ts";

export interface ReceiptsAsked extends Asking {
  /** Who pays; the caller where it is not said. */
  readonly account?: string | undefined;
  /** In UTC, as 2026-11. */
  readonly month?: string | undefined;
  readonly page?: string | undefined;
  readonly limit?: number | undefined;
  /** Those with places below this in the log. */
  readonly below?: number | undefined;
}

export class ReceiptsClient {
  readonly #http: Transport;

  constructor(http: Transport) {
    this.#http = http;
  }

  /** What an account pays, newest first. */
  async list({ account, month, page, limit, below, ...asking }: ReceiptsAsked = {}): Promise<Page<Receipt>> {
    const query = { account, month, page, limit: limit?.toString(), below: below?.toString() };
    return await this.#http.get("/api/receipts", query, asking);
  }

  /** All of a month, page by page: they sum up to its statement where `below` is that one's. */
  async *all({ limit = 200, ...asked }: Omit<ReceiptsAsked, "page"> = {}): AsyncGenerator<Receipt> {
    for (let page: string | undefined; ;) {
      const { items, next } = await this.list({ ...asked, limit, page });
      yield* items;
      if (next === null) return;
      page = next;
    }
  }

  /** Of a month in UTC, as 2026-11. */
  async statement(month: string, asked: Pick<ReceiptsAsked, "account" | "signal"> = {}): Promise<StatementView> {
    const { account, ...asking } = asked;
    return await this.#http.get(`/api/statements/${encodeURIComponent(month)}`, { account }, asking);
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
