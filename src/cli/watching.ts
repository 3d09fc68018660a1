/** What a person is told while something that is followed cannot be read on. */
import type { Watching } from "../client/following.ts";
import type { Context } from "./context.ts";
import { lengthOf } from "./draw/paper.ts";

export function watching({ note, world }: Context, say: (line: string) => void = note): Watching {
  return {
    signal: world.signal,
    onLost: (why, forMs) => say(`-- ${why.message} It is tried again, for ${lengthOf(forMs)} at most. --\n`),
    onBack: () => say("-- It answers again, and goes on after the last line. --\n"),
  };
}
