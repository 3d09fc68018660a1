/** Fills the pool with another account's calls, makes one more, and shows what the platform says of the one that waited too long. */
import type { PoolView } from "../../src/contract/pools.ts";
import type { SaturationReport, QuotaReport } from "./document.ts";
import type { DemoAccount, DemoPlatform } from "./platform.ts";
import { endedCall, numericAddress } from "./spaces.ts";
import type { Say, Stages } from "./stages.ts";

interface Crowd {
  readonly up: DemoPlatform;
  readonly demo: DemoAccount;
  readonly crowd: DemoAccount;
  readonly pool: PoolView;
  readonly say: Say;
  readonly stages: Stages;
}

const queueLimitMs = 3_000;
/** Longer than the refused call waits, and than a slow machine takes to start the workers. */
const holdSeconds = 40;
const filledWithinMs = 20_000;

export async function saturate({ up, demo, crowd, pool, say, stages }: Crowd): Promise<SaturationReport> {
  const space = "demo/node-mandelbrot";
  const url = numericAddress(await up.admin.space(space));
  await up.admin.changePool("main", { queueLimitMs });
  const quotaBefore = await quota(demo);
  const leave = new AbortController();
  const filling = Array.from({ length: pool.slots }, () =>
    fetch(`${url}/api/hold?seconds=${holdSeconds}`, {
      headers: { authorization: `Bearer ${crowd.token}` },
      signal: leave.signal,
    }).then(
      (response) => response.arrayBuffer(),
      () => undefined, // We leave ourselves when the refusal was seen.
    ),
  );
  const granted = await filled(up, pool.slots);
  say(`crowd     ${granted} of ${pool.slots} slots are theirs; queue limit ${queueLimitMs / 1000} s`);
  const watch = watchQueue(up, say);
  const response = await fetch(`${url}/api/render?zoom=2`, { headers: { authorization: `Bearer ${demo.token}` } });
  watch.stop();
  const id = response.headers.get("x-gpu-call");
  const answer = await response.text();
  if (id === null)
    throw new Error(`the call of the full pool was answered ${response.status} without a call's id: ${answer}`);
  say(`demo      answered ${response.status}: ${(JSON.parse(answer) as { detail?: string }).detail ?? answer}`);
  const refused = await endedCall(demo.client, id);
  const explanation = await demo.client.explain(id);
  stages.text(`\n$ waybill explain ${id}\n${up.cli("explain", id)}\n`);
  leave.abort();
  await Promise.all(filling);
  await up.admin.changePool("main", { queueLimitMs: pool.queueLimitMs });
  const quotaAfter = await quota(demo);
  say(`quota     before: ${quotaWords(quotaBefore)}; after: ${quotaWords(quotaAfter)}`);
  return {
    space,
    parallel: pool.slots + 1,
    granted,
    queueLimitMs,
    refused: { id, chargedMs: refused.chargedMs, verdict: explanation.verdict },
    quotaBefore,
    quotaAfter,
  };
}

async function filled(up: DemoPlatform, slots: number): Promise<number> {
  const until = Date.now() + filledWithinMs;
  for (;;) {
    const { leased } = await up.admin.pool("main");
    if (leased >= slots || Date.now() > until) return leased;
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** Says what the waiting call is told, whenever more of it changes than the time that is left. */
function watchQueue(up: DemoPlatform, say: Say): { stop(): void } {
  let told = "";
  const timer = setInterval(() => {
    up.admin.gpuQueue().then(
      ({ calls }) => {
        const says = calls[0]?.waiting.says;
        const place = says?.replace(/, about \d+ s/, "");
        if (says === undefined || place === undefined || place === told) return;
        told = place;
        say(`waiting   ${says}`);
      },
      () => undefined, // A missed look at the queue is no news.
    );
  }, 200);
  return { stop: () => clearInterval(timer) };
}

async function quota(account: DemoAccount): Promise<QuotaReport> {
  const { usedMs, heldMs, limitMs } = await account.client.quota();
  return { usedMs, heldMs, limitMs };
}

function quotaWords({ usedMs, heldMs, limitMs }: QuotaReport): string {
  return `${usedMs / 1000} s used, ${heldMs / 1000} s held of ${limitMs === null ? "no limit" : `${limitMs / 1000} s`}`;
}
