/** Incidents as the API has them. */
import type { Page } from "../contract/api.ts";
import type { IncidentView, NoteRequest } from "../contract/incidents.ts";
import type { Asking } from "./asked.ts";
import type { Transport } from "./transport.ts";

export class IncidentsClient {
  readonly #http: Transport;

  constructor(http: Transport) {
    this.#http = http;
  }

  /** The newest first. */
  async list({ page, ...asking }: Asking & { page?: string | undefined } = {}): Promise<Page<IncidentView>> {
    return await this.#http.get("/api/incidents", { page }, asking);
  }

  async show(id: string, asking: Asking = {}): Promise<IncidentView> {
    return await this.#http.get(`/api/incidents/${encodeURIComponent(id)}`, {}, asking);
  }

  /** A word beside it. For operators. */
  async note(id: string, body: NoteRequest, asking: Asking = {}): Promise<IncidentView> {
    return await this.#http.send("POST", `/api/incidents/${encodeURIComponent(id)}/notes`, body, asking);
  }

  /** Ends it by a word. For operators. */
  async close(id: string, body: NoteRequest, asking: Asking = {}): Promise<IncidentView> {
    return await this.#http.send("POST", `/api/incidents/${encodeURIComponent(id)}/close`, body, asking);
  }
}
