/**
 * `kill -9` of what serves calls, at random moments of them, by a printed seed: of a worker, the app, its shim, the platform (server and
 * agent). After each: every visitor was told, every call has ended, no slot and no hold stays, and nobody paid without evidence of use.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
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
const kills = Number(process.env["WAYBILL_KILLS"] ?? 30);

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

/** Lives at once, each with a platform of its own: most of each is waiting, for an app to start again or a lease to end. */
const lives = 2;

describe(`${kills} random kills, WAYBILL_SEED=${seed}`, { skip }, () => {
  test("each leaves visitors told, calls ended, slots free, and charges with evidence", async (t) => {
    const killed: Record<Target, number> = { worker: 0, platform: 0, app: 0, shim: 0 };
    const while_: Record<string, number> = { queued: 0, granted: 0, running: 0, idle: 0 };
    await using all = new AsyncDisposableStack();
    const begun: Life[] = [];
    // One after the other: the first leaves its packages for the second.
    for (let nth = 0; nth < lives; nth++) begun.push(all.use(await Life.start(seed * lives + nth)));
    const live = (one: Life, nth: number): Promise<void> => one.live(Math.floor((kills + nth) / lives), killed, while_);
    await Promise.all(begun.map(live));
    for (const { says } of begun) t.diagnostic(says);
    t.diagnostic(`killed ${JSON.stringify(killed)} while ${JSON.stringify(while_)}`);
    for (const stage of ["queued", "running", "idle"])
      assert.ok((while_[stage] ?? 0) > 0, `none was killed while ${stage}`);
  });
});

class Life implements AsyncDisposable {
  readonly #up: Platform;
  readonly #space: ZeroGpuSpace;
  readonly #visitors: readonly Account[];
  readonly #seed: number;
  readonly #random: Prng;
  #endsInARow = 0;
  #longest = { ms: 0, when: "" };

  private constructor(up: Platform, space: ZeroGpuSpace, visitors: readonly Account[], ofSeed: number) {
    this.#up = up;
    this.#space = space;
    this.#visitors = visitors;
    this.#seed = ofSeed;
    this.#random = prng(ofSeed);
  }

  static async start(ofSeed: number): Promise<Life> {
    await using stack = new AsyncDisposableStack();
    const up = stack.use(await Platform.start({ gpus: "1x2", sandbox: "best", port: await freePort() }));
    const space = stack.use(await ZeroGpuSpace.deploy(up, await up.account("owner"), "kinds", { gradio: "6.31.0" }));
    const names = Array.from({ length: visitorsMax }, (_, n) => `visitor${n + 1}`);
    const visitors = await Promise.all(names.map((name) => up.account(name, "enterprise")));
    stack.move();
    return new Life(up, space, visitors, ofSeed);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#space[Symbol.asyncDispose]();
    await this.#up[Symbol.asyncDispose]();
  }

  get says(): string {
    return `seed ${this.#seed}: slots were free after ${JSON.stringify(this.#longest)} at most`;
  }

  /** Counts what it killed, and the stages of calls meanwhile. */
  async live(count: number, killed: Record<Target, number>, stagesHit: Record<string, number>): Promise<void> {
    const random = this.#random;
    for (let done = 0; done < count;) {
      const visits = await this.#begin(random.int(visitorsMax) + 1);
      // Some kills meet workers that idle, after all is answered.
      if (random.chance(0.15)) await Promise.all(visits.map(({ said }) => said));
      else await new Promise((later) => setTimeout(later, random.int(killWithinMs)));
      const target = this.#endsInARow >= endsInARowMax ? "platform" : random.pick(targets);
      const stages = await this.#stagesNow();
      if (await this.#kill(target)) {
        done += 1;
        killed[target] += 1;
        for (const stage of stages) stagesHit[stage] = (stagesHit[stage] ?? 0) + 1;
      }
      await this.#settled(visits, `kill ${done} of ${count}, ${target}, seed ${this.#seed}`);
    }
    for (const account of this.#visitors) await this.#addsUp(account);
  }

  async #begin(count: number): Promise<readonly Visit[]> {
    const caller = httpCaller();
    return Promise.all(
      this.#visitors.slice(0, count).map(async (account) => {
        const [api, x] = this.#random.pick(calls);
        const known = await callsOf(account);
        return {
          account,
          before: known,
          said: caller.call({ url: this.#space.app.url, api, x, token: account.token }),
        };
      }),
    );
  }

