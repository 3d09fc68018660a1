/**
 * Is an app that was ready still there? Without a path, its listening socket is looked for in the kernel's table, which the app does
 * not notice; with one, the app is asked, as a visitor would. Several failures in a row are an end.
 */
import type { HealthSpec } from "../../contract/agent.ts";
import { listenerWatch } from "../processes.ts";
import { askHttp, type Answer } from "./http-look.ts";

export interface HealthWatch {
  /** A frozen app is not asked, and starts anew when it goes on. */
  pause(paused: boolean): void;
  close(): void;
}

export interface WatchedApp {
  readonly host: string;
  readonly port: number;
  readonly health: HealthSpec;
  /** Its processes, now. */
  pids(): readonly number[];
  /** Called once; `says` is the last failure. */
  onFailing(says: string): void;
}

/** One slow answer is nothing: an app may be busy for a while. */
export const failuresMax = 3;
const serverError = 500;
/** A minute's, at the usual pace. */
const answersByFileMax = 12;

export function watchHealth({ host, port, health, pids, onFailing }: WatchedApp): HealthWatch {
  const { path, everyMs } = health;
  let failures = 0;
  let paused = false;
  let asking = false;
  const isListening = listenerWatch(port, pids, answersByFileMax);
  const look = async (): Promise<void> => {
    if (paused || asking) return;
    asking = true;
    const failed =
      path === null
        ? missing(port, isListening())
        : failureOf(path, await askHttp({ host, port, path, withinMs: everyMs }));
    asking = false;
    // What was asked before it was frozen may be answered by that alone.
    failures = failed === undefined || paused ? 0 : failures + 1;
    if (failed === undefined || failures < failuresMax) return;
    clearInterval(timer);
    onFailing(`The app is not healthy: ${failed}, ${failures} times in a row.`);
  };
  const timer = setInterval(() => void look(), everyMs);
  return {
    pause(now) {
      paused = now;
      failures = 0;
    },
    close: () => clearInterval(timer),
  };
}

function missing(port: number, isThere: boolean | undefined): string | undefined {
  return isThere === false ? `nothing listens on its port ${port} any more` : undefined;
}

function failureOf(path: string, answer: Answer): string | undefined {
  if (answer.status === null) return `on ${path} it ${answer.says}`;
  return answer.status < serverError ? undefined : `${path} answers ${answer.status}`;
}
