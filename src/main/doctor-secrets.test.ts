import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Catalog } from "../catalog/catalog.ts";
import { openSecretBox } from "../identity/secret-box.ts";
import { openSqliteJournal } from "../journal/index.ts";
import { instant } from "../stdx/time.ts";
import { hiderOf } from "./doctor-secrets.ts";

test("the key that seals secrets is hidden as it stands in its file, and as the bytes that it is", async () => {
  const data = mkdtempSync(join(tmpdir(), "wb-secrets-"));
  try {
    const key = randomBytes(32);
    const secretsKeyFile = join(data, "secrets.key");
    writeFileSync(secretsKeyFile, `k_1 ${key.toString("base64")}\n`);
    const hide = await hiderOf({ data, secretsKeyFile, env: {}, tokens: [] });
    const hex = key.toString("hex");
    for (const form of [key.toString("base64"), hex, hex.toUpperCase()])
      assert.equal(hide(`it is ${form}.`), "it is ***.");
  } finally {
    rmSync(data, { recursive: true });
  }
});

test("of a stopped platform its own keys are hidden, and the secrets of Spaces and of webhooks, the former ones too", async () => {
  const data = mkdtempSync(join(tmpdir(), "wb-secrets-"));
  try {
    const secretsKeyFile = join(data, "secrets.key");
    const box = await openSecretBox(secretsKeyFile, { needed: [], random: randomBytes });
    const now = instant(1);
    const onFatal = (failure: Error): never => {
      throw failure;
    };
    {
      await using journal = await openSqliteJournal({ folder: data, onFatal });
      const { accounts, spaces, environments, webhooks, settings } = await Catalog.open(journal.sql, {
        wall: () => now,
      });
      await accounts.create({ name: "alice", tier: "free", role: "user", createdAt: now });
      await spaces.create("alice", "demo", now);
      await settings.set("a-key", JSON.stringify({ secret: "of the platform" }));
      const of = { space: "alice/demo", name: "TOKEN", description: null, updatedAt: now };
      const set = { account: "alice", action: "set" } as const;
      await environments.setSecret({ ...of, ...box.seal("of the Space", "alice/demo TOKEN") }, set);
      const former = box.seal("whsec_former", "webhook wh_1");
      await webhooks.add({
        ...{ id: "wh_1", owner: "alice", url: "https://hooks.example", types: [], description: null, state: "on" },
        ...{ since: now, says: "", failingSince: null, createdAt: now, createdBy: "alice", formerUntil: now },
        ...{ ...box.seal("whsec_current", "webhook wh_1"), formerKey: former.key, formerSealed: former.sealed },
      });
    }
    const hide = await hiderOf({ data, secretsKeyFile, env: {}, tokens: [] });
    for (const secret of ["of the platform", "of the Space", "whsec_current", "whsec_former"])
      assert.equal(hide(`it is ${secret}.`), "it is ***.");
  } finally {
    rmSync(data, { recursive: true });
  }
});
