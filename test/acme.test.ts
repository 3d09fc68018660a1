/** Certificates by ACME, from Pebble, proved on the edge itself. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { Authority, createRoot } from "../src/tls/authority.ts";
import { Certificates } from "../src/tls/certificates.ts";
import { app } from "./support/edge-app.ts";
import { edgeWorld } from "./support/edge-world.ts";
import { eventually } from "./support/eventually.ts";
import { freePort } from "./support/free-port.ts";
import { needs } from "./support/needs.ts";
import { startPebble } from "./support/pebble.ts";
import { shownFor } from "./support/tls-client.ts";

const folder = mkdtempSync(join(tmpdir(), "waybill-acme-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const host = "alice-demo.apps.example";
const said: string[] = [];
const log = { info: (_: object, says: string) => said.push(says), warn: (_: object, says: string) => said.push(says) };
let now = Date.now;

function certificates(directory: string, at = join(folder, "tls")): Promise<Certificates> {
  return Certificates.open({
    ...{ folder: at, appsDomain: "apps.example", now: () => now(), log, isOurs: (name) => name === host },
    sources: { files: [], isAuthority: false, acme: { directory, email: "op@apps.example" } },
  });
}

test(
  "a name of ours gets one at its first handshake, proved on the edge; it is kept, and renewed before it ends",
  await needs("pebble"),
  async () => {
    const root = await createRoot(join(folder, "pebble-ca"), { now: now(), name: "the test's" });
    const authority = await Authority.open({ folder: join(folder, "pebble-ca"), now });
    setDefaultCACertificates([...getCACertificates("default"), root.pem]);
    const port = await freePort();
    const directory = `https://127.0.0.1:${port}/dir`;
    const tls = await certificates(directory);
    const world = await edgeWorld(app, { tls: { pairs: tls } });
    try {
      const pebble = await startPebble(folder, {
        ...{ port, httpPort: world.edge.port, certificate: await authority.issued(["127.0.0.1"]) },
      });
      const first = await shownFor(world.edge.port, host);
      assert.match(String(first.issuer.CN), /^Pebble/);
      assert.equal(first.subjectaltname, `DNS:${host}`);
      assert.equal((await shownFor(world.edge.port, host)).serialNumber, first.serialNumber);
      // Nobody else's name is asked for.
      await assert.rejects(shownFor(world.edge.port, "bank.example"));
      assert.deepEqual(said.splice(0), ["a certificate came by ACME"]);
      const kept = join(folder, "tls", "acme");
      assert.deepEqual(readdirSync(kept).toSorted(), ["account.key", `${host}.pem`]);
      for (const file of readdirSync(kept)) assert.equal(statSync(join(kept, file)).mode & 0o777, 0o600, file);

      // The next start has it, without the authority.
      using again = await certificates("https://127.0.0.1:1/dir");
      assert.ok((await again.pairFor({ name: host, address: "127.0.0.1" })) !== undefined);

      // Pebble's last five years: in the fourth it is renewed, and what runs shows the new one.
      now = () => Date.now() + 4 * 365 * 86_400_000;
      tls.renew();
      await eventually("the renewed one", () => said.includes("a certificate came by ACME"));
      assert.notEqual((await shownFor(world.edge.port, host)).serialNumber, first.serialNumber);
      await pebble[Symbol.asyncDispose]();
    } finally {
      now = Date.now;
      tls[Symbol.dispose]();
      await world.close();
    }
  },
);

test("an authority that does not answer is told of, tried again later and later, and what other sources have is shown meanwhile", async () => {
  let at = Date.now();
  now = () => at;
  said.length = 0;
  const deaf = await freePort();
  using tls = await certificates(`https://127.0.0.1:${deaf}/dir`, join(folder, "deaf"));
  const asked = () => tls.pairFor({ name: host, address: "127.0.0.1" });
  assert.equal(await asked(), undefined);
  assert.match(
    said[0] ?? "",
    new RegExp(
      `^no certificate for ${host.replaceAll(".", "\\.")} from https://127\\.0\\.0\\.1:${deaf}/dir: .+; tried again from `,
    ),
  );
  const [problem] = (await tls.shown()).problems;
  assert.deepEqual([problem?.name, (problem?.retryAt ?? 0) - at], [host, 60_000]);
  // Too early: nothing is asked.
  assert.equal(await asked(), undefined);
  assert.equal(said.length, 1);
  at += 60_000;
  assert.equal(await asked(), undefined);
  assert.equal(said.length, 2);
  assert.equal(((await tls.shown()).problems[0]?.retryAt ?? 0) - at, 120_000);
  now = Date.now;
});
