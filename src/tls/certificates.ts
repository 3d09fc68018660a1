/** Which certificate a visitor is shown: the operator's own file, one that ACME gave, or one of the private authority, in this order. */
import { isIP } from "node:net";
import { join } from "node:path";

import type { AcmeCertificates, AcmeProblem } from "./acme.ts";
import { Authority, createRoot } from "./authority.ts";
import { OwnFiles } from "./files.ts";
import type { PairFiles } from "./files.ts";
import type { Certificate, Pair } from "./pair.ts";

export interface TlsSources {
  readonly files: readonly PairFiles[];
  /** The private authority issues what no other source has. */
  readonly isAuthority: boolean;
  readonly acme: { readonly directory: string; readonly email: string | null } | null;
}

export interface CertificatesOptions {
  readonly sources: TlsSources;
  /** `DATA/tls`. */
  readonly folder: string;
  readonly appsDomain: string;
  readonly now: () => number;
  /** Whether a host, lower case, is the console's or a Space's. */
  readonly isOurs: (host: string) => boolean;
  readonly log: { info(facts: object, says: string): void; warn(facts: object, says: string): void };
}

export interface Shown {
  readonly names: readonly string[];
  readonly from: "file" | "acme" | "authority";
  readonly notAfter: number;
}

/** Where the private authority keeps its root. */
export function authorityFolder(folder: string): string {
  return join(folder, "authority");
}

export class Certificates implements Disposable {
  readonly #options: CertificatesOptions;
  readonly #files: OwnFiles;
  readonly #acme: AcmeCertificates | undefined;
  readonly #authority: Authority | undefined;

  private constructor(
    options: CertificatesOptions,
    files: OwnFiles,
    acme: AcmeCertificates | undefined,
    authority: Authority | undefined,
  ) {
    this.#options = options;
    this.#files = files;
    this.#acme = acme;
    this.#authority = authority;
  }

  /** Throws `CertificateFilesUnfit` or `AuthorityUnfit`. An authority that is not there yet is made. */
  static async open(options: CertificatesOptions): Promise<Certificates> {
    const { sources, folder, appsDomain, now, isOurs, log } = options;
    const files = new OwnFiles({
      pairs: sources.files,
      now,
      onReplaced: ({ cert }) => log.info({ cert }, "a certificate was replaced"),
      onRefused: (says) => log.warn({}, says),
    });
    if (sources.isAuthority) await createRoot(authorityFolder(folder), { now: now(), name: `Waybill ${appsDomain}` });
    const authority = sources.isAuthority ? await Authority.open({ folder: authorityFolder(folder), now }) : undefined;
    const acme =
      sources.acme === null
        ? undefined
        : await (
            await import("./acme.ts")
          ).AcmeCertificates.open({
            ...{ ...sources.acme, folder: join(folder, "acme"), now, isOurs },
            onOrdered: (name, notAfter) => log.info({ name, notAfter }, "a certificate came by ACME"),
            onFailed: (says) => log.warn({}, says),
          });
    return new Certificates(options, files, acme, authority);
  }

  /** `name`: as the visitor asks for it (RFC 6066 §3); undefined: by the address that was called alone. */
  async pairFor({
    name,
    address,
  }: {
    readonly name: string | undefined;
    readonly address: string;
  }): Promise<Pair | undefined> {
    const asked = (name ?? address).toLowerCase();
    const own = this.#files.find(asked);
    if (own !== undefined) return own;
    const given = await this.#acme?.find(asked);
    if (given !== undefined) return given;
    // RFC 6066 §3: no address is a server name, and whoever made them up would have a certificate made for each.
    const isCalled = asked === address && isIP(asked) !== 0;
    if (this.#authority !== undefined && (isCalled || this.#options.isOurs(asked)))
      return this.#authority.issued(this.#namesWith(asked));
    return this.#files.all[0];
  }

  challenge(token: string): string | undefined {
    return this.#acme?.challenge(token);
  }

  /** Reads the operator's files again. */
  reload(): void {
    this.#files.reload();
  }

  /** Orders anew what is about to end. It happens by itself, once an hour. */
  renew(): void {
    this.#acme?.renew();
  }

  async shown(): Promise<{ readonly certificates: readonly Shown[]; readonly problems: readonly AcmeProblem[] }> {
    const as = (from: Shown["from"], all: readonly Certificate[]): Shown[] =>
      all.map(({ names, notAfter }) => ({ names, from, notAfter }));
    return {
      certificates: [
        ...as("file", this.#files.all),
        ...as("acme", this.#acme?.all ?? []),
        ...as("authority", (await this.#authority?.all) ?? []),
      ],
      problems: this.#acme?.problems ?? [],
    };
  }

  [Symbol.dispose](): void {
    this.#files[Symbol.dispose]();
    this.#acme?.[Symbol.dispose]();
  }

  /** The apps' domain with all under it comes with each of its names. */
  #namesWith(asked: string): [string, ...string[]] {
    const { appsDomain } = this.#options;
    const isUnder = asked === appsDomain || asked.endsWith(`.${appsDomain}`);
    return isUnder ? [asked, ...[appsDomain, `*.${appsDomain}`].filter((name) => name !== asked)] : [asked];
  }
}
