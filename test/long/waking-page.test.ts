/** A browser at a Space that is asleep, on a real platform with real apps: started anew, slow, failing, frozen; in one process and apart. */
import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import type { StartStage } from "../../src/contract/starts.ts";
import { startStages } from "../../src/contract/starts.ts";
import { Role } from "../support/cluster.ts";
import { get } from "../support/edge-load.ts";
import { freePort } from "../support/free-port.ts";
import { Platform, until, type Account, type App } from "../support/platform.ts";
import { versionedApp } from "../support/versioned-app.ts";

const navigation = {
  accept: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  "sec-fetch-mode": "navigate",
  "sec-fetch-dest": "document",
};

/** Seconds of each stage, as the page has them: when it came, and when it usually comes. */
function stagesOn(
  text: string,
): Readonly<Record<StartStage, { readonly after: number; readonly usual: number | null }>> {
  const found = startStages.map((stage) => {
    const line = new RegExp(`<li>${stage}: .*? <span>\\((.*?)\\)</span> <b>✓ after ([\\d.]+) s</b>`).exec(text);
    assert.ok(line, `${stage} is on the page:\n${text.slice(text.indexOf("<h1>"))}`);
    const usual = /^usually after ([\d.]+) s$/.exec(line[1] ?? "")?.[1];
    if (usual === undefined) assert.equal(line[1], "usual time not known yet");
    return [stage, { after: Number(line[2]), usual: usual === undefined ? null : Number(usual) }] as const;
  });
  return Object.fromEntries(found) as ReturnType<typeof stagesOn>;
}

for (const apart of [false, true])
  describe(apart ? "with an edge apart, a browser" : "a browser", () => {
    let up: Platform;
    let edge: Role | undefined;
    let alice: Account;
    let app: App;
    before(async () => {
      up = await Platform.start({ gpus: null, ...(apart && { apart: await freePort(), service: true }) });
      mkdirSync(marks());
      mark("slow");
      if (apart) {
        edge = new Role("edge", ["edge", "--data", up.data, "--workers", "2"], {});
        await edge.start().ready;
      }
      alice = await up.account("alice");
      // Five starts with their pauses are to fit, also where the machine is busy.
      const readme = "---\nsdk: node\nstartup_duration_timeout: 120s\n---\n";
      app = await up.deploy(alice, "sleepy", { ...versionedApp("1", marks()), "README.md": readme });
      assert.ok(app.deployed.ok, app.deployed.says);
      await alice.client.changeSpace(app.space, { "sleep-after": "2s" });
    });
    after(async () => {
      await edge?.end("SIGTERM");
      await up?.[Symbol.asyncDispose]();
    });

    const marks = (): string => `${up.folder}/marks`;
    const mark = (name: string): void => writeFileSync(`${marks()}/${name}`, "");
    const unmark = (name: string): void => rmSync(`${marks()}/${name}`, { force: true });
    const asleep = () => until("it sleeps", async () => (await alice.client.space(app.space)).state === "sleeping");
    const browse = (headers: Record<string, string> = {}) =>
      get(`${app.url}/`, { headers: { ...navigation, ...headers } });
    const toldOf = (work: string) =>
      until("its request is recorded", async () => {
        const told = await alice.client.explain(work);
        return told.outcome !== "open" && told;
      });

    test("of a slow start sees its stages, how long each took, and how long each usually takes, as far as that is recorded", async () => {
      await asleep();
      const first = await browse();
      assert.deepEqual([first.status, first.headers["cache-control"]], [503, "no-store"], first.text);
      const stages = stagesOn(first.text);
      assert.ok(stages.started.after < 3 && stages.healthy.after >= 3, JSON.stringify(stages));
      // Its deployment was a start too; when that was placed nobody noted, for nobody waited for it here.
      assert.ok((stages.healthy.usual ?? 0) >= 3 && stages.started.usual !== null, JSON.stringify(stages));
      assert.equal(stages.placed.usual, null);
      assert.match(first.text, /<meta http-equiv="refresh" content="0">/);
      await until("the app answers", async () => (await browse()).status === 200);
      const told = await toldOf(String(first.headers["x-waybill-id"]));
      assert.equal(told.outcome, "ok");
      assert.match(told.sentence, /was shown a page while it started, for .* and that page then asked for the app/);
      await asleep();
      assert.notEqual(stagesOn((await browse()).text).placed.usual, null, "and now it is");
    });

    // That is the server's own, whichever edge asks.
    if (!apart)
      test("is told what is usual after the server was killed and started again, by what is recorded", async () => {
        await asleep();
        await up.restart();
        const { healthy, started } = stagesOn((await browse()).text);
        assert.ok((healthy.usual ?? 0) >= 3 && started.usual !== null, JSON.stringify({ healthy, started }));
      });

    test("of a start that fails reads whose fault that is, and is not sent on", async () => {
      await alice.client.changeSpace(app.space, { "sleep-after": "2s" });
      await asleep();
      mark("ends");
      const { status, text, headers } = await browse();
      unmark("ends");
      assert.equal(status, 503);
      assert.doesNotMatch(text, /http-equiv/);
      assert.match(text, /<b>✕ it ended, and is started again<\/b>/);
      const code = /<dt>code<\/dt><dd>(\S+) /.exec(text)?.[1] ?? "";
      assert.match(code, /^app\//, text);
      assert.match(text, /<dd class="app">● app<\/dd>/);
      const { verdict } = await toldOf(String(headers["x-waybill-id"]));
      assert.deepEqual([`${verdict?.boundary}/${verdict?.code}`, verdict?.owner], [code, "app"]);
      await alice.client.restart(app.space);
      await until("it runs", async () => (await alice.client.space(app.space)).state === "running");
    });

    test("of one that is private sees the page as its owner, and as a stranger that nothing is there", async () => {
      await alice.client.changeSpace(app.space, { private: "true" });
      await asleep();
      assert.equal((await browse()).status, 404);
      assert.equal((await alice.client.space(app.space)).state, "sleeping");
      stagesOn((await browse({ authorization: `Bearer ${alice.token}` })).text);
      await alice.client.changeSpace(app.space, { private: "false" });
    });

    test("of one that was frozen gets the app at once, without a page between", async () => {
      await alice.client.changeSpace(app.space, { "sleep-mode": "freeze" });
      assert.equal((await get(app.url)).status, 200);
      await asleep();
      const { status, text } = await browse();
      assert.equal(status, 200, text);
    });
  });
