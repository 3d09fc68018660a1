import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { prng } from "../stdx/prng.ts";
import { instant } from "../stdx/time.ts";
import { knownForMs } from "./remembered.ts";
import { idleMs, lastsMs, sessionCookie, sessionSecretOf, Sessions, usedEveryMs } from "./sessions.ts";
import type { FoundSession, Session, SessionDirectory } from "./sessions.ts";

const t0 = Date.UTC(2026, 10, 22, 12);
const ended = { ok: false, code: "identity/session-ended" };

/** Sessions over rows that the test reads, and a clock that it moves. */
function world() {
  const state = { now: 0, finds: 0, touches: 0, isReadOnly: false, failed: [] as unknown[] };
  const rows = new Map<string, Session & { readonly agent: string | null }>();
  const change = (id: string, over: Partial<Session>): void => {
    for (const [hash, row] of rows) if (row.id === id) rows.set(hash, { ...row, ...over });
  };
  const directory: SessionDirectory = {
    create: async ({ hash, ...made }) => void rows.set(hash, { ...made, usedAt: made.createdAt, endedAt: null }),
    find: async (hash): Promise<FoundSession | undefined> => {
      state.finds += 1;
      const session = rows.get(hash);
      return session && { session, tier: "pro", role: "user" };
    },
    byId: async (id) => {
      state.finds += 1;
      const session = [...rows.values()].find((row) => row.id === id);
      return session && { session, tier: "pro", role: "user" };
    },
    touch: async (id, at) => {
      state.touches += 1;
      if (state.isReadOnly) throw new Error("read only");
      change(id, { usedAt: at });
    },
    end: async ({ id, account }, at) => {
      const row = [...rows.values()].find((one) => one.id === id && one.account === account && one.endedAt === null);
      if (row) change(id, { endedAt: at });
      return row !== undefined;
    },
  };
  const random = prng(7);
  const options = {
    directory,
    clock: { wall: () => instant(t0 + state.now), monotonic: () => state.now },
    random: (count: number) => random.bytes(count),
    onTouchFailed: (error: unknown) => state.failed.push(error),
  };
  const sessions = new Sessions(options);
  const make = () => sessions.make({ account: "alice", how: "password", address: null, agent: "x".repeat(9_999) });
  return { state, rows, sessions, make, another: () => new Sessions(options) };
}

