/** What of the environment says how the edge speaks TLS. All problems are told at once. */
import { resolve } from "node:path";
import type { TlsSources } from "../tls/index.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export interface TlsConfig extends TlsSources {
  /** A second port of the edge, for visitors without TLS, who are sent on, and for an authority that asks for proof; null: none. */
  readonly plainPort: number | null;
}

const letsEncrypt = "https://acme-v02.api.letsencrypt.org/directory";
const write = "write ca, acme, or CERTIFICATE,KEY with the paths of two PEM files";

/** Null: no TLS. `sources`: of `--tls`, which goes before WAYBILL_TLS. */
export function readTls(
  env: Environment,
  options: { readonly sources: readonly string[] | undefined; readonly plainPort: number | undefined },
  problems: string[],
): TlsConfig | null {
  const name = options.sources === undefined ? "WAYBILL_TLS" : "--tls";
  const said = (options.sources ?? (env["WAYBILL_TLS"] ?? "").split(";"))
    .map((text) => text.trim())
    .filter((text) => text !== "");
  const files: { cert: string; key: string }[] = [];
  for (const text of said) {
    if (text === "ca" || text === "acme") continue;
    const [cert, key, ...more] = text.split(",").map((part) => part.trim());
    if (cert && key && more.length === 0) files.push({ cert: resolve(cert), key: resolve(key) });
    else problems.push(`${name} has "${text}"; ${write}`);
  }
  const directory = env["WAYBILL_ACME_DIRECTORY"] || letsEncrypt;
  if (!/^https:\/\/[^/?#]+/.test(directory))
    problems.push(
      `WAYBILL_ACME_DIRECTORY is "${directory}"; write the address of an ACME directory, which begins with https://`,
    );
  const email = env["WAYBILL_ACME_EMAIL"] || null;
  if (email !== null && !/^[^\s@,;]+@[^\s@,;]+$/.test(email))
    problems.push(`WAYBILL_ACME_EMAIL is "${email}"; write one address, or leave it out`);
  const plainPort = options.plainPort ?? readPort(env, problems);
  if (plainPort !== null && said.length === 0)
    problems.push(
      "--http-port is a second port beside the one with TLS; choose that with --tls, or give the one port with --port",
    );
  if (said.length === 0) return null;
  return {
    files,
    isAuthority: said.includes("ca"),
    acme: said.includes("acme") ? { directory, email } : null,
    plainPort,
  };
}

function readPort(env: Environment, problems: string[]): number | null {
  const text = env["WAYBILL_HTTP_PORT"];
  if (!text) return null;
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port;
  problems.push(`WAYBILL_HTTP_PORT is "${text}"; write a port from 1 to 65535`);
  return null;
}
