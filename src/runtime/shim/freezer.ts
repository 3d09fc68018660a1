/**
 * A frozen app keeps its memory, its files and its connections, and gets no processor. By its group where there is one, which leaves
 * nobody out and which no process can see; else by SIGSTOP to each of its processes.
 */
import { members, stopAll, type Membership, type Processes } from "../processes.ts";
import { freezeGroup } from "../sandbox/cgroups.ts";

export interface Freezer {
  readonly frozen: boolean;
  /** What is frozen already, or runs already, is left as it is. */
  freeze(): void;
  thaw(): void;
}

/** `group`: all of the app in the v2 tree; null where it has none. */
export function freezer(processes: Processes, of: Membership, group: string | null): Freezer {
  let how: "none" | "group" | "stopped" = "none";
  const all = () => members(processes, of, process.pid);
  return {
    get frozen() {
      return how !== "none";
    },
    freeze() {
      if (how !== "none") return;
      how = group !== null && freezeGroup(group, true) ? "group" : "stopped";
      if (how === "stopped") stopAll(processes, all);
    },
    thaw() {
      if (how === "group" && group !== null) freezeGroup(group, false);
      if (how === "stopped") for (const one of all()) processes.signal(one, "SIGCONT");
      how = "none";
    },
  };
}
