/**
 * What a process took while it was busy is given back when it idles. V8 does that by steps, when it sees that little is allocated; but it
 * sees it at collections only, and an idle process has none: it would keep for good the young space that its start has filled.
 */
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

type Collect = (how: { readonly type: "minor" }) => void;

/** Idle platforms allocate some 30 KB a second. */
const lookEveryMs = 10_000;
const littleBytes = 1 << 20;
/** A young space of less is not worth a collection. */
const smallBytes = 8 << 20;

/** Looks now and then, until the process ends: a large young space with little in it that the look before had not seen is collected. */
export function giveBackWhenIdle(everyMs = lookEveryMs): void {
  let collect: Collect | undefined;
  let before = Infinity;
  const look = (): void => {
    const { sizeBytes, usedBytes } = youngSpace();
    const isIdle = usedBytes >= before && usedBytes - before < littleBytes;
    before = usedBytes;
    if (!isIdle || sizeBytes < smallBytes) return;
    // A millisecond or two: what an idle process has there is little.
    (collect ??= collector())({ type: "minor" });
    before = youngSpace().usedBytes;
  };
  setInterval(look, everyMs).unref();
}

export function youngSpace(): { readonly sizeBytes: number; readonly usedBytes: number } {
  const young = getHeapSpaceStatistics().find(({ space_name: name }) => name === "new_space");
  return { sizeBytes: young?.physical_space_size ?? 0, usedBytes: young?.space_used_size ?? 0 };
}

/** The flags are again what they were: with others V8 would not take what it compiled before. */
function collector(): Collect {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as Collect;
  setFlagsFromString("--no-expose-gc");
  return collect;
}
