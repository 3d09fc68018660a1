/** A private certificate authority: its root, made once and kept in a folder, and the certificates that it issues while the platform runs. */
import "reflect-metadata";
import { createHash, createPrivateKey, webcrypto, X509Certificate } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";

import { keep } from "./keep.ts";
import { isAging, PairUnfit, readPair } from "./pair.ts";
import type { Certificate, Pair } from "./pair.ts";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const dayMs = 86_400_000;
/** People trust a root by hand, on each of their devices: seldom. */
const rootDays = 3_650;
/** They are made anew by every start, and browsers take none that is longer than some 400 days. */
const leafDays = 30;
/** Clocks of a network differ. */
const skewMs = 3_600_000;

const rootName = "root.pem";
const keyName = "root.key";

export interface RootFacts {
  /** The file to be trusted, PEM. */
  readonly file: string;
  readonly pem: string;
  readonly subject: string;
  /** Upper case in pairs, with colons, as browsers show it. */
  readonly sha256: string;
  readonly notAfter: string;
}

/** There is a root, but what is kept of it cannot be used: the message says why. */
export class AuthorityUnfit extends Error {
  override readonly name = "AuthorityUnfit";
}

/** What is kept in `folder`; undefined where no authority was made there. Throws {@link AuthorityUnfit}. */
export function readRoot(folder: string): RootFacts | undefined {
  const file = join(folder, rootName);
  if (!existsSync(file)) return undefined;
  const pem = readFileSync(file, "utf8");
  try {
    const { subject, validToDate, raw } = new X509Certificate(pem);
    return { file, pem, subject, sha256: fingerprint(raw), notAfter: validToDate.toISOString() };
  } catch (error) {
    throw new AuthorityUnfit(
      `${file} is no certificate; put it back from your copy of it, or remove the folder ${folder}`,
      {
        cause: error,
      },
    );
  }
}

/** Makes the root where there is none. An authority that people trust is never replaced by itself. */
export async function createRoot(
  folder: string,
  { now, name }: { readonly now: number; readonly name: string },
): Promise<RootFacts> {
  const before = readRoot(folder);
  if (before !== undefined) return before;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const root = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: [{ CN: [name] }, { O: ["Waybill"] }],
      notBefore: new Date(now - skewMs),
      notAfter: new Date(now + rootDays * dayMs),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        // It signs certificates of hosts alone, no other authority's.
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    },
    webcrypto,
  );
  // The key first: a root without one could never issue anything.
  keep(join(folder, keyName), await pemOfKey(keys.privateKey), 0o600);
  keep(join(folder, rootName), `${root.toString("pem")}\n`, 0o644);
  return readRoot(folder) as RootFacts;
}

export interface AuthorityOptions {
  readonly folder: string;
  readonly now: () => number;
}

/** Issues on demand; what it issued is kept in memory alone, so no key of a host lies anywhere. */
export class Authority {
  readonly #now: () => number;
  readonly #root: x509.X509Certificate;
  readonly #key: CryptoKey;
  readonly #issued = new Map<string, Promise<Certificate>>();

  private constructor(root: x509.X509Certificate, key: CryptoKey, now: () => number) {
    this.#root = root;
    this.#key = key;
    this.#now = now;
  }

  /** Throws {@link AuthorityUnfit}. */
  static async open({ folder, now }: AuthorityOptions): Promise<Authority> {
    const [certFile, keyFile] = [join(folder, rootName), join(folder, keyName)];
    try {
      const pair: Pair = { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8") };
      chmodSync(keyFile, 0o600);
      const root = new x509.X509Certificate(pair.cert);
      if (!new X509Certificate(pair.cert).checkPrivateKey(createPrivateKey(pair.key)))
        throw new PairUnfit("its key is another's");
      if (root.notAfter.getTime() <= now()) throw new PairUnfit(`it ended on ${root.notAfter.toISOString()}`);
      const der = x509.PemConverter.decodeFirst(pair.key);
      return new Authority(root, await webcrypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]), now);
    } catch (error) {
      throw new AuthorityUnfit(
        `the authority in ${folder} cannot be used: ${(error as Error).message}; put ${rootName} and ${keyName} back from your copy, or remove both and make another with waybill ca create, which has to be trusted anew`,
        { cause: error },
      );
    }
  }

  /** For `names`, the first of which it is kept by. A new one from two thirds of its life on. */
  async issued(names: readonly [string, ...string[]]): Promise<Certificate> {
    const [name] = names;
    const kept = this.#issued.get(name);
    const before = kept === undefined ? undefined : await kept;
    if (before !== undefined && !isAging(before, this.#now())) return before;
    // Whoever asked first makes it; the others wait for the same one.
    const again = this.#issued.get(name);
    if (again !== undefined && again !== kept) return again;
    const made = this.#issue(names);
    this.#issued.delete(name);
    this.#issued.set(name, made);
    if (this.#issued.size > issuedMax) this.#issued.delete(this.#issued.keys().next().value as string);
    return made;
  }

  get all(): Promise<readonly Certificate[]> {
    return Promise.all([...this.#issued.values()]);
  }

  async #issue(names: readonly [string, ...string[]]): Promise<Certificate> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const now = this.#now();
    const leaf = await x509.X509CertificateGenerator.create(
      {
        subject: [{ CN: [names[0].slice(0, commonNameMax)] }],
        issuer: this.#root.subjectName,
        notBefore: new Date(now - skewMs),
        notAfter: new Date(Math.min(now + leafDays * dayMs, this.#root.notAfter.getTime())),
        signingAlgorithm: algorithm,
        publicKey: keys.publicKey,
        signingKey: this.#key,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
          new x509.SubjectAlternativeNameExtension(
            names.map((name) => ({ type: isIP(name) === 0 ? "dns" : "ip", value: name })),
          ),
          await x509.AuthorityKeyIdentifierExtension.create(this.#root, false, webcrypto),
        ],
      },
      webcrypto,
    );
    return readPair({ cert: `${leaf.toString("pem")}\n`, key: await pemOfKey(keys.privateKey) }, now);
  }
}

/** Names asked for at a time: more Spaces than one machine runs. */
const issuedMax = 2_000;
/** RFC 5280, ub-common-name. */
const commonNameMax = 64;

async function pemOfKey(key: CryptoKey): Promise<string> {
  return `${x509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY")}\n`;
}

function fingerprint(der: Uint8Array): string {
  const hex = createHash("sha256").update(der).digest("hex").toUpperCase();
  return (hex.match(/../g) ?? []).join(":");
}
