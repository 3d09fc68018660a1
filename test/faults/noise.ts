/** Other people's work on the same platform, and its faults: light, and of every kind, so that a verdict has something to be confused by. */
import { setTimeout as delay } from "node:timers/promises";
import { visit, type Account, type App } from "../support/platform.ts";

const pauseMs = 150;

export function makeNoise(account: Account, app: App): AsyncDisposable {
  const over = new AbortController();
  const kinds: readonly (() => Promise<unknown>)[] = [
    () => visit(`${app.url}/slow?ms=300`, account),
    () => visit(`${app.url}/status?code=500`, account),
    () => visit(`${app.url}/gpu/hold?seconds=0.1`, account),
    () => visit(`${app.url}/slow?ms=5000`, account, { signal: AbortSignal.timeout(200) }),
    () => visit(`${app.url}/gpu/breaks`, account),
    () => visit(`${app.url}/destroy`, account),
    () => visit(`${app.url}/half`, account),
    () => visit(`${app.url}/gpu/exits?code=3`, account),
    () => visit(`${app.url}/`, undefined, { headers: { authorization: `Bearer hf_wb${"n".repeat(32)}` } }),
  ];
  const loop = (async () => {
    for (let n = 0; !over.signal.aborted; n++) {
      await kinds[n % kinds.length]?.().catch(() => undefined); // What becomes of noise is not looked at.
      await delay(pauseMs, undefined, { signal: over.signal }).catch(() => undefined); // The end of it.
    }
  })();
  const stream = fetch(`${app.url}/events?ms=600000`, { signal: over.signal })
    .then((response) => response.text())
    .catch(() => undefined); // Ended by us.
  return {
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await Promise.all([loop, stream]);
    },
  };
}
