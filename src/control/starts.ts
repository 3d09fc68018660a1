/**
 * How far Spaces that wake up have come, for the page that shows it, and how long that took before: of the last starts under this server,
 * and of those before it what the evidence has. A start's times are counted from when it was decided, by when the server heard.
 */
import type { ReplicaStatus } from "../contract/agent.ts";
import { startsKept, startStages } from "../contract/starts.ts";
import type { StartStage, StartTimes } from "../contract/starts.ts";
import type { Space } from "../core/spaces/model.ts";
import type { Waking } from "../edge/ports.ts";
import type { Instant } from "../stdx/time.ts";
import { isLiving } from "./replicas.ts";

type Reached = Partial<Record<StartStage, number>>;

interface Start {
  readonly since: Instant;
  /** By replica, of those that live. */
  readonly reached: Map<string, Reached>;
  /** Replicas of it that ended, and that another one followed. */
  ended: number;
}

interface Of {
  current: Start | undefined;
  /** The newest last, {@link startsKept} of them. */
  earlier: readonly StartTimes[];
}

export class Starts {
  readonly #earlier: (space: string) => Promise<readonly StartTimes[]>;
  readonly #onFailure: (what: string, error: unknown) => void;
  readonly #bySpace = new Map<string, Of>();

  /** `earlier`: the newest starts of a Space that are recorded, the newest last. */
  constructor(
    earlier: (space: string) => Promise<readonly StartTimes[]>,
    onFailure: (what: string, error: unknown) => void,
  ) {
    this.#earlier = earlier;
    this.#onFailure = onFailure;
  }

  /** A replica of it tells how it is. */
  heard(space: Pick<Space, "id" | "state">, status: ReplicaStatus, now: Instant): void {
    const current = this.#of(space).current;
    if (current === undefined) return;
    const known = current.reached.get(status.replica);
    if (!isLiving(status)) {
      if (current.reached.delete(status.replica) && status.phase !== "stopped") current.ended += 1;
      return;
    }
    // One that answered before is no start of now.
    if (known === undefined && status.phase !== "starting") return;
    const reached: Reached = known ?? {};
    const stage = status.phase === "ready" ? "healthy" : (status.came ?? "placed");
    for (const each of startStages.slice(0, startStages.indexOf(stage) + 1)) reached[each] ??= now - current.since;
    current.reached.set(status.replica, reached);
  }

  /** What the edge is told of one that wakes up. */
  waking(space: Pick<Space, "id" | "state">): Waking | undefined {
    const { current, earlier } = this.#of(space);
    if (current === undefined) return undefined;
    const { deadline, since } = space.state;
    return {
      reached: furthest(current) ?? {},
      usual: usual(earlier),
      ended: current.ended,
      withinMs: deadline === null ? null : deadline - since,
    };
  }

  /** It was looked at: whether it has come up is known now. Milliseconds from the start to that where it just has. */
  moved(space: Pick<Space, "id" | "state">, now: Instant): number | undefined {
    const of = this.#bySpace.get(space.id);
    const current = of?.current;
    if (of === undefined || current === undefined || space.state.name === "waking") return undefined;
    of.current = undefined;
    if (space.state.name !== "running") return undefined;
    const reached = furthest(current);
    if (reached?.healthy !== undefined) of.earlier = newest([...of.earlier, reached]);
    return now - current.since;
  }

  forget(space: string): void {
    this.#bySpace.delete(space);
  }

  #of({ id, state }: Pick<Space, "id" | "state">): Of {
    const known = this.#bySpace.get(id);
    if (state.name !== "waking") return known ?? { current: undefined, earlier: [] };
    const of = known ?? { current: undefined, earlier: [] };
    if (known === undefined) {
      this.#bySpace.set(id, of);
      this.#earlier(id).then(
        (times) => (of.earlier = newest([...times, ...of.earlier])),
        (error: unknown) => this.#onFailure(`how long ${id} took to start before`, error),
      );
    }
    if (of.current?.since !== state.since) of.current = { since: state.since, reached: new Map(), ended: 0 };
    return of;
  }
}

function newest(times: readonly StartTimes[]): readonly StartTimes[] {
  return times.slice(-startsKept);
}

/** Of several replicas that start the one that has come farthest: the Space answers with the first. */
function furthest({ reached }: Start): Reached | undefined {
  return [...reached.values()].toSorted((a, b) => Object.keys(a).length - Object.keys(b).length).at(-1);
}

function usual(earlier: readonly StartTimes[]): StartTimes {
  return Object.fromEntries(
    startStages.flatMap((stage) => {
      const times = earlier.flatMap((one) => one[stage] ?? []).toSorted((a, b) => a - b);
      return times.length === 0 ? [] : [[stage, times[Math.floor((times.length - 1) / 2)]]];
    }),
  );
}