  async #stagesNow(): Promise<readonly string[]> {
    const all = await Promise.all(
      this.#visitors.map(async ({ client, name }) => (await client.calls({ account: name })).items),
    );
    const stages = all.flat().flatMap(({ stage }) => (stage === "ended" ? [] : [stage]));
    return stages.length === 0 ? ["idle"] : stages;
  }

  /** False where there was nothing to kill. */
  async #kill(target: Target): Promise<boolean> {
    if (target === "platform") {
      this.#endsInARow = 0;
      await this.#up.restart();
      return true;
    }
    const replica = await this.#up.replica(this.#space.app.space);
    if (target === "worker") {
      const workers = replica.forks();
      if (workers.length === 0) return false;
      killProcess(this.#random.pick(workers));
      return true;
    }
    this.#endsInARow += 1;
    killProcess(replica[target]);
    return true;
  }

  async #settled(visits: readonly Visit[], when: string): Promise<void> {
    const deadline = AbortSignal.timeout(answeredWithinMs);
    const late = new Promise<never>((_, reject) => {
      deadline.onabort = () => reject(new Error(`${when}: a visitor waits for ever`));
    });
    const told = await Promise.race([Promise.all(visits.map(({ said }) => said)), late]);
    await until(`${when}: the Space runs`, () => this.#runs(), runsAgainWithinMs);
    const since = performance.now();
    await slotsAreFree(this.#up, freeWithinMs).catch((error: unknown) => assert.fail(`${when}: ${String(error)}`));
    if (performance.now() - since > this.#longest.ms)
      this.#longest = { ms: Math.round(performance.now() - since), when };
    for (const [index, { account, before: known }] of visits.entries()) {
      const news = await until(`${when}: the calls of ${account.name} have ended`, async () => {
        const { items } = await this.#up.admin.calls({ account: account.name });
        return items.every(({ receipt }) => receipt !== null) && items.filter(({ id }) => !known.has(id));
      });
      assert.ok(news.length <= 1, `${when}: one visit made ${news.length} calls`);
      if (news[0]) await this.#isJust(news[0], told[index] as Said, when);
      const { heldMs } = await this.#up.admin.quota({ account: account.name });
      assert.equal(heldMs, 0, `${when}: a hold of ${account.name} stayed`);
    }
  }

  async #runs(): Promise<boolean> {
    try {
      return (await visit(this.#space.app.url)).status === 200;
    } catch {
      return false; // Nobody listens yet: the platform starts.
    }
  }

  /** What its visitor heard, what was charged, and what `explain` says fit together. */
  async #isJust(call: CallView, said: Said, when: string): Promise<void> {
    const { receipt } = await this.#up.admin.receipt(call.id);
    const explained = await this.#up.admin.explain(call.id);
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
      const request = await this.#up.admin.explain(call.request);
      assert.doesNotMatch(request.sentence, /contradicts/, `${all} ${request.sentence}`);
    }
  }

  async #addsUp({ name }: Account): Promise<void> {
    const { usedMs, heldMs, limitMs, leftMs } = await this.#up.admin.quota({ account: name });
    let chargedMs = 0;
    for (let page: string | undefined; ;) {
      const { items, next } = await this.#up.admin.calls({ account: name, ...(page === undefined ? {} : { page }) });
      chargedMs += items.reduce((sum, call) => sum + call.chargedMs, 0);
      if (next === null) break;
      page = next;
    }
    assert.deepEqual([usedMs, heldMs, leftMs], [chargedMs, 0, (limitMs ?? 0) - chargedMs], name);
  }
}
