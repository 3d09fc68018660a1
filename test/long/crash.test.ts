/** The platform killed under load a hundred times; and a data folder that was set back, which is found out. */
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, readdirSync, rmSync } from "node:fs";
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
  const document = await crash({
    kills: 6,
    lives: 5,
    seed: 3,
    restWithinMs: 1_000, // It does not: fences of what the journal has forgotten are above those that it gives.
    say: (line) => console.log(line),
    onKilled: (data, life) => {
      const aside = join(data, "..", "aside");
      if (life === 2) copyJournal(data, aside);
      if (life !== 5) return;
      for (const name of journalOf(data)) rmSync(join(data, name));
      copyJournal(aside, data);
    },
  });
  assert.equal(isWhole(document), false);
  assert.ok(document.lost > 0, JSON.stringify(document));
});

/** The files of the journal: the database with what lies beside it, and its mark. */
function journalOf(folder: string): readonly string[] {
  return readdirSync(folder).filter((name) => name.startsWith("journal.") && name !== "journal.lock");
}

function copyJournal(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const name of journalOf(from)) copyFileSync(join(from, name), join(to, name));
}
