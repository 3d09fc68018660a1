/** The options of `up` and `server` that say how the platform is reached: docs/network.md. */
import type { Command } from "commander";
import { parsePort } from "./arguments.ts";
import type { NetworkOptions } from "./world.ts";

export function networked(command: Command): Command {
  return command
    .option("--host <address>", "address to listen on, 0.0.0.0 for all; others than loopback demand a name and TLS")
    .option("--apps-domain <domain>", "Spaces have names under it (default localhost)")
    .option("--console-host <name>", "name or address of this machine by which others reach the console")
    .option("--public-url <url>", "the console's address as visitors type it, where a proxy stands in front")
    .option(
      "--tls <source>",
      "speak TLS with certificates of this source: CERTIFICATE,KEY (PEM files), acme, or ca (a private authority); several may be given",
      (source: string, before: readonly string[] | undefined) => [...(before ?? []), source],
    )
    .option("--http-port <number>", "with --tls, another port without it, which sends visitors on", parsePort)
    .option("--addresses <way>", "how Spaces are told apart: names (default), ports, or ports:FROM-TO");
}

/** Undefined properties are left out. */
export function networkOf(options: NetworkOptions): NetworkOptions {
  const { host, appsDomain, consoleHost, publicUrl, addresses, tls, httpPort } = options;
  return {
    ...(host !== undefined && { host }),
    ...(appsDomain !== undefined && { appsDomain }),
    ...(consoleHost !== undefined && { consoleHost }),
    ...(publicUrl !== undefined && { publicUrl }),
    ...(addresses !== undefined && { addresses }),
    ...(tls !== undefined && { tls }),
    ...(httpPort !== undefined && { httpPort }),
  };
}
