import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { Catalog } from "../catalog/catalog.ts";
import { memorySql } from "../catalog/memory-sql.ts";
import type { ToAgent } from "../contract/agent.ts";
import { allMaxBytes, refuseName, refuseValue, valueMaxBytes } from "../contract/environment.ts";
import { openSecretBox, SecretBox } from "../identity/secret-box.ts";
import { durationMs, instant } from "../stdx/time.ts";
import { Environments, type EnvironmentEntry } from "./environments.ts";

const space = "alice/app";
const secret = (name: string): EnvironmentEntry => ({ kind: "secret", space, name });
const variable = (name: string): EnvironmentEntry => ({ kind: "variable", space, name });

/** Environments over a catalog in memory, with a Space whose restarts are counted. */
async function opened(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "wb-env-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const random = (count: number): Uint8Array => crypto.getRandomValues(new Uint8Array(count));
  const clock = { now: 1_000, wall: () => instant(clock.now), monotonic: () => clock.now };
  const sql = memorySql();
  const catalog = await Catalog.open(sql, clock);
  const changes: string[] = [];
  const box = await openSecretBox(join(folder, "secrets.key"), { needed: [], random });
  const open = (keys = box): Promise<Environments> =>
    Environments.open({
      rows: catalog.environments,
      box: keys,
      clock,
      onChange: (of) => changes.push(of),
    });
  const environments = await open();
  const set = (entry: EnvironmentEntry, value: string, description: string | null = null) =>
    environments.set(entry, { value, description, account: "alice" });
  return { environments, open, set, changes, catalog, sql, box };
}

function startOf(replica: string, of = space): ToAgent {
  const env = { SPACE_HOST: "alice-app.localhost" };
  const spec = { replica, space: of, release: "rel_1", sdk: "node", env, readyWithinMs: durationMs(1) } as const;
  return { type: "start-replica", spec };
}

