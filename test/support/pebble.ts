/** An ACME authority of its own: Pebble, Let's Encrypt's test server, and the DNS that it asks, in which every name leads here. */
import { spawn, type ChildProcess } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { accepts } from "../../src/runtime/shim/http-look.ts";
import { freePort } from "./free-port.ts";
import { until } from "./replicas.ts";

const listensWithinMs = 60_000;

export interface Pebble extends AsyncDisposable {
  readonly directory: string;
}

/** `certificate`: its own, for 127.0.0.1. `httpPort`: where it asks for proof. */
export async function startPebble(
  folder: string,
  { port, httpPort, certificate }: { port: number; httpPort: number; certificate: { cert: string; key: string } },
): Promise<Pebble> {
  const [dns, management, control] = [await freePort(), await freePort(), await freePort()];
  const [cert, key, config] = ["pebble.pem", "pebble.key", "pebble.json"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(cert, certificate.cert);
  writeFileSync(key, certificate.key);
  writeFileSync(
    config,
    JSON.stringify({
      pebble: {
        ...{ listenAddress: `127.0.0.1:${port}`, managementListenAddress: `127.0.0.1:${management}` },
        ...{ certificate: cert, privateKey: key, httpPort, tlsPort: 1, externalAccountBindingRequired: false },
      },
    }),
  );
  const none = ["-http01", "", "-https01", "", "-tlsalpn01", ""];
  const children = [
    spawn(
      "pebble-challtestsrv",
      [...none, "-dns01", `127.0.0.1:${dns}`, "-management", `127.0.0.1:${control}`, "-defaultIPv6", ""],
      { stdio: "ignore" },
    ),
    spawn("pebble", ["-config", config, "-dnsserver", `127.0.0.1:${dns}`], {
      stdio: "ignore",
      env: { ...process.env, PEBBLE_VA_NOSLEEP: "1" },
    }),
  ];
  await listens(port, children);
  return {
    directory: `https://127.0.0.1:${port}/dir`,
    async [Symbol.asyncDispose]() {
      await Promise.all(
        children.map(async (child) => {
          const ended = new Promise((resolve) => child.once("exit", resolve));
          if (child.exitCode !== null || child.signalCode !== null) return;
          child.kill("SIGKILL");
          await ended;
        }),
      );
    },
  };
}

function listens(port: number, children: readonly ChildProcess[]): Promise<boolean> {
  return until(
    "pebble listens",
    async () => {
      const ended = children.find(({ exitCode }) => exitCode !== null);
      if (ended !== undefined) throw new Error(`${ended.spawnfile} does not run`);
      return accepts("127.0.0.1", port);
    },
    listensWithinMs,
  );
}
