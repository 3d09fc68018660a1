import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Catalog } from "../catalog/catalog.ts";
import { memorySql } from "../catalog/memory-sql.ts";
import type { Problem } from "../contract/problem.ts";
import { SecretBox } from "../identity/secret-box.ts";
import { MemoryJournal, MemoryStore } from "../journal/index.ts";
import type { SqlRunner } from "../stdx/sql.ts";
import { instant } from "../stdx/time.ts";
import { createChecked } from "./described/checked.suite.ts";
import { ControlWorld } from "./control.suite.ts";
import { hubElsewhere, hubVerbs, otherCommits } from "./keyed-hub.suite.ts";
import { addressOf, elsewhere, memoryIncidents, verbs } from "./keyed-verbs.suite.ts";
import { RequestEffects } from "./request-effects.ts";
import { keptMs, keysOfAccountMax, RequestKeys } from "./request-keys.ts";
import type { GivenAnswer } from "./request-keys.ts";

const description = JSON.parse(readFileSync(new URL("../../share/openapi.json", import.meta.url), "utf8")) as {
  readonly paths: Readonly<Record<string, object>>;
  readonly "x-elsewhere": readonly { readonly routes?: readonly string[] }[];
};

type Who = "alice" | "admin";
type Scopes = readonly ("read" | "write" | "admin")[];

interface Sent {
  readonly method?: "POST" | "PUT" | "PATCH" | "DELETE" | "GET";
  readonly body?: unknown;
  readonly who?: Who;
  readonly scopes?: Scopes;
  readonly key?: string;
}

interface Got {
  readonly status: number;
  readonly text: string;
  readonly replayed: boolean;
}

/** A world, and requests to its API. */
async function asking(wishes: Parameters<typeof ControlWorld.open>[0] = {}) {
  const world = await ControlWorld.open(wishes);
  const app = createChecked(world.server);
  const ask = async (
    path: string,
    { method = "POST", body, who = "alice", key, scopes = ["read", "write", "admin"] }: Sent = {},
  ): Promise<Got> => {
    const headers = {
      authorization: `Bearer ${await world.token(who, scopes)}`,
      ...(key === undefined ? {} : { "idempotency-key": key }),
    };
    const text = body instanceof Uint8Array ? Buffer.from(body) : JSON.stringify(body);
    const response = await app.request(path, { method, headers, ...(body === undefined ? {} : { body: text }) });
    const replayed = response.headers.get("idempotent-replayed") === "true";
    return { status: response.status, text: await response.text(), replayed };
  };
  return { world, ask };
}

/** More than a world draws before it is stopped. */
const later = 100_000;

const codeOf = ({ status, text }: Got): string => `${status} ${(JSON.parse(text) as Problem).code}`;
const newToken = { account: "alice", name: "ci" };

