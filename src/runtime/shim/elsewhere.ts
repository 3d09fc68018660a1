/**
 * Where an app listens that does not listen on its port. A port counts once it answers HTTP: what a framework opens for itself (a
 * store, a debugger) is no wrong port. Pure: the clock is an argument, in milliseconds that never step back.
 */

export interface Elsewhere {
  /** Ports that answer HTTP, lowest first. */
  readonly ports: readonly number[];
  /** Since when it has been exactly these. */
  readonly since: number;
}

export type Verdict =
  | { readonly is: "wait" }
  /** The one port that it has instead is taken for the app's. */
  | { readonly is: "adopt"; readonly port: number }
  | { readonly is: "wrong"; readonly says: string };

export interface Expected {
  readonly port: number;
  /** The app's own settings name the port; where they are silent, any that it has is as good. */
  readonly given: boolean;
  /** Its author said how long it takes to start: only that ends the wait. */
  readonly patient: boolean;
}

/** A server that is opened for a moment, as while a framework looks for a free port, is not the app's. */
export const adoptAfterMs = 3_000;
/** Long enough for an app that serves its metrics first, short enough for somebody who watches a deployment. */
export const wrongAfterMs = 15_000;

export const nowhere: Elsewhere = { ports: [], since: 0 };

export function seen(before: Elsewhere, ports: readonly number[], now: number): Elsewhere {
  const same = ports.length === before.ports.length && ports.every((port, at) => port === before.ports[at]);
  return same ? before : { ports, since: now };
}

export function judge({ ports, since }: Elsewhere, expected: Expected, now: number): Verdict {
  const [port] = ports;
  if (port === undefined) return { is: "wait" };
  if (!expected.given && ports.length === 1 && now - since >= adoptAfterMs) return { is: "adopt", port };
  if (expected.patient || now - since < wrongAfterMs) return { is: "wait" };
  return { is: "wrong", says: saysElsewhere(ports, expected.port) };
}

export function saysElsewhere(ports: readonly number[], expected: number): string {
  return `The app listens on ${ports.join(", ")}, expected ${expected}.`;
}
