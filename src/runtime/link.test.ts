import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { shimContract } from "../contract/shim.ts";
import { socketNames, type StoredPlan, writeStored } from "./folder.ts";
import { connectLink } from "./link.ts";

test("a shim is told only what it knows; of one whose record was damaged that is the least", async () => {
  const folder = mkdtempSync(join(tmpdir(), "wb-link-"));
  const shim = createServer((socket) => socket.write(`${JSON.stringify({ type: "status", status: {} })}\n`));
  try {
    await once(shim.listen(join(folder, socketNames.control)), "listening");
    const link = await connectLink({ folder, sockets: folder, spec: { replica: "p_1" } } as StoredPlan, 1, 5_000);
    const isTold = (): boolean => link.send({ type: "on-cards", processes: [] });
    for (const [contract, told] of [
      [shimContract.knowsCards, true],
      [shimContract.freezes, false],
    ] as const) {
      writeStored(folder, "shim.json", { pid: 1, start: "", contract });
      assert.equal(isTold(), told);
    }
    writeFileSync(join(folder, "shim.json"), "{");
    assert.equal(isTold(), false);
    assert.equal(link.send({ type: "hello", agentEpoch: 1 }), true);
    link.close();
  } finally {
    shim.close();
    rmSync(folder, { recursive: true });
  }
});
