/** What a person is told while something that is followed cannot be read on. */
import type { Watching } from "../client/following.ts";
import type { Context } from "./context.ts";
import { lengthOf } from "./draw/paper.ts";

export function watching({ note, world }: Context): Watching {
  return {
    signal: world.signal,
    onLost: (why, forMs) => note(`-- ${why.message} It is tried again, for ${lengthOf(forMs)} at most. --\n`),
    onBack: () => note("-- It answers again, and goes on after the last line. --\n"),
  };
}
