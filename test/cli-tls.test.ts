/** The command line's part in TLS: `waybill ca`, and how `up` is told of sources. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runCli } from "../src/cli/program.ts";
import type { UpOptions } from "../src/cli/world.ts";
import { cliWorld } from "./support/cli-world.ts";

const ups: UpOptions[] = [];

async function waybill(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const { world, said } = cliWorld({
    up: async (options) => (ups.push(options), 0),
    authority: async (data, { create }) =>
      create || data === "with-authority"
        ? {
            ...{ file: `${data}/tls/authority/root.pem`, pem: "PEM\n", subject: "CN=Waybill\nO=Waybill" },
            ...{ sha256: "AA:BB", notAfter: "2036-11-27T12:00:00.000Z" },
          }
        : undefined,
    dataFolder: (named) => named ?? "",
  });
  const code = await runCli(args, world);
  return { code, ...said };
}

test("up hands over how TLS is spoken, each source of its own", async () => {
  await waybill("up", "--tls", "ca", "--tls", "/a.pem,/a.key", "--http-port", "8080");
  assert.deepEqual(ups[0]?.network, { tls: ["ca", "/a.pem,/a.key"], httpPort: 8080 });
});

test("ca shows the root, its fingerprint and how to trust it; where there is none it says how to make one", async () => {
  const made = await waybill("ca", "create", "--data", "d");
  assert.deepEqual([made.code, made.out.includes("SHA-256      AA:BB"), made.out.endsWith("PEM\n")], [0, true, true]);
  assert.match(made.err, /update-ca-certificates/);
  const quiet = await waybill("ca", "show", "--data", "with-authority", "-q");
  assert.equal(quiet.out, "with-authority/tls/authority/root.pem\n");
  const none = await waybill("ca", "show", "--data", "d");
  assert.equal(none.code, 1);
  assert.match(none.err, /waybill ca create/);
});
