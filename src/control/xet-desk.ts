/** What the Xet protocol's face asks of the platform: repositories by the names that its tokens bear, `models/OWNER/NAME`. */
import type { GateRefusal } from "../hub/gate.ts";
import { repoKinds, repoName, type RepoKind, type RepoName } from "../hub/repo-name.ts";
import type { XetDesk } from "../hub/xet/face.ts";
import type { HubRepo } from "./hub-repos.ts";
import type { Server } from "./server.ts";

export class XetRepositories implements XetDesk {
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  folderOf(repository: string): string | undefined {
    const repo = this.#find(repository);
    return repo && this.#server.hub.folderOf(repo);
  }

  async mayRead(repository: string, account: string): Promise<boolean> {
    const repo = this.#find(repository);
    return repo !== undefined && this.#server.mayReadFiles(account, repo);
  }

  async gate(repository: string, account: string): Promise<GateRefusal | undefined> {
    const repo = this.#find(repository);
    if (repo === undefined || !(await this.#server.mayKnow(account, repo))) return undefined;
    if (await this.#server.mayReadFiles(account, repo)) return undefined;
    return this.#server.gates.refuseAccount(repo, account);
  }

  async mayWrite(repository: string, account: string): Promise<boolean> {
    const repo = this.#find(repository);
    return repo !== undefined && this.#server.mayAccount(account, "write", repo);
  }

  async mayPropose(repository: string, account: string): Promise<boolean> {
    return account !== "" && (await this.mayRead(repository, account));
  }

  onFailure(what: string, error: unknown): void {
    this.#server.onFailure(what, error);
  }

  #find(repository: string): HubRepo | undefined {
    const name = nameIn(repository);
    return name && this.#server.hub.repos.find(name);
  }
}

function nameIn(repository: string): RepoName | undefined {
  const [kind, owner, name] = repository.split("/");
  if (owner === undefined || name === undefined || !repoKinds.includes(kind as RepoKind)) return undefined;
  return repoName(kind as RepoKind, owner, name);
}
