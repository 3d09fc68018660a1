/** Access to gated repositories: who asked for it, who has it. A repository is named with its kind, as `models/alice/tiny`. */
import type { AccessRequestView, AccessStanding, HandleAccess, OwnAccess } from "../contract/access.ts";
import type { Asking } from "./asked.ts";
import { accessPath } from "./paths.ts";
import type { Transport } from "./transport.ts";

/** Access requests of one answer. */
const accessPage = 1_000;

export class AccessClient {
  readonly #http: Transport;

  constructor(http: Transport) {
    this.#http = http;
  }

  /** Whether the caller has access to a gated repository (`models/alice/tiny`), and what is asked of them. */
  async own(repository: string, asking: Asking = {}): Promise<OwnAccess> {
    return await this.#http.get(accessPath(repository), {}, asking);
  }

  async ask(
    repository: string,
    fields: Readonly<Record<string, string | boolean>>,
    asking: Asking = {},
  ): Promise<OwnAccess> {
    return await this.#http.send("POST", accessPath(repository), { fields }, asking);
  }

  async withdraw(repository: string, asking: Asking = {}): Promise<OwnAccess> {
    return await this.#http.send("DELETE", accessPath(repository), undefined, asking);
  }

  /** All of one state, oldest first. For who may write to the repository, as what follows. */
  async requests(
    repository: string,
    status: AccessStanding,
    asking: Asking = {},
  ): Promise<readonly AccessRequestView[]> {
    const all: AccessRequestView[] = [];
    for (;;) {
      const query = { cursor: String(all.length), limit: String(accessPage) };
      const page: readonly AccessRequestView[] = await this.#http.get(
        `${accessPath(repository)}/${status}`,
        query,
        asking,
      );
      all.push(...page);
      if (page.length < accessPage) return all;
    }
  }

  async handle(repository: string, body: HandleAccess, asking: Asking = {}): Promise<AccessRequestView> {
    return await this.#http.send("POST", `${accessPath(repository)}/handle`, body, asking);
  }

  async grant(repository: string, user: string, asking: Asking = {}): Promise<AccessRequestView> {
    return await this.#http.send("POST", `${accessPath(repository)}/grant`, { user }, asking);
  }
}
