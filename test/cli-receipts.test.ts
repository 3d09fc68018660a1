/** `waybill receipt` against a scripted console: what is checked offline, what is remembered, and with which exit code. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { runCli } from "../src/cli/program.ts";
import { cliWorld } from "./support/cli-world.ts";
import { ScriptedConsole } from "./support/console-api.ts";
import { createReceiptKey, ReceiptWorld, signedReceipt } from "./support/receipts.ts";

let folder: string;
let api: ScriptedConsole;
let url: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "waybill-receipts-"));
  api = new ScriptedConsole();
  url = await api.listen();
});
afterEach(async () => {
  await api[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function waybill(args: readonly string[]): Promise<Ran> {
  const env = { WAYBILL_URL: url, WAYBILL_TOKEN: "hf_wbtest" };
  const { world, said } = cliWorld({ env, signInFile: join(folder, "sign-in.json") });
  const code = await runCli(args, world);
  return { code, ...said };
}

describe("waybill receipt", () => {
  test("receipt verify needs no server, trusts the server's keys where it answers, and fails on one changed byte", async () => {
    const { signed, publicKey } = await signedReceipt();
    const file = join(folder, "r.json");
    await writeFile(file, JSON.stringify(signed));
    const alone = await waybill(["receipt", "verify", file, "--url", "http://127.0.0.1:9"]);
    assert.equal(alone.code, 0, alone.err + alone.out);
    assert.match(
      alone.out,
      /unchanged since it was signed, by a key that only the file vouches for: alice was charged 0\.412 s for c_1\n$/,
    );
    api.routes.set("GET /api/keys", { keys: [publicKey] });
    const known = await waybill(["receipt", "verify", file]);
    assert.equal(known.code, 0);
    assert.match(known.out, /\ngenuine: alice was charged 0\.412 s for c_1\n$/);
    api.routes.set("GET /api/keys", { keys: [(await createReceiptKey()).publicKey] });
    assert.equal((await waybill(["receipt", "verify", file])).code, 1);
    await writeFile(
      file,
      JSON.stringify({ ...signed, receipt: { ...signed.receipt, chargedMs: 411, releasedMs: 9_589 } }),
    );
    const changed = await waybill(["receipt", "verify", file, "--offline", "--json"]);
    assert.equal(changed.code, 1);
    assert.equal((JSON.parse(changed.out) as { ok: boolean }).ok, false);
    assert.equal((await waybill(["receipt", "verify", join(folder, "absent")])).code, 2);
  });

  test("receipt verify remembers the log that it saw: one that grew is told by its proof, and a rewritten one ends with 1", async () => {
    const world = await ReceiptWorld.open();
    await world.calls(5);
    const file = async (name: string, document: unknown): Promise<string> => {
      await writeFile(join(folder, name), JSON.stringify(document));
      return join(folder, name);
    };
    const published = async (of: ReceiptWorld): Promise<void> =>
      void api.routes.set("GET /api/keys", { origin: of.keys.origin, keys: await of.keys.published() });
    const first = await file("first.json", await world.receipt("c_0001"));
    const seen = await waybill(["receipt", "verify", first, "--offline"]);
    assert.equal(seen.code, 0, seen.out);
    assert.match(seen.out, /ok {4}leaf +It is leaf 2 of 5 of that log\./);
    await world.calls(5, 5);
    await world.log.settle();
    await published(world);
    api.routes.set("GET /api/receipts/c_0007?since=5", await world.receipt("c_0007", 5));
    const shown = await waybill(["receipt", "show", "c_0007", "--json"]);
    const later = await file("later.json", JSON.parse(shown.out));
    const told = await waybill(["receipt", "verify", later, "--offline"]);
    assert.match(told.out, /The log extends the checkpoint of .* that you have seen, of 5 receipts\.\ngenuine: alice/);
    api.routes.set("GET /api/receipts/log/consistency?from=5&to=10", { proof: await world.log.consistency(5, 10) });
    const again = await waybill(["receipt", "verify", first]);
    assert.equal(again.code, 0, again.out);
    assert.match(again.out, /The log went on from here to the checkpoint of/);

    const rewritten = await ReceiptWorld.open(world.keys);
    await rewritten.calls(12, 0, 2);
    await published(rewritten);
    api.routes.set("GET /api/receipts/log/consistency?from=10&to=12", {
      proof: await rewritten.log.consistency(10, 12),
    });
    const forged = await file("forged.json", await rewritten.receipt("c_0001"));
    const caught = await waybill(["receipt", "verify", forged]);
    assert.equal(caught.code, 1, caught.out);
    assert.match(caught.out, /fail {2}extends +not so: The log extends/);
    assert.match(caught.out, /the log of receipts was rewritten since you saw it/);
    assert.equal((await waybill(["receipt", "verify", forged])).code, 1, "and so it stays");
    const anew = await waybill(["receipt", "verify", forged, "--anew"]);
    assert.equal(anew.code, 0, anew.out);
    assert.equal((await waybill(["receipt", "verify", forged, "--offline"])).code, 0);
    assert.equal((await waybill(["receipt", "verify", later, "--offline"])).code, 0, "not compared without the server");

    await writeFile(join(folder, "receipt-logs.json"), "{");
    const damaged = await waybill(["receipt", "verify", first, "--offline"]);
    assert.deepEqual([damaged.code, damaged.err.includes("receipt-logs.json")], [2, true]);
  });

  test("receipt verify says of a changed file that it is not genuine: whatever log it names, and where nothing was seen of it", async () => {
    const world = await ReceiptWorld.open();
    await world.calls(5);
    const { log, ...signed } = await world.receipt("c_0001", 3);
    const file = join(folder, "changed.json");
    const root = log?.checkpoint.split("\n")[2];
    const checkpoint = log?.checkpoint.replace("waybill/log", "constructor");
    for (const changed of [
      { ...log, checkpoint },
      { ...log, extends: { ...log?.extends, root } },
    ]) {
      await writeFile(file, JSON.stringify({ ...signed, log: changed }));
      const { code, out, err } = await waybill(["receipt", "verify", file, "--offline"]);
      assert.deepEqual([code, err], [1, ""]);
      assert.match(out, /\nnot genuine: do not rely on this receipt\n$/);
    }
  });

  test("receipt key list and rotate say which keys have signed, and for which checkpoints each speaks", async () => {
    const world = await ReceiptWorld.open();
    await world.calls(3);
    await world.log.rotate();
    const keys = await world.keys.published();
    api.routes.set("GET /api/keys", { origin: "waybill/log", keys });
    api.routes.set("POST /api/keys/receipts/rotate", { origin: "waybill/log", keys });
    for (const command of ["list", "rotate"]) {
      const { out, code } = await waybill(["receipt", "key", command]);
      assert.equal(code, 0);
      assert.match(out, /^waybill\/log\n.*signed checkpoints of 0 to 3 receipts\n.*signs now, from 3 receipts on\n$/);
    }
  });

  test("receipt list, statement and export: what an account pays in a month, and an export whose sums are not the statement's fails", async () => {
    const world = await ReceiptWorld.open();
    await world.calls(3, 0, 250);
    const items = (await Promise.all(["c_0002", "c_0001", "c_0000"].map((id) => world.receipt(id)))).map(
      ({ receipt }) => receipt,
    );
    const statement = {
      ...{ account: "alice", month: "2026-11", from: "2026-11-01T00:00:00.000Z", until: "2026-12-01T00:00:00.000Z" },
      ...{ calls: 3, usedMs: 750, chargedMs: 750, creditsMs: 0, more: false, removedUntil: null, below: 3 },
      lines: [
        { space: "alice/demo", pool: "main", size: "large", calls: 3, usedMs: 750, chargedMs: 750, creditsMs: 0 },
      ],
    };
    const asked = "account=alice&month=2026-11&limit=200&below=3";
    api.routes.set("GET /api/receipts?account=alice", { items: items.slice(0, 1), next: "x" });
    api.routes.set(`GET /api/receipts?${asked}`, { items: items.slice(0, 2), next: "y" });
    api.routes.set(`GET /api/receipts?account=alice&month=2026-11&page=y&limit=200&below=3`, {
      items: items.slice(2),
      next: null,
    });
    api.routes.set("GET /api/statements/2026-11?account=alice", statement);

    const list = await waybill(["receipt", "list", "--account", "alice"]);
    assert.match(list.out, /RECEIPT .*CHARGED\n.* r_0002 .* 0\.25 s\n$/);
    assert.match(list.err, /--page x/);
    const shown = await waybill(["receipt", "statement", "--account", "alice", "--month", "2026-11"]);
    assert.match(shown.out, /^alice, 2026-11 {2}3 calls, 0\.75 s charged\n.*\nalice\/demo .*0\.75 s\n$/);
    const month = ["--account", "alice", "--month", "2026-11"];
    const lines = await waybill(["receipt", "export", ...month]);
    assert.equal(lines.code, 0, lines.err);
    assert.deepEqual(
      lines.out
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown),
      items,
    );
    assert.match(lines.err, /3 receipts, 0\.75 s charged: as the statement says/);
    const csv = await waybill([
      "receipt",
      "export",
      ...month,
      "--format",
      "focus",
      "--price",
      "0.5",
      "--currency",
      "EUR",
    ]);
    const [head, ...rows] = csv.out.trimEnd().split("\r\n");
    assert.match(head ?? "", /^BilledCost,BillingAccountId,/);
    assert.deepEqual(
      rows.map((row) => row.split(",")[0]),
      ["0.125", "0.125", "0.125"],
    );

    api.routes.set("GET /api/statements/2026-11?account=alice", { ...statement, chargedMs: 751 });
    const differs = await waybill(["receipt", "export", ...month]);
    assert.equal(differs.code, 1);
    assert.match(differs.err, /sums-differ/);
    for (const wrong of [
      ["--format", "xml"],
      ["--price", "1,5"],
      ["--currency", "euro"],
    ])
      assert.equal((await waybill(["receipt", "export", ...month, ...wrong])).code, 2, wrong.join(" "));
    assert.equal((await waybill(["receipt", "export", "--account", "alice"])).code, 2, "of which month?");
  });
});
