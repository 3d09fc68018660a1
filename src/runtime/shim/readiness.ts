/** Is the app listening? Asked by connecting to its port, and believed only of a process of its own. */
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "../../stdx/time.ts";
import { listeningPorts, members, type Membership, type Processes } from "../processes.ts";

export type Readiness =
  | { readonly ready: true; readonly host: string }
  /** `says` is what was seen instead. */
  | { readonly ready: false; readonly says: string };

export interface ReadinessQuestion {
  readonly port: number;
  readonly withinMs: number;
  readonly processes: Processes;
  readonly of: Membership;
  readonly clock: Clock;
  /** Aborted when the app has ended or must: the question is moot then. */
  readonly signal: AbortSignal;
}

const lookEveryMs = 50;
/** A loopback connection is made or refused at once; a listener that does neither has a full backlog. */
const connectWithinMs = 1_000;
/** `localhost` is either of these, as the app's runtime likes. */
const hosts = ["127.0.0.1", "::1"] as const;

/** Resolves when the app's port is the app's, or at the deadline; rejects with an `AbortError` when `signal` aborts. */
export async function untilListening(asked: ReadinessQuestion): Promise<Readiness> {
  const deadline = asked.clock.monotonic() + asked.withinMs;
  for (;;) {
    for (const host of hosts) {
      if ((await accepts(host, asked.port)) && isOwn(asked)) return { ready: true, host };
    }
    if (asked.clock.monotonic() >= deadline) return { ready: false, says: whatInstead(asked) };
    await delay(lookEveryMs, undefined, { signal: asked.signal });
  }
}

/** At this level replicas share the host's ports: somebody else's program may sit on ours. Where nothing can be seen, believe. */
function isOwn({ processes, of, port }: ReadinessQuestion): boolean {
  const own = members(processes, of, process.pid);
  return own.length === 0 || listeningPorts(own.map(({ pid }) => pid)).has(port);
}

function whatInstead({ processes, of, port, withinMs }: ReadinessQuestion): string {
  const seen = [...listeningPorts(members(processes, of, process.pid).map(({ pid }) => pid))].sort((a, b) => a - b);
  const waited = `within ${withinMs / 1000} s`;
  if (seen.length === 0) return `The app did not listen on PORT=${port} ${waited}; it listens nowhere.`;
  return `The app listens on ${seen.join(", ")}, not on PORT=${port}, ${waited}.`;
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const done = (accepted: boolean): void => {
      socket.destroy();
      resolve(accepted);
    };
    socket.setTimeout(connectWithinMs, () => done(false));
    socket.once("connect", () => done(true));
    // Refused, or no IPv6 on this machine: both mean "not here".
    socket.once("error", () => done(false));
  });
}
