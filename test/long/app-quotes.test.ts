/** An app tells its visitor what a call would cost: on the visitor's account, in the sandbox and as a plain process. */
import assert from "node:assert/strict";
import { resolve } from "node:path";
import { describe, test } from "node:test";
import { deployFolder } from "../../src/client/deploy.ts";
import type { QuoteView } from "../../src/contract/api.ts";
import { needs } from "../support/needs.ts";
import { Platform, visit } from "../support/platform.ts";

const example = resolve(import.meta.dirname, "../../examples/node-mandelbrot");
const { skip: noSandbox } = await needs("sandbox");
const kinds = [
  { sandbox: "none", skip: false },
  { sandbox: "bubblewrap", skip: noSandbox },
] as const;

for (const { sandbox, skip } of kinds) {
  describe(`a quote that an app asks for, sandbox ${sandbox}`, { skip }, () => {
    test("is its visitor's, and holds nothing; nobody else is taken for an app", async () => {
      await using up = await Platform.start({ sandbox });
      const author = await up.account("demo");
      const visitor = await up.account("visitor");
      const deployed = await deployFolder(author.client, example, "demo/app", { waitMs: 600_000 });
      assert.equal(deployed.ok, true, deployed.says);
      await up.admin.changeTier("free", { windowLimitMs: 8_000 });
      const url = deployed.space.addresses.at(-1) ?? "";
      const response = await visit(`${url}/api/quote?zoom=4`, visitor);
      const quote = JSON.parse(response.text) as QuoteView;
      // The picture declares 10 s, and 8 s are left.
      assert.deepEqual([response.status, quote.admitted, quote.heldMs, quote.clipped], [200, true, 8_000, true]);
      const { usedMs, heldMs } = await visitor.client.quota();
      assert.deepEqual([usedMs, heldMs], [0, 0]);
      const stranger = await fetch(`${up.url}/api/gpu/quote`, {
        method: "POST",
        headers: { "x-ip-token": "no.such.token" },
        body: JSON.stringify({ space: "demo/app", declaredMs: 1_000 }),
      });
      assert.equal(stranger.status, 401);
    });
  });
}
