/** Webhooks as the API has them. */
import type { Page } from "../contract/api.ts";
import type {
  AddedWebhook,
  AddWebhook,
  ChangeWebhook,
  DeliveryView,
  WebhookSecret,
  WebhookView,
} from "../contract/webhooks.ts";
import type { Asking } from "./asked.ts";
import type { Transport } from "./transport.ts";

export interface WebhooksOf extends Asking {
  /** The caller's own where it is absent. */
  readonly account?: string | undefined;
  /** The platform's, for operators. */
  readonly platform?: boolean | undefined;
}

export class WebhooksClient {
  readonly #http: Transport;

  constructor(http: Transport) {
    this.#http = http;
  }

  async list({ account, platform, ...asking }: WebhooksOf = {}): Promise<Page<WebhookView>> {
    return await this.#http.get("/api/webhooks", { account, ...(platform && { platform: "true" }) }, asking);
  }

  async show(id: string, asking: Asking = {}): Promise<WebhookView> {
    return await this.#http.get(pathOf(id), {}, asking);
  }

  /** The answer has the secret, which is not shown again. */
  async add(body: AddWebhook, asking: Asking = {}): Promise<AddedWebhook> {
    return await this.#http.send("POST", "/api/webhooks", body, asking);
  }

  async change(id: string, body: ChangeWebhook, asking: Asking = {}): Promise<WebhookView> {
    return await this.#http.send("PATCH", pathOf(id), body, asking);
  }

  async remove(id: string, asking: Asking = {}): Promise<{ readonly id: string }> {
    return await this.#http.send("DELETE", pathOf(id), undefined, asking);
  }

  /** Another secret; the one before signs too for a day. */
  async rotate(id: string, asking: Asking = {}): Promise<WebhookSecret> {
    return await this.#http.send("POST", `${pathOf(id)}/secret`, undefined, asking);
  }

  /** Sends something to it; how that went: {@link delivery}. */
  async test(id: string, asking: Asking = {}): Promise<DeliveryView> {
    return await this.#http.send("POST", `${pathOf(id)}/test`, undefined, asking);
  }

  /** The newest first. */
  async deliveries(
    id: string,
    { page, limit, ...asking }: Asking & { page?: string | undefined; limit?: number | undefined } = {},
  ): Promise<Page<DeliveryView>> {
    const most = limit === undefined ? undefined : String(limit);
    return await this.#http.get(`${pathOf(id)}/deliveries`, { page, limit: most }, asking);
  }

  /** With its body. */
  async delivery(id: string, delivery: string, asking: Asking = {}): Promise<DeliveryView> {
    return await this.#http.get(`${pathOf(id)}/deliveries/${encodeURIComponent(delivery)}`, {}, asking);
  }

  /** Tries it again, under its id. */
  async redeliver(id: string, delivery: string, asking: Asking = {}): Promise<DeliveryView> {
    const path = `${pathOf(id)}/deliveries/${encodeURIComponent(delivery)}/redeliver`;
    return await this.#http.send("POST", path, undefined, asking);
  }
}

function pathOf(id: string): string {
  return `/api/webhooks/${encodeURIComponent(id)}`;
}
