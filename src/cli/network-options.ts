/** The options of `up` and `server` that say how the platform is reached: docs/network.md. */
import type { Command } from "commander";
import type { NetworkOptions } from "./world.ts";

export function networked(command: Command): Command {
  return command
    .option("--host <address>", "address to listen on, 0.0.0.0 for all; others than loopback demand a name and TLS")
    .option("--apps-domain <domain>", "Spaces have names under it (default localhost)")
    .option("--console-host <name>", "name or address of this machine by which others reach the console")
    .option("--public-url <url>", "the console's address as visitors type it, where a proxy stands in front")
    .option("--addresses <way>", "how Spaces are told apart: names (default), ports, or ports:FROM-TO");
}

/** Undefined properties are left out. */
export function networkOf({ host, appsDomain, consoleHost, publicUrl, addresses }: NetworkOptions): NetworkOptions {
  return {
    ...(host !== undefined && { host }),
    ...(appsDomain !== undefined && { appsDomain }),
    ...(consoleHost !== undefined && { consoleHost }),
    ...(publicUrl !== undefined && { publicUrl }),
    ...(addresses !== undefined && { addresses }),
  };
}
