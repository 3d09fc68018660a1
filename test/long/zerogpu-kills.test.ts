/**
 * `kill -9` of what serves calls, at random moments of them, by a printed seed: of a worker, the app, its shim, the platform (server and
 * agent). After each: every visitor was told, every call has ended, no slot and no hold stays, and nobody paid without evidence of use.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { CallView } from "../../src/contract/api.ts";
import { faultTable } from "../../src/core/settlement.ts";
import { prng, type Prng } from "../../src/stdx/prng.ts";
import { callsOf } from "../support/calls.ts";
import { freePort } from "../support/free-port.ts";
import { httpCaller, type Said } from "../support/gradio-callers.ts";
import { needs } from "../support/needs.ts";
import { Platform, killProcess, slotsAreFree, until, visit, type Account } from "../support/platform.ts";
import { ZeroGpuSpace } from "../support/zerogpu-world.ts";

const { skip } = await needs("gradio");
const seed = Number(process.env["WAYBILL_SEED"] ?? 1);
const kills = Number(process.env["WAYBILL_KILLS"] ?? 100);

/** Twice the slots, so that some wait. */
const visitorsMax = 4;
/** What visitors call, with the longest that each takes, in seconds. */
const calls = [
  ["holds", 1],
  ["holds", 0.7],
  ["holds", 0.4],
  ["plain", 0],
  ["count", 8],
  ["worker", 0],
  ["raises", 0],
  ["one_at_a_time", 0.3],
] as const;
const killWithinMs = 800;
/** Longer than any call and any start of the app: a visitor who waits longer hangs. */
const answeredWithinMs = 300_000;
const runsAgainWithinMs = 180_000;
/** A grant whose worker never came is taken back after 30 s, which count anew when the platform starts. */
const freeWithinMs = 240_000;
/** The agent gives an app up that ended five times; a start of the platform counts anew. */
const endsInARowMax = 3;

const targets = [
  "worker",
  "worker",
  "worker",
  "worker",
  "worker",
  "worker",
  "platform",
  "platform",
  "app",
  "shim",
] as const;
type Target = (typeof targets)[number];

interface Visit {
  readonly account: Account;
  readonly before: ReadonlySet<string>;
  readonly said: Promise<Said>;
}

