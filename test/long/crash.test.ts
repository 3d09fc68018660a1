/** The platform killed under load a hundred times; and a data folder that was set back, which is found out. */
import assert from "node:assert/strict";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { crash, isWhole } from "../crash/crash.ts";

test("L24, L25: SIGKILL at a hundred instants under load: nothing acknowledged is lost or there twice, nothing stays held, each recovery gives the same state", async () => {
  const document = await crash({ kills: 100, seed: 2, say: (line) => console.log(line) });
  assert.ok(isWhole(document), document.findings.join("\n"));
  assert.ok(document.kills >= 100 && document.killsInStart >= 5, JSON.stringify(document));
  assert.ok(document.acknowledged >= 1_000, JSON.stringify(document));
});

test("a data folder that was set back to an earlier kill is found out: what was acknowledged since is lost", async () => {
  const files = ["journal.db", "journal.db-wal", "journal.mark"];
  const document = await crash({
    kills: 6,
    seed: 3,
    say: (line) => console.log(line),
    onKilled: (data, kill) => {
      const aside = join(data, "..", "aside");
      if (kill === 2) for (const name of files) cpSync(join(data, name), join(aside, name));
      if (kill !== 5) return;
      for (const name of files) rmSync(join(data, name));
      cpSync(aside, data, { recursive: true });
    },
  });
  assert.equal(isWhole(document), false);
  assert.ok(document.lost > 0, JSON.stringify(document));
});
