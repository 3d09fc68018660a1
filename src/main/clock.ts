/** The real world, as parts are given it. */
import { instant } from "../stdx/time.ts";
import type { Clock } from "../stdx/time.ts";
import type { RandomBytes } from "../stdx/ids.ts";

export const systemClock: Clock = {
  wall: () => instant(Date.now()),
  monotonic: () => Math.floor(performance.now()),
};

export const systemRandom: RandomBytes = (count) => crypto.getRandomValues(new Uint8Array(count));
