/** What the edge is told of a Space: the replicas that answer, that it is asleep, or why it is down. */
import type { Replica, SpaceRoute } from "../edge/ports.ts";
import type { Code } from "../evidence/codes.ts";
import type { Replicas } from "./replicas.ts";
import { limitsOf } from "./space-settings.ts";
import type { KnownSpace, SpaceKeeper } from "./space-keeper.ts";
import { codeOf, publicSays } from "./space-views.ts";
import type { Starts } from "./starts.ts";

/** A client that is told to come again, while a Space starts. */
const startingRetryMs = 2_000;

export class SpaceRoutes {
  readonly #replicas: Replicas;
  readonly #keeper: SpaceKeeper;
  readonly #starts: Pick<Starts, "waking">;

  constructor(replicas: Replicas, keeper: SpaceKeeper, starts: Pick<Starts, "waking">) {
    this.#replicas = replicas;
    this.#keeper = keeper;
    this.#starts = starts;
  }

  of(known: KnownSpace): SpaceRoute {
    const { row, space } = known;
    const { name } = space.state;
    const { messages, private: isPrivate } = row.settings;
    const of = { space: row.id, owner: row.owner, private: isPrivate, limits: limitsOf(row.settings), messages };
    const current = space.state.name === "stopping" ? space.state.goal.name : name;
    if (current === "sleeping") return { ...of, state: { kind: "asleep" } };
    const isHeldDown = name === "stopping" || name === "paused" || isAskedDown(space.state);
    const replicas = isHeldDown ? [] : this.answering(known);
    if (replicas.length > 0) return { ...of, state: { kind: "running", replicas } };
    if (name === "waking") return { ...of, state: { kind: "asleep", waking: this.#starts.waking(space) } };
    return this.down(known, null, publicSays(space.state));
  }

  /** `code`: its state's own where it is null. */
  down({ row, space: { state } }: KnownSpace, code: Code | null, says: string): SpaceRoute {
    const again = state.name === "starting" || state.name === "building" || state.name === "waking";
    const retry = again ? { retryAfterMs: startingRetryMs } : {};
    const of = { space: row.id, owner: row.owner, private: row.settings.private };
    return { ...of, state: { kind: "down", code: code ?? faultOf(state), says, ...retry } };
  }

  /** Replicas that answer: of the current release where one does, else of any. */
  answering({ row, space }: KnownSpace): Replica[] {
    const ready = this.#replicas
      .of(row.id)
      .filter(
        ({ status: { phase, frozen, replica } }) =>
          phase === "ready" && frozen !== true && !this.#keeper.orders.isRetiring(replica),
      );
    const current = ready.filter(({ status }) => status.release === space.release);
    return (current.length > 0 ? current : ready).flatMap(({ status }) =>
      status.socket === null
        ? []
        : [{ id: status.replica, socket: status.socket, headers: this.#keeper.headersOf(status.release) }],
    );
  }
}

function faultOf(state: KnownSpace["space"]["state"]): Code {
  const isFault = ["failing", "crash-looping", "stopped", "starting"].includes(state.name);
  return (isFault ? codeOf(state) : null) ?? "route/not-running";
}

function isAskedDown(state: KnownSpace["space"]["state"]): boolean {
  return state.name === "stopped" && (state.cause === "asked" || state.cause === "no-replicas");
}
