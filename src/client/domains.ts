/** Names of people's own domains that a Space claims. `space` is `owner/name`. */
import type { Page } from "../contract/api.ts";
import type { DomainChangeView, DomainView } from "../contract/domains.ts";
import type { Asking } from "./asked.ts";
import { pathOf } from "./paths.ts";
import type { Transport } from "./transport.ts";

export class DomainsClient {
  readonly #http: Transport;

  constructor(http: Transport) {
    this.#http = http;
  }

  /** Names of people's own domains that the Space claims, with what their DNS has to say. */
  async list(space: string, asking: Asking = {}): Promise<Page<DomainView>> {
    return await this.#http.get(`/api/spaces/${pathOf(space)}/domains`, {}, asking);
  }

  /** Claims a name, and has its proof looked for; again, once that is there. `withoutProof`: for operators. */
  async add(
    space: string,
    wish: { readonly name: string; readonly withoutProof?: boolean },
    asking: Asking = {},
  ): Promise<DomainView> {
    return await this.#http.send("POST", `/api/spaces/${pathOf(space)}/domains`, wish, asking);
  }

  async remove(space: string, name: string, asking: Asking = {}): Promise<Page<DomainView>> {
    return await this.#http.send(
      "DELETE",
      `/api/spaces/${pathOf(space)}/domains/${encodeURIComponent(name)}`,
      {},
      asking,
    );
  }

  /** Who changed which domain when, newest first. */
  async changes(space: string, asking: Asking = {}): Promise<Page<DomainChangeView>> {
    return await this.#http.get(`/api/spaces/${pathOf(space)}/domains/changes`, {}, asking);
  }
}
