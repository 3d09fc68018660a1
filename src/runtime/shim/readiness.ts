/** Is the app listening? Asked by connecting to its port, and believed only of a process of its own. */
import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "../../stdx/time.ts";
import { ownPorts as networkPorts } from "../net/network.ts";
import { listeningPorts, members, type Membership, type Processes } from "../processes.ts";
import { judge, nowhere, saysElsewhere, seen, type Expected } from "./elsewhere.ts";
import { accepts, askHttp, ipv4, loopback } from "./http-look.ts";

export type Readiness =
  | { readonly ready: true; readonly host: string; readonly port: number }
  /** `says` is what was seen instead. */
  | { readonly ready: false; readonly says: string };

export interface ReadinessQuestion {
  readonly expected: Expected;
  /** It has to answer here with a status below 500; null: to listen is enough. */
  readonly path: string | null;
  readonly withinMs: number;
  readonly processes: Processes;
  readonly of: Membership;
  readonly clock: Clock;
  /** A line for its owner. */
  note(text: string): void;
  /** It listens, and does not answer yet as it has to. Called once. */
  onListening(): void;
  /** Aborted when the app has ended or must: the question is moot then. */
  readonly signal: AbortSignal;
}

/** A look costs a tenth of a millisecond: often at first, since somebody may wait for the app, then as often as its age is worth. */
const firstLookEveryMs = 5;
const lookEveryMaxMs = 50;
/** Few listen on IPv6 alone, and V8 takes as long to make Node's pattern of such an address as a small app takes to load: not while somebody waits for it. */
const onlyIPv4Ms = 300;
const looksPerAge = 20;
/** All of the app's sockets are looked through for that. */
const lookElsewhereEveryMs = 1_000;
/** A port that did not speak HTTP so often is something else: it is not bothered again. */
const probesMax = 3;
/** An app that only just starts may be slow to answer. */
const answerWithinMs = 2_000;
const serverError = 500;
/** Linux gives listeners that name none a port from here on (`net.ipv4.ip_local_port_range`). */
const chosenPortMin = 32_768;

/** Resolves when the app answers on its port, or at the deadline; rejects with an `AbortError` when `signal` aborts. */
export async function untilReady(asked: ReadinessQuestion): Promise<Readiness> {
  const { clock, expected, withinMs, note, onListening } = asked;
  const since = clock.monotonic();
  const deadline = since + withinMs;
  const probes = new Map<number, number | "http">();
  let elsewhere = nowhere;
  let lookAt = clock.monotonic() + lookElsewhereEveryMs;
  let unhealthy: string | undefined;
  let hasListened = false;
  for (;;) {
    const hosts = clock.monotonic() - since < onlyIPv4Ms ? ipv4 : loopback;
    const here = await look(asked, hosts);
    if (here.host !== undefined && here.says === undefined)
      return { ready: true, host: here.host, port: expected.port };
    if (here.says !== undefined && unhealthy === undefined)
      note(`The app listens, but ${here.says}: waiting for that.`);
    if (here.says !== undefined && !hasListened) onListening();
    hasListened ||= here.says !== undefined;
    unhealthy = here.says;
    if (here.host === undefined && clock.monotonic() >= lookAt) {
      const found = seen(elsewhere, await httpPorts(asked, probes), clock.monotonic());
      if (found !== elsewhere && found.ports.length > 0) note(saysElsewhere(found.ports, expected.port));
      elsewhere = found;
      const verdict = judge(elsewhere, expected, clock.monotonic());
      if (verdict.is === "wrong") return { ready: false, says: verdict.says };
      const host = verdict.is === "adopt" ? await hostOf(verdict.port) : undefined;
      if (verdict.is === "adopt" && host !== undefined) return { ready: true, host, port: verdict.port };
      lookAt = clock.monotonic() + lookElsewhereEveryMs;
    }
    if (clock.monotonic() >= deadline) return { ready: false, says: whatInstead(asked, unhealthy) };
    const age = clock.monotonic() - since;
    const pauseMs = Math.min(lookEveryMaxMs, Math.max(firstLookEveryMs, age / looksPerAge));
    await delay(pauseMs, undefined, { signal: asked.signal });
  }
}

/** `host` where the port is the app's; `says` where it does not answer there as it has to. */
async function look(
  asked: ReadinessQuestion,
  hosts: readonly string[],
): Promise<{ readonly host?: string; readonly says?: string }> {
  const { expected, path } = asked;
  const host = await hostOf(expected.port, hosts);
  if (host === undefined || !isOwn(asked)) return {};
  if (path === null) return { host };
  const answer = await askHttp({ host, port: expected.port, path, withinMs: answerWithinMs });
  if (answer.status === null) return { host, says: `on ${path} it ${answer.says}` };
  return answer.status < serverError ? { host } : { host, says: `${path} answers ${answer.status}` };
}

async function hostOf(port: number, hosts: readonly string[] = loopback): Promise<string | undefined> {
  for (const host of hosts) if (await accepts(host, port)) return host;
  return undefined;
}

/**
 * A sandbox has a network of its own, where beside the app only we listen, on few ports and on such as the kernel chose. Without one,
 * somebody else's program may sit on its port: where nothing can be seen, believe.
 */
function isOwn({ processes, of, expected }: ReadinessQuestion): boolean {
  if (of.sandboxed && expected.port < chosenPortMin && !networkPorts.includes(expected.port)) return true;
  const own = members(processes, of, process.pid);
  return own.length === 0 || listeningPorts(own.map(({ pid }) => pid)).has(expected.port);
}

/** Those of the app's ports that speak HTTP. `probes`: how often each did not, or that it does. */
async function httpPorts(asked: ReadinessQuestion, probes: Map<number, number | "http">): Promise<readonly number[]> {
  const found: number[] = [];
  for (const port of ownPorts(asked)) {
    const known = probes.get(port) ?? 0;
    if (port === asked.expected.port || (known !== "http" && known >= probesMax)) continue;
    if (known === "http" || (await speaksHttp(port))) {
      probes.set(port, "http");
      found.push(port);
    } else probes.set(port, known + 1);
  }
  return found;
}

async function speaksHttp(port: number): Promise<boolean> {
  const host = await hostOf(port);
  return host !== undefined && (await askHttp({ host, port, path: "/", withinMs: answerWithinMs })).status !== null;
}

function ownPorts({ processes, of }: ReadinessQuestion): readonly number[] {
  const pids = members(processes, of, process.pid).map(({ pid }) => pid);
  return [...listeningPorts(pids)].toSorted((a, b) => a - b);
}

function whatInstead(asked: ReadinessQuestion, unhealthy: string | undefined): string {
  const waited = `within ${asked.withinMs / 1000} s`;
  if (unhealthy !== undefined) return `The app listens, but ${unhealthy}, ${waited}.`;
  const ports = ownPorts(asked);
  if (ports.length === 0) return `The app did not listen on PORT=${asked.expected.port} ${waited}; it listens nowhere.`;
  return `The app listens on ${ports.join(", ")}, not on PORT=${asked.expected.port}, ${waited}.`;
}