describe(`${kills} random kills, WAYBILL_SEED=${seed}`, { skip }, () => {
  let up: Platform;
  let space: ZeroGpuSpace;
  let visitors: readonly Account[];
  let endsInARow = 0;
  let longest = { ms: 0, when: "" };
  const random = prng(seed);
  const killed: Record<Target, number> = { worker: 0, platform: 0, app: 0, shim: 0 };
  const while_: Record<string, number> = { queued: 0, granted: 0, running: 0, idle: 0 };

  before(async () => {
    up = await Platform.start({ gpus: "1x2", sandbox: "best", port: await freePort() });
    space = await ZeroGpuSpace.deploy(up, await up.account("owner"), "kinds", { gradio: "6.31.0" });
    const names = Array.from({ length: visitorsMax }, (_, n) => `visitor${n + 1}`);
    visitors = await Promise.all(names.map((name) => up.account(name, "enterprise")));
  });
  after(async () => {
    await space?.[Symbol.asyncDispose]();
    await up?.[Symbol.asyncDispose]();
  });

  test("each leaves visitors told, calls ended, slots free, and charges with evidence", async (t) => {
    for (let done = 0; done < kills;) {
      const visits = await begin(random.int(visitorsMax) + 1);
      // Some kills meet workers that idle, after all is answered.
      if (random.chance(0.15)) await Promise.all(visits.map(({ said }) => said));
      else await new Promise((later) => setTimeout(later, random.int(killWithinMs)));
      const target = endsInARow >= endsInARowMax ? "platform" : random.pick(targets);
      const stages = await stagesNow();
      const hit = await kill(target, random);
      if (hit) {
        done += 1;
        killed[target] += 1;
        for (const stage of stages) while_[stage] = (while_[stage] ?? 0) + 1;
      }
      await settled(visits, `kill ${done} of ${kills}, ${target}, seed ${seed}`);
    }
    t.diagnostic(
      `killed ${JSON.stringify(killed)} while ${JSON.stringify(while_)}; slots were free after ${JSON.stringify(longest)} at most`,
    );
    for (const account of visitors) await addsUp(account);
    for (const stage of ["queued", "running", "idle"])
      assert.ok((while_[stage] ?? 0) > 0, `none was killed while ${stage}`);
  });

  async function begin(count: number): Promise<readonly Visit[]> {
    const caller = httpCaller();
    return Promise.all(
      visitors.slice(0, count).map(async (account) => {
        const [api, x] = random.pick(calls);
        const known = await callsOf(account);
        return { account, before: known, said: caller.call({ url: space.app.url, api, x, token: account.token }) };
      }),
    );
  }

  async function stagesNow(): Promise<readonly string[]> {
    const all = await Promise.all(
      visitors.map(async ({ client, name }) => (await client.calls({ account: name })).items),
    );
    const stages = all.flat().flatMap(({ stage }) => (stage === "ended" ? [] : [stage]));
    return stages.length === 0 ? ["idle"] : stages;
  }

  /** False where there was nothing to kill. */
  async function kill(target: Target, chance: Prng): Promise<boolean> {
    if (target === "platform") {
      endsInARow = 0;
      await up.restart();
      return true;
    }
    const replica = await up.replica(space.app.space);
    if (target === "worker") {
      const workers = replica.forks();
      if (workers.length === 0) return false;
      killProcess(chance.pick(workers));
      return true;
    }
    endsInARow += 1;
    killProcess(replica[target]);
    return true;
  }

  async function settled(visits: readonly Visit[], when: string): Promise<void> {
    const deadline = AbortSignal.timeout(answeredWithinMs);
    const late = new Promise<never>((_, reject) => {
      deadline.onabort = () => reject(new Error(`${when}: a visitor waits for ever`));
    });
    const told = await Promise.race([Promise.all(visits.map(({ said }) => said)), late]);
    await until(`${when}: the Space runs`, runs, runsAgainWithinMs);
    const since = performance.now();
    await slotsAreFree(up, freeWithinMs).catch((error: unknown) => assert.fail(`${when}: ${String(error)}`));
    if (performance.now() - since > longest.ms) longest = { ms: Math.round(performance.now() - since), when };
    for (const [index, { account, before: known }] of visits.entries()) {
      const news = await until(`${when}: the calls of ${account.name} have ended`, async () => {
        const { items } = await up.admin.calls({ account: account.name });
        return items.every(({ receipt }) => receipt !== null) && items.filter(({ id }) => !known.has(id));
      });
      assert.ok(news.length <= 1, `${when}: one visit made ${news.length} calls`);
      if (news[0]) await isJust(news[0], told[index] as Said, when);
      const { heldMs } = await up.admin.quota({ account: account.name });
      assert.equal(heldMs, 0, `${when}: a hold of ${account.name} stayed`);
    }
  }

  const runs = async (): Promise<boolean> => {
    try {
      return (await visit(space.app.url)).status === 200;
    } catch {
      return false; // Nobody listens yet: the platform starts.
    }
  };

  /** What its visitor heard, what was charged, and what `explain` says fit together. */
  async function isJust(call: CallView, said: Said, when: string): Promise<void> {
    const { receipt } = await up.admin.receipt(call.id);
    const explained = await up.admin.explain(call.id);
    const all = `${when}: ${JSON.stringify({ call, said, receipt, sentence: explained.sentence, verdict: explained.verdict })}`;
    if (said.error === undefined) assert.equal(call.outcome, "ok", all);
    if (call.chargedMs > 0) {
      // A platform that was away may hear of the end alone, which says how long it was.
      assert.ok(call.usedMs > 0, all);
      assert.equal(Object.entries(faultTable).find(([rule]) => rule === receipt.rule)?.[1].charge, "metered", all);
    }
    assert.ok(call.chargedMs <= call.heldMs && call.usedMs <= (receipt.leaseMs ?? 0), all);
    assert.equal(explained.outcome, call.outcome, all);
    assert.notEqual(explained.verdict?.certainty, "unknown", all);
    if (call.request !== null) {
      const request = await up.admin.explain(call.request);
      assert.doesNotMatch(request.sentence, /contradicts/, `${all} ${request.sentence}`);
    }
  }

  async function addsUp({ name }: Account): Promise<void> {
    const { usedMs, heldMs, limitMs, leftMs } = await up.admin.quota({ account: name });
    let chargedMs = 0;
    for (let page: string | undefined; ;) {
      const { items, next } = await up.admin.calls({ account: name, ...(page === undefined ? {} : { page }) });
      chargedMs += items.reduce((sum, call) => sum + call.chargedMs, 0);
      if (next === null) break;
      page = next;
    }
    assert.deepEqual([usedMs, heldMs, leftMs], [chargedMs, 0, (limitMs ?? 0) - chargedMs], name);
  }
});
