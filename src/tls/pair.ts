/** A certificate with its key: whether the two fit, for which names they are, and until when. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { isIP } from "node:net";

/** PEM, as node:tls takes it; the certificate with its chain. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

export interface Certificate extends Pair {
  /** Lower case: names, one with `*` among them, and addresses. */
  readonly names: readonly string[];
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Whether it is for this name or address. */
  covers(name: string): boolean;
}

/** From the last third of its life on, another one is to take its place. */
export function isAging({ notBefore, notAfter }: Certificate, now: number): boolean {
  return now >= notBefore + (2 * (notAfter - notBefore)) / 3;
}

/** A pair that cannot be used: the message is the end of a sentence that begins with the files. */
export class PairUnfit extends Error {
  override readonly name = "PairUnfit";
}

/** Throws {@link PairUnfit}. */
export function readPair({ cert, key }: Pair, now: number): Certificate {
  const leaf = parsed("the certificate is not PEM", () => new X509Certificate(cert));
  const secret = parsed("the key is not PEM, or it is encrypted", () => createPrivateKey(key));
  if (!leaf.checkPrivateKey(secret)) throw new PairUnfit("the key is not the certificate's");
  const names = namesOf(leaf.subjectAltName);
  if (names.length === 0)
    throw new PairUnfit("the certificate names no host (subjectAltName), and browsers read no other name");
  const [notBefore, notAfter] = [leaf.validFromDate.getTime(), leaf.validToDate.getTime()];
  if (notAfter <= now) throw new PairUnfit(`the certificate ended on ${leaf.validToDate.toISOString()}`);
  return {
    ...{ cert, key, names, notBefore, notAfter },
    covers: (name) =>
      (isIP(name) === 0 ? leaf.checkHost(name, { subject: "never" }) : leaf.checkIP(name)) !== undefined,
  };
}

function parsed<T>(says: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new PairUnfit(says, { cause: error });
  }
}

/** `DNS:a.example, IP Address:127.0.0.1`. */
function namesOf(subjectAltName: string | undefined): string[] {
  return (subjectAltName ?? "").split(", ").flatMap((entry) => {
    const [, name] = /^(?:DNS|IP Address):(.+)$/.exec(entry) ?? [];
    return name === undefined ? [] : name.toLowerCase();
  });
}