describe("Environments", () => {
  test("a secret goes out with the order to start a replica, and nowhere else: no view, no row, no change shows it", async (t) => {
    const { environments, set, sql } = await opened(t);
    await set(secret("KEY"), "s3cr3t-value");
    const order = environments.equip(startOf("p_1"));
    assert.deepEqual("spec" in order && "secrets" in order.spec && order.spec.secrets, { KEY: "s3cr3t-value" });
    const rows = await Promise.all(
      ["spaceSecrets", "spaceEnvironmentChanges"].map((table) => sql.all(`SELECT * FROM ${table}`)),
    );
    assert.equal(rows.flat().length, 2);
    const shown = [
      environments.secrets(space),
      environments.variables(space),
      await environments.changes(space, 9),
      rows,
    ];
    assert.ok(!JSON.stringify(shown).includes("s3cr3t-value"));
    assert.deepEqual(environments.secrets(space), { KEY: { updatedAt: "1970-01-01T00:00:01.000Z" } });
  });

  test("variables go to builds and replicas, under what the platform sets itself", async (t) => {
    const { environments, set } = await opened(t);
    await set(variable("GREETING"), "hello");
    const order = environments.equip(startOf("p_1"));
    assert.deepEqual(order.type === "start-replica" && order.spec.env, {
      GREETING: "hello",
      SPACE_HOST: "alice-app.localhost",
    });
    const spec = { build: "b_1", space, commit: "1", repository: "", limitMs: durationMs(1) };
    const build = environments.equip({ type: "build", number: 1, fence: 1, spec });
    assert.deepEqual(build.type === "build" && build.spec.variables, { GREETING: "hello" });
  });

  test("an order for another Space is not changed", async (t) => {
    const { environments, set } = await opened(t);
    await set(secret("KEY"), "value");
    const order = startOf("p_1", "bob/app");
    assert.equal(environments.equip(order), order);
  });

  test("all of it is there after a restart, and a secret that is moved to another name does not open", async (t) => {
    const { set, open, catalog } = await opened(t);
    await set(secret("KEY"), "value");
    await set(variable("GREETING"), "hello", "what it says");
    const again = await open();
    assert.deepEqual(again.variables(space), {
      GREETING: { value: "hello", description: "what it says", updatedAt: "1970-01-01T00:00:01.000Z" },
    });
    for (const row of await catalog.environments.secrets())
      await catalog.environments.setSecret({ ...row, name: "OTHER" }, { account: "eve", action: "set" });
    const moved = await open();
    assert.throws(() => moved.equip(startOf("p_1")));
  });

  test("what an older key sealed is sealed again with the newer one at the next start", async (t) => {
    const { set, open, catalog, box } = await opened(t);
    await set(secret("KEY"), "value");
    const old = (await catalog.environments.secrets())[0]?.key;
    const [first, second] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)].map((bytes) => Buffer.from(bytes));
    const keys = new SecretBox(new Map([["k_1", first as Buffer]]), (count) => new Uint8Array(count));
    const sealed = keys.seal(
      box.open((await catalog.environments.secrets())[0] as never, `${space} KEY`),
      `${space} KEY`,
    );
    await catalog.environments.reseal({ space, name: "KEY", ...sealed });
    const both = new Map([
      ["k_1", first as Buffer],
      ["k_2", second as Buffer],
    ]);
    const again = await open(new SecretBox(both, (count) => new Uint8Array(count)));
    assert.deepEqual([old !== "k_2", (await catalog.environments.secrets())[0]?.key], [true, "k_2"]);
    const order = again.equip(startOf("p_1"));
    assert.deepEqual(order.type === "start-replica" && order.spec.secrets, { KEY: "value" });
  });

  test("a change is told and numbered; the same value again, or another description, is none", async (t) => {
    const { set, changes, environments } = await opened(t);
    assert.deepEqual(await set(variable("A"), "1"), { ok: true, changed: true, updatedAt: "1970-01-01T00:00:01.000Z" });
    const first = environments.last(space)?.id;
    assert.equal(((await set(variable("A"), "1")) as { changed: boolean }).changed, false);
    await set(variable("A"), "1", "described");
    assert.deepEqual([changes, environments.last(space)?.id], [[space, space], first]);
    assert.equal(await environments.unset(variable("A"), "alice"), true);
    assert.equal(await environments.unset(variable("A"), "alice"), false);
    assert.ok((environments.last(space)?.id ?? 0) > (first ?? 0));
    assert.deepEqual(
      (await environments.changes(space, 9)).map(({ kind, name, action, account }) => [kind, name, action, account]),
      [
        ["variable", "A", "unset", "alice"],
        ["variable", "A", "described", "alice"],
        ["variable", "A", "set", "alice"],
      ],
    );
  });

  test("one name is a variable or a secret, not both", async (t) => {
    const { set } = await opened(t);
    await set(variable("A"), "1");
    assert.match(
      JSON.stringify(await set(secret("A"), "1")),
      /control\/conflict.*A is a variable of this Space already/,
    );
  });

  test("names that the platform sets, and what no environment can hold, are refused with a sentence", () => {
    for (const name of ["PATH", "PORT", "SPACE_ID", "WAYBILL_URL", "SPACES_ZERO_GPU", "ZEROGPU_OFFLOAD_DIR"])
      assert.match(refuseName(name) ?? "", /set by the platform; choose another name\.$/, name);
    for (const name of ["", "1A", "A-B", "A B", "Ä", "A".repeat(129), "A=B"])
      assert.match(refuseName(name) ?? "", /cannot be a name/);
    for (const name of ["HF_TOKEN", "A", "_a1", "OPENAI_API_KEY"]) assert.equal(refuseName(name), undefined);
    assert.match(refuseValue("a\0b") ?? "", /NUL/);
    assert.match(refuseValue("ä".repeat(valueMaxBytes / 2 + 1)) ?? "", /64 KiB/);
    assert.equal(refuseValue("ä".repeat(valueMaxBytes / 2)), undefined);
  });

  test("all of a Space's are bounded together", async (t) => {
    const { set } = await opened(t);
    const large = "x".repeat(allMaxBytes / 2 - 10);
    assert.equal((await set(variable("A"), large)).ok, true);
    assert.equal((await set(secret("B"), large)).ok, true);
    assert.match(
      JSON.stringify(await set(secret("C"), "x".repeat(20))),
      /128 KiB; without this one they have \d+ bytes/,
    );
    assert.equal((await set(secret("B"), "small")).ok, true, "a smaller value may take the place of a larger");
  });
});
