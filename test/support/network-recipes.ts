/** The configurations of docs/network.md, read from it and brought onto ports and folders of a test. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const page = resolve(import.meta.dirname, "../../docs/network.md");

export interface RecipePlaces {
  /** Where the proxy listens. */
  readonly port: number;
  /** The edge's own port, and the one where it expects the PROXY protocol. */
  readonly edge: number;
  readonly proxied: number;
  readonly folder: string;
}

/** A whole configuration for the program: the page's, without TLS, which needs a certificate. */
export function networkRecipe(program: "nginx" | "haproxy", { port, edge, proxied, folder }: RecipePlaces): string {
  const text = block(program)
    .replaceAll("127.0.0.1:7070", `127.0.0.1:${edge}`)
    .replaceAll("127.0.0.1:7071", `127.0.0.1:${proxied}`);
  if (program === "haproxy")
    return (
      "defaults\n  timeout connect 10s\n  timeout client 60s\n  timeout server 60s\n" +
      changed(text, /bind :443 .*/, `bind 127.0.0.1:${port}`)
    );
  const plain = changed(text, /listen 443 ssl;/, `listen 127.0.0.1:${port};`).replace(/^\s*ssl_certificate.*$/gm, "");
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${join(folder, name)};`,
  );
  return `daemon off; pid ${join(folder, "pid")}; events {} http { access_log off; ${paths.join(" ")}\n${plain} }`;
}

/** Caddy's, with its files in `folder`, on other ports; certificates are its own authority's in place of ACME's. */
export function caddyRecipe(
  which: "caddy-lan" | "caddy-acme",
  { port, edge, folder }: Omit<RecipePlaces, "proxied">,
): string {
  const global = [`admin off`, `storage file_system ${folder}`, `https_port ${port}`, `http_port ${port + 1}`];
  const text = changed(
    block(which),
    /admin off/,
    [...global, "auto_https disable_redirects", "skip_install_trust"].join("\n"),
  );
  const placed = text.replaceAll("127.0.0.1:7070", `127.0.0.1:${edge}`);
  return which === "caddy-lan" ? placed : changed(placed, /^ {4}on_demand$/m, "on_demand\nissuer internal");
}

function block(program: string): string {
  const found = new RegExp(`^\`\`\`${program}\n([^]*?)^\`\`\``, "m").exec(readFileSync(page, "utf8"))?.[1];
  assert.ok(found, `docs/network.md has a recipe for ${program}`);
  return found;
}

function changed(text: string, what: RegExp, to: string): string {
  assert.match(text, what);
  return text.replace(what, to);
}
