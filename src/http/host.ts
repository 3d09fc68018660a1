/** The `Host` of a request: what may stand there (RFC 9110 §7.2, RFC 3986 §3.2.2, narrowed), and what it names. */

export interface Host {
  /** Lower case, without port; an IPv6 address in its brackets. */
  readonly name: string;
  readonly port: number | undefined;
}

/** RFC 1035 §2.3.4: 253 characters of name, and a port. */
const hostMaxLength = 259;
const pattern =
  /^((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*|\[[0-9a-f:.]{2,45}\])(?::([0-9]{1,5}))?$/;

/** Parses `name[:port]`; undefined where it is not a host we could ever have given out (`a/../b`, user info, empty, …). */
export function parseHost(text: string): Host | undefined {
  if (text.length > hostMaxLength) return undefined;
  const match = pattern.exec(text.toLowerCase());
  if (match === null) return undefined;
  const [, name, digits] = match;
  if (digits === undefined) return { name: name as string, port: undefined };
  const port = Number(digits);
  return port >= 1 && port <= 65_535 ? { name: name as string, port } : undefined;
}