describe("a session", () => {
  test("is its account's by a secret that is drawn for it and kept nowhere", async () => {
    const { rows, sessions, make } = world();
    const [first, second] = [await make(), await make()];
    assert.match(first.secret, /^wbs_.{32}$/);
    assert.notEqual(first.secret, second.secret);
    assert.ok(!JSON.stringify([...rows]).includes(first.secret.slice(4)));
    assert.deepEqual(
      [...rows.values()].map(({ agent }) => agent?.length),
      [200, 200],
    );
    const found = await sessions.find(first.secret);
    assert.deepEqual(found.ok && [found.session.id, found.session.account, found.tier], [first.id, "alice", "pro"]);
  });

  test("that nobody made is refused, and what has not its form is not even looked for", async () => {
    const { state, sessions } = world();
    for (const secret of ["", "wbs_", "x".repeat(10_000), `wbs_${"I".repeat(32)}`, `hf_wb${"0".repeat(32)}`])
      assert.deepEqual(await sessions.find(secret), ended);
    assert.equal(state.finds, 0);
    assert.deepEqual(await sessions.find(`wbs_${"0".repeat(32)}`), ended);
    assert.equal(state.finds, 1);
  });

  test("that is ended is refused here at once, and by another process within a second", async () => {
    const { state, sessions, another, make } = world();
    const { id, secret } = await make();
    const elsewhere = another();
    assert.equal((await elsewhere.find(secret)).ok && (await sessions.find(secret)).ok, true);
    assert.equal(await sessions.end({ id, account: "bob" }), false);
    assert.equal((await sessions.find(secret)).ok, true);
    assert.equal(await sessions.end({ id, account: "alice" }), true);
    assert.deepEqual(await sessions.find(secret), ended);
    state.now = knownForMs - 1;
    assert.equal((await elsewhere.find(secret)).ok, true);
    state.now = knownForMs;
    assert.deepEqual(await elsewhere.find(secret), ended);
  });

  test("that the catalog has ended is refused at once where that is said, by its secret and by its id", async () => {
    const { rows, sessions, make } = world();
    const { id, secret } = await make();
    const both = async () => [(await sessions.find(secret)).ok, (await sessions.byId(id)).ok];
    assert.deepEqual(await both(), [true, true]);
    for (const [hash, row] of rows) rows.set(hash, { ...row, endedAt: instant(t0) });
    sessions.forget();
    assert.deepEqual(await both(), [false, false]);
  });

  test("ends when it was not used for a week, to the instant, also where it is remembered", async () => {
    const { state, sessions, make } = world();
    const { secret } = await make();
    state.now = idleMs - 1;
    // Remembered as it was before this very use of it was noted.
    assert.equal((await sessions.find(secret)).ok, true);
    state.now += knownForMs + idleMs - 1;
    assert.equal((await sessions.find(secret)).ok, false);
    const fresh = await make();
    state.now += idleMs;
    assert.deepEqual(await sessions.find(fresh.secret), ended);
  });

  test("ends after thirty days, however much it is used", async () => {
    const { state, sessions, make } = world();
    const { secret } = await make();
    for (state.now = 0; state.now < lastsMs - idleMs / 2; state.now += idleMs / 2)
      assert.equal((await sessions.find(secret)).ok, true);
    state.now = lastsMs - 1;
    assert.equal((await sessions.find(secret)).ok, true);
    state.now = lastsMs;
    assert.deepEqual(await sessions.find(secret), ended);
  });

  test("is asked for once a second and noted once an hour; a note that fails is told and refuses nobody", async () => {
    const { state, sessions, make } = world();
    const { secret } = await make();
    for (state.now = 0; state.now < usedEveryMs * 2; state.now += 500) await sessions.find(secret);
    assert.deepEqual([state.finds, state.touches], [usedEveryMs / 500, 1]);
    state.isReadOnly = true;
    state.now += usedEveryMs;
    assert.equal((await sessions.find(secret)).ok, true);
    assert.equal(state.failed.length, 1);
  });
});

describe("the cookie", () => {
  test("is kept from https alone, for this host and all its paths, out of scripts' reach, and goes with no other site's request", async () => {
    const cookie = sessionCookie("wbs_1");
    assert.equal(
      cookie,
      `__Host-waybill-console=wbs_1; Path=/; Max-Age=${lastsMs / 1000}; Secure; HttpOnly; SameSite=Lax`,
    );
    assert.equal(sessionSecretOf(cookie.split(";")[0]), "wbs_1");
  });

  for (const [cookie, secret] of [
    [undefined, undefined],
    ["", undefined],
    ["a=1; b=2", undefined],
    ["a=1; __Host-waybill-console=s; b=2", "s"],
    ["__Host-waybill-console=", ""],
    // What a neighbour could set beside ours decides nothing.
    ["__Host-waybill-console=s; __Host-waybill-console=t", ""],
    // Browsers keep this one for whoever is beside this host: its name begins with a byte that is no space to them.
    ["\u00a0__Host-waybill-console=t", undefined],
    ["\u00a0__Host-waybill-console=t; __Host-waybill-console=s", "s"],
    ["__host-waybill-console=s; __Host-waybill-console2=t; x__Host-waybill-console=u; waybill_session=v", undefined],
  ] as const)
    test(`of ${JSON.stringify(cookie)} is ${JSON.stringify(secret)}`, () =>
      assert.equal(sessionSecretOf(cookie), secret));
});
