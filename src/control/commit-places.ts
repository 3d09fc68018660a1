/** Large commits of the Hub's form are read whole into memory: so many at once, and of one account a few; one more waits a while. */
import type { MiddlewareHandler } from "hono";
import { Slots, type SlotLimits } from "../hub/slots.ts";
import { refuse, type ApiEnv } from "./api.ts";
import { commitMaxBytes } from "./routes/hub/upload.ts";

/** Whoever has no account is refused before anything is read. */
const places: SlotLimits = { atOnce: 8, perCaller: 4, anonymous: 0, withinMs: 60_000 };
/** One of so many bytes waits for nobody. */
const smallMaxBytes = 1 << 20;

export function commitPlaces(): MiddlewareHandler<ApiEnv> {
  const slots = new Slots(places);
  return async (c, next) => {
    const caller = c.get("caller");
    const bytes = Number(c.req.header("content-length") ?? commitMaxBytes);
    if (caller === null || c.req.method !== "POST" || !c.req.path.includes("/commit/") || bytes <= smallMaxBytes)
      return next();
    using place = await slots.take({ account: caller.account, address: "" }, c.req.raw.signal);
    if (place === undefined) return refuse(c, "transfer/busy");
    await next();
    return undefined;
  };
}