describe("a request with an Idempotency-Key", () => {
  test("L10: sent again brings the same answer, and is carried out once", async () => {
    const { world, ask } = await asking();
    await using _ = world;
    const sent = { who: "admin", body: newToken, key: '"a"' } as const;
    const first = await ask("/api/tokens", sent);
    const again = await ask("/api/tokens", sent);
    assert.equal(first.status, 201);
    assert.deepEqual([first.replayed, again.replayed], [false, true]);
    assert.deepEqual({ ...again, replayed: false }, first);
    const made = (await world.catalog.tokens.list("alice")).filter(({ name }) => name === "ci");
    assert.equal(made.length, 1);
  });

  test("L10: a failure is an answer too, though by now it would go well", async () => {
    const { world, ask } = await asking();
    await using _ = world;
    const set = { body: { key: "A", value: "1" }, key: '"a"' };
    const first = await ask("/api/spaces/alice/demo/variables", set);
    await world.space();
    const again = await ask("/api/spaces/alice/demo/variables", set);
    assert.equal(codeOf(first), "404 not-found");
    assert.deepEqual({ ...again, replayed: false }, first);
    assert.deepEqual(world.environments.variables("alice/demo"), {});
  });

  test("L10: the answer outlives a restart", async () => {
    const [store, sql] = [new MemoryStore(), memorySql()];
    const before = await asking({ store, sql });
    const sent = { who: "admin", body: newToken, key: '"a"' } as const;
    const first = await before.ask("/api/tokens", sent);
    await stop(before.world);
    const { world, ask } = await asking({ store, sql, drawn: later });
    await using _ = world;
    assert.deepEqual(await ask("/api/tokens", sent), { ...first, replayed: true });
  });

  test("L11: with other content it is refused, and nothing changes", async () => {
    const { world, ask } = await asking();
    await using _ = world;
    await world.space();
    const path = "/api/spaces/alice/demo/variables";
    await ask(path, { body: { key: "A", value: "1" }, key: '"a"' });
    const others = [
      await ask(path, { body: { key: "A", value: "2" }, key: '"a"' }),
      await ask(path, { method: "DELETE", body: { key: "A", value: "1" }, key: '"a"' }),
      await ask("/api/spaces/alice/demo/secrets", { body: { key: "A", value: "1" }, key: '"a"' }),
    ];
    assert.deepEqual(others.map(codeOf), Array(3).fill("422 key-reused"));
    assert.equal((world.environments.variables("alice/demo")["A"] as { value: string }).value, "1");
  });

  test("L12: two at once have one effect, and the second is told to wait for the first", async () => {
    const { world, ask } = await asking();
    await using _ = world;
    const sent = { who: "admin", body: newToken, key: '"a"' } as const;
    const both = await Promise.all([ask("/api/tokens", sent), ask("/api/tokens", sent)]);
    assert.deepEqual(
      both.map(({ status }) => status).toSorted((a, b) => a - b),
      [201, 409],
    );
    assert.equal(codeOf(both.find(({ status }) => status === 409) as Got), "409 key-in-use");
    assert.equal((await world.catalog.tokens.list("alice")).filter(({ name }) => name === "ci").length, 1);
  });

  test("belongs to its account", async () => {
    const { world, ask } = await asking();
    await using _ = world;
    const path = "/api/spaces/alice/demo/variables";
    await world.space();
    await ask(path, { body: { key: "A", value: "1" }, key: '"a"' });
    const other = await ask(path, { who: "admin", body: { key: "A", value: "2" }, key: '"a"' });
    assert.deepEqual([other.status, other.replayed], [200, false]);
  });

  test("shows its answer to nobody with a lesser token", async () => {
    const { world, ask } = await asking();
    await using _ = world;
    const sent = { who: "admin", body: newToken, key: '"a"' } as const;
    await ask("/api/tokens", sent);
    assert.equal(codeOf(await ask("/api/tokens", { ...sent, scopes: ["read"] })), "422 key-reused");
  });

  test("is good for a new request after a day, and not an instant earlier", async () => {
    const { world, ask } = await asking();
    await using _ = world;
    const sent = { who: "admin", body: newToken, key: '"a"' } as const;
    const first = await ask("/api/tokens", sent);
    world.clock.advance(keptMs - 1);
    assert.equal((await ask("/api/tokens", sent)).text, first.text);
    world.clock.advance(1);
    assert.notEqual((await ask("/api/tokens", sent)).text, first.text);
  });

  test("is a string in quotes of 1 to 255 characters", async () => {
    const { world, ask } = await asking();
    await using _ = world;
    const wrong = ["8e03978e", '""', `"${"x".repeat(256)}"`, '"a", "b"', ":YQ==:", "12", '"\u00e9"'];
    for (const key of wrong)
      assert.equal(codeOf(await ask("/api/tokens", { who: "admin", body: newToken, key })), "400 invalid", key);
    const right = ['"a"', `"${"x".repeat(255)}"`, '"a \\" b";p=1'];
    for (const key of right)
      assert.equal((await ask("/api/tokens", { who: "admin", body: newToken, key })).status, 201);
  });

  test("is nothing to a request that only reads", async () => {
    const { world, ask } = await asking();
    await using _ = world;
    await ask("/api/tiers", { method: "GET", key: '"a"' });
    assert.equal(await world.catalog.requestKeys.count("alice"), 0);
  });

  test("keeps neither what was asked nor what was answered in the clear", async () => {
    const sql = memorySql();
    const { world, ask } = await asking({ sql });
    await using _ = world;
    const { text } = await ask("/api/tokens", { who: "admin", body: newToken, key: '"a"' });
    const { token } = JSON.parse(text) as { token: string };
    const rows = JSON.stringify(await sql.all("SELECT * FROM requestKeys"));
    assert.ok(rows.length > 100 && !rows.includes(token));
  });

  test("is refused where the account has used too many within a day", async () => {
    const sql = memorySql();
    const { world, ask } = await asking({ sql });
    await using _ = world;
    await sql.run(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
       INSERT INTO requestKeys SELECT 'admin', 'n' || i, 'k_n' || i, ?, '', 1, NULL, NULL FROM n`,
      [keysOfAccountMax, world.engine.now()],
    );
    const sent = { who: "admin", body: newToken, key: '"a"' } as const;
    assert.equal(codeOf(await ask("/api/tokens", sent)), "429 too-many-keys");
    world.clock.advance(keptMs);
    assert.equal((await ask("/api/tokens", sent)).status, 201);
  });
});

describe("L13: a process that dies between effect and answer", () => {
  test("is tried with every verb of the description, but for those that are named with a reason", () => {
    const changing = Object.entries(description.paths).flatMap(([path, methods]) =>
      Object.keys(methods)
        .filter((method) => ["post", "put", "patch", "delete"].includes(method))
        .map((method) => `${method.toUpperCase()} ${path}`),
    );
    assert.deepEqual([...Object.keys(verbs), ...Object.keys(elsewhere)].toSorted(), changing.toSorted());
    const ofTheHub = description["x-elsewhere"]
      .flatMap(({ routes = [] }) => routes)
      .filter((route) => /^(?:POST|PUT|PATCH|DELETE) \/api\//.test(route));
    assert.deepEqual([...Object.keys(hubVerbs), ...Object.keys(hubElsewhere)].toSorted(), ofTheHub.toSorted());
  });

  const commits = Object.entries(otherCommits).map(
    ([what, verb]) => ["POST /api/{kind}/{owner}/{name}/commit/{rev}", verb, ` ${what}`] as const,
  );
  for (const [route, verb, what = ""] of [...Object.entries({ ...verbs, ...hubVerbs }), ...commits]) {
    test(`${route}${what}: the next try answers as the first would have, and has no second effect`, async () => {
      const [store, memory] = [new MemoryStore(), memorySql()];
      const incidents = memoryIncidents();
      const dying = dyingAt(memory, /update "requestKeys" set "answer"/);
      const first = await asking({ store, sql: dying, incidents });
      await first.world.space();
      await verb.before?.(first.world);
      const address = await addressOf(route, verb, first.world);
      const sent = { ...verb, method: route.split(" ")[0] as "POST", key: '"a"' };
      const before = await verb.shows(first.world);
      const unanswered = await first.ask(address, sent);
      assert.equal(unanswered.status, 500, unanswered.text);
      await stop(first.world);

      const { world, ask } = await asking({ store, sql: memory, incidents, folder: first.world.folder, drawn: later });
      await using _ = world;
      await world.spaces.recover();
      await world.builds.recover();
      await world.server.discussions.recover();
      const made = await verb.shows(world);
      assert.notDeepEqual(made, before, "its effect is there");
      if (typeof made === "number" && typeof before === "number") assert.equal(Math.abs(made - before), 1);
      const again = await ask(address, sent);
      assert.ok(again.status < 300 && !again.replayed, `${again.status} ${again.text}`);
      assert.deepEqual(await verb.shows(world), made, "and not a second time");
      assert.deepEqual(await ask(address, sent), { ...again, replayed: true });
      const log = await world.catalog.audit.list({}, { page: undefined, limit: 100 });
      assert.equal(log?.items.length, 1, JSON.stringify(log?.items));
      assert.deepEqual(world.failures, []);
    });
  }

  test("a token that was never shown is shown by the next try, and opens", async () => {
    const [store, memory] = [new MemoryStore(), memorySql()];
    const first = await asking({ store, sql: dyingAt(memory, /update "requestKeys" set "answer"/) });
    await first.ask("/api/tokens", { who: "admin", body: newToken, key: '"a"' });
    await stop(first.world);
    const { world, ask } = await asking({ store, sql: memory, drawn: later });
    await using _ = world;
    const { text } = await ask("/api/tokens", { who: "admin", body: newToken, key: '"a"' });
    const { token } = JSON.parse(text) as { token: string };
    const { caller } = (await world.server.callers.byToken(`Bearer ${token}`)) as { caller: { account: string } };
    assert.equal(caller.account, "alice");
  });
});

const answer = (body: string, status = 200): GivenAnswer => ({ status, headers: [], body });
/** Where a process dies while it answers. */
type Death = "before-effect" | "after-effect" | "after-answer" | null;

interface Try {
  readonly key: string;
  readonly content: string;
  readonly death: Death;
  readonly status: number;
}

const tries: fc.Arbitrary<readonly Try[]> = fc.array(
  fc.record({
    key: fc.constantFrom("a", "b"),
    content: fc.constantFrom("1", "1", "1", "2"),
    death: fc.constantFrom<Death>("before-effect", "after-effect", "after-answer", null, null, null),
    status: fc.constantFrom(200, 200, 404, 503),
  }),
  { maxLength: 12 },
);

describe("whatever is tried again, and wherever it dies", () => {
  test("L10, L11, L12: one effect and one answer for each key, and another content never has any", async () => {
    await fc.assert(
      fc.asyncProperty(tries, async (all) => {
        const memory = memorySql();
        const state = { world: await keysOn(memory), tokens: 0 };
        const first = new Map<string, { content: string; body: string | undefined; effects: number }>();
        for (const { key, content, death, status } of all) {
          const { keys, catalog, kill } = state.world;
          const known = first.get(key);
          const makes = status === 200;
          const work = async (): Promise<GivenAnswer> => {
            if (death === "before-effect") throw kill();
            const { work: made } = state.world.effects.made ?? {};
            if (made) return answer(`made ${made}`);
            if (!makes) return answer(`no ${status} ${state.tokens}`, status);
            const id = `t_${++state.tokens}`;
            await catalog.tokens.create({ ...tokenRow, id, hash: id, name: key });
            if (death === "after-effect") throw kill();
            return answer(`made ${id}`);
          };
          const outcome = await keys
            .once({ account: "alice", key, fingerprint: content }, work)
            .catch((error: unknown) => (assert.ok(error instanceof Died), undefined));
          const wasOther = known !== undefined && known.content !== content;
          if (wasOther) assert.equal(outcome?.kind === "refused" && outcome.code, "control/key-reused");
          if (outcome?.kind === "given") {
            const isKept = outcome.answer.status !== 503;
            const body = known?.body ?? (isKept ? outcome.answer.body : undefined);
            if (known?.body !== undefined) assert.equal(outcome.answer.body, known.body);
            if (isKept) first.set(key, { content, body, effects: 0 });
            else first.delete(key);
          } else if (!wasOther && outcome === undefined)
            first.set(key, known ?? { content, body: undefined, effects: 0 });
          if (death !== null) state.world = await keysOn(memory);
          const made = await state.world.catalog.tokens.list("alice");
          for (const each of ["a", "b"]) assert.ok(made.filter(({ name }) => name === each).length <= 1);
        }
      }),
      { numRuns: 100 },
    );
  });

  test("an answer that says not now is no answer to the request", async () => {
    const { keys } = await keysOn(memorySql());
    const request = { account: "alice", key: "a", fingerprint: "1" };
    await keys.once(request, async () => answer("busy", 503));
    const next = await keys.once(request, async () => answer("done"));
    assert.deepEqual(next, { kind: "given", answer: answer("done"), again: false });
  });

  test("an answer whose key of encryption is gone is lost, and the request is not made again", async () => {
    const memory = memorySql();
    const request = { account: "alice", key: "a", fingerprint: "1" };
    await (await keysOn(memory)).keys.once(request, async () => answer("done"));
    const { keys } = await keysOn(memory, "k_other");
    const outcome = await keys.once(request, () => assert.fail("made again"));
    assert.equal(outcome.kind === "refused" && outcome.code, "control/answer-lost");
  });
});

const tokenRow = { account: "alice", scopes: [], createdAt: instant(0), expiresAt: null } as const;

class Died extends Error {}

/** Keys on rows that an earlier process left; nothing reaches them after `kill`. */
async function keysOn(memory: SqlRunner, keyName = "k_test") {
  let died: Died | undefined;
  const alive = <T>(work: () => Promise<T>): Promise<T> => (died ? Promise.reject(died) : work());
  const sql: SqlRunner = {
    dialect: memory.dialect,
    all: (text, params) => alive(() => memory.all(text, params)),
    run: (text, params) => alive(() => memory.run(text, params)),
    transaction: (statements) => alive(() => memory.transaction(statements)),
  };
  const effects = new RequestEffects();
  const clock = { wall: () => instant(1_000) };
  const catalog = await Catalog.open(sql, clock, effects);
  await catalog.accounts.create({ name: "alice", tier: "free", role: "user", createdAt: instant(0) });
  const random = (count: number): Uint8Array => crypto.getRandomValues(new Uint8Array(count));
  const box = new SecretBox(new Map([[keyName, Buffer.alloc(32, 7)]]), random);
  const journal = new MemoryJournal(new MemoryStore());
  const ports = { rows: catalog.requestKeys, journal, box, effects, random, now: () => instant(keptMs * 2) };
  return { keys: new RequestKeys(ports), catalog, effects, kill: () => (died = new Died()) };
}

/** A database whose process dies before it runs a statement of this kind: that one and all later ones fail. */
function dyingAt(memory: SqlRunner, text: RegExp): SqlRunner {
  let isDead = false;
  const step = <T>(sql: string, work: () => Promise<T>): Promise<T> => {
    isDead ||= text.test(sql);
    return isDead ? Promise.reject(new Died()) : work();
  };
  return {
    dialect: memory.dialect,
    all: (sql, params) => step(sql, () => memory.all(sql, params)),
    run: (sql, params) => step(sql, () => memory.run(sql, params)),
    transaction: (statements) => step(statements.map(({ sql }) => sql).join(";"), () => memory.transaction(statements)),
  };
}

async function stop(world: ControlWorld): Promise<void> {
  world.builds.close();
  world.spaces.close();
  await world.engine[Symbol.asyncDispose]();
  (world.journal as MemoryJournal).crash();
}
