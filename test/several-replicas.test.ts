/** A Space with several replicas on a running platform: who comes back where, and what becomes of it when one dies or comes. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Platform, killProcess, until, visit, type Account, type App } from "./support/platform.ts";

interface Told {
  readonly replica: string;
  readonly work: string;
  readonly cookie: string | undefined;
}

describe("a Space with several replicas", () => {
  let up: Platform;
  let alice: Account;
  let app: App;
  before(async () => {
    up = await Platform.start({ gpus: null });
    alice = await up.account("alice");
    app = await up.deploy(alice, "app");
    await alice.client.changeSpace(app.space, { replicas: "2" });
    await ready(2);
  });
  after(() => up[Symbol.asyncDispose]());

  const ready = (count: number) =>
    until(`${count} replicas answer`, async () => {
      const { replicas } = await alice.client.space(app.space);
      const answering = replicas.filter(({ phase }) => phase === "ready").map(({ id }) => id);
      return answering.length === count && answering;
    });
  const asked = async (path: string, cookie?: string): Promise<Told> => {
    const { status, text, work, headers } = await visit(`${app.url}${path}`, undefined, {
      ...(cookie !== undefined && { headers: { cookie } }),
    });
    assert.equal(status, 200, text);
    const { replica } = JSON.parse(text) as { replica: string };
    return { replica, work, cookie: headers.getSetCookie()[0]?.split(";")[0] };
  };

  test("requests are spread, a session and a browser come back to where they were", async () => {
    const told = await Promise.all(Array.from({ length: 20 }, () => asked("/pid")));
    assert.equal(new Set(told.map(({ replica }) => replica)).size, 2);
    for (const session of ["one", "two", "three"]) {
      const first = await asked(`/pid?session_hash=${session}`);
      for (let i = 0; i < 3; i++) assert.equal((await asked(`/pid?session_hash=${session}`)).replica, first.replica);
    }
    const first = await asked("/pid");
    assert.ok(first.cookie);
    for (let i = 0; i < 4; i++) assert.equal((await asked("/pid", first.cookie)).replica, first.replica);
  });

  test("one that dies under its visitors: none of them hears of it, a session goes on elsewhere, and explain says so", async () => {
    const session = await asked("/pid?session_hash=mine");
    const browser = await asked("/pid");
    killProcess(up.replicaOf(session.replica).shim);
    // From the first moment on, also while the platform has not noticed.
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => asked(`/pid?session_hash=s${i}`, browser.cookie)),
    );
    assert.ok(answers.every(({ replica }) => replica !== session.replica));
    const moved = await asked("/pid?session_hash=mine");
    assert.notEqual(moved.replica, session.replica);
    const { sentence } = await until("it is told", async () => {
      const explained = await up.admin.explain(moved.work);
      return explained.sentence.includes("went on at") && explained;
    });
    assert.match(
      sentence,
      new RegExp(`^The app answered 200 .* Its session was on the replica ${session.replica}, and went on at`),
    );
    const now = await ready(2);
    assert.ok(!now.includes(session.replica));
    assert.equal((await asked("/pid?session_hash=mine")).replica, moved.replica, "it stays there");
  });

  test("one more takes what is new; back at one, no cookie is set", async () => {
    const before = await ready(2);
    await alice.client.changeSpace(app.space, { replicas: "3" });
    const third = (await ready(3)).find((id) => !before.includes(id));
    await until("the third answers", async () => (await asked("/pid")).replica === third);
    await alice.client.changeSpace(app.space, { replicas: "1" });
    await ready(1);
    assert.equal((await asked("/pid")).cookie, undefined);
  });
});
