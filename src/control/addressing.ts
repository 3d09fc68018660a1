/** Under which addresses people and programs reach the console and the Spaces. What is shown anywhere is made here. */
import type { SpaceRow } from "../catalog/spaces.ts";

export interface AddressingFacts {
  /** `*.localhost`: the domain under which Spaces have names. */
  readonly appsDomain: string;
  /** The console's host as others know it; null: the domain of the apps, which is this machine. */
  readonly consoleHost: string | null;
  /** The scheme and, where that is not the listener's, the port by which visitors come. */
  readonly scheme: "http" | "https";
  readonly publicPort: number | null;
  /** Other machines reach it. */
  readonly isOpen: boolean;
  /** Spaces are told apart by ports. */
  readonly isByPorts: boolean;
  /** Where console and names are listened for. */
  listenPort(): number;
}

export class Addressing {
  readonly #facts: AddressingFacts;

  constructor(facts: AddressingFacts) {
    this.#facts = facts;
  }

  /** The console, as a person's browser finds it. */
  get console(): string {
    const { appsDomain, consoleHost } = this.#facts;
    return this.#url(consoleHost ?? appsDomain, this.#port);
  }

  /** Nobody said how others reach it. */
  get isOwnMachine(): boolean {
    return this.#facts.consoleHost === null;
  }

  /** The form of all Spaces' addresses, for people. */
  get everySpace(): string {
    const { appsDomain, consoleHost, isByPorts } = this.#facts;
    if (isByPorts) return this.#url(consoleHost ?? "127.0.0.1", "<port of the Space>");
    const byName = this.#url(`<owner>-<name>.${appsDomain}`, this.#port);
    return this.hasNumbers ? `${byName}, for programs http://127.x.y.z:${this.#facts.listenPort()}` : byName;
  }

  /** A Space's name. It is served also where its port is what is shown. */
  nameOf({ subdomain }: Pick<SpaceRow, "subdomain">): string {
    return `${subdomain}.${this.#facts.appsDomain}`;
  }

  /** Whether each Space has an address of its own on this machine, for programs that resolve no names: nobody else reaches those. */
  get hasNumbers(): boolean {
    const { isOpen, isByPorts, scheme } = this.#facts;
    return !isOpen && !isByPorts && scheme === "http";
  }

  /** By name first, then by number: a program on a plain Linux resolves only the second. By ports there is one, none until it is given. */
  ofSpace(row: Pick<SpaceRow, "subdomain" | "address" | "port">): readonly string[] {
    const { consoleHost, isByPorts } = this.#facts;
    if (isByPorts) return row.port === null ? [] : [this.#url(consoleHost ?? "127.0.0.1", row.port)];
    const byName = this.#url(this.nameOf(row), this.#port);
    return this.hasNumbers ? [byName, `http://${row.address}:${this.#facts.listenPort()}`] : [byName];
  }

  /** What an app knows as its own host: without a port, unless that is what tells Spaces apart. */
  hostOf(row: Pick<SpaceRow, "subdomain" | "port">): string {
    const { consoleHost, isByPorts } = this.#facts;
    return isByPorts && row.port !== null ? `${consoleHost ?? "127.0.0.1"}:${row.port}` : this.nameOf(row);
  }

  /** How visitors come to a host of this platform. */
  urlOf(host: string): string {
    return this.#url(host, this.#port);
  }

  /** A Space's name where others find it in the DNS; null where names lead to the machine that asks. */
  cnameOf(row: Pick<SpaceRow, "subdomain">): string | null {
    const { appsDomain, isByPorts } = this.#facts;
    return isByPorts || appsDomain === "localhost" || appsDomain.endsWith(".localhost") ? null : this.nameOf(row);
  }

  /** For apps in sandboxes, whose gateway knows the names and takes them to the edge without TLS. */
  inside(row: Pick<SpaceRow, "subdomain">): string {
    return `http://${this.nameOf(row)}:${this.#facts.listenPort()}`;
  }

  get #port(): number {
    return this.#facts.publicPort ?? this.#facts.listenPort();
  }

  #url(host: string, port: number | string): string {
    const { scheme } = this.#facts;
    return `${scheme}://${host}${port === (scheme === "https" ? 443 : 80) ? "" : `:${port}`}`;
  }
}
