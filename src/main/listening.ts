/**
 * Listening sockets that a parent opens and its workers take connections from. The parent never takes one itself, and has them open
 * while no worker lives: a connection that comes meanwhile waits in the system's queue, and is not refused.
 */
import { chmodSync, rmSync } from "node:fs";
import * as net from "node:net";
import { getSystemErrorName } from "node:util";
import type { Place } from "./edge-messages.ts";

/** What `node:cluster` opens its workers' sockets with: bound, and listened on by whoever has it. A number is the system's error. */
interface Opening {
  _createServerHandle(address: string, port: number, family: 4 | 6 | -1, fd: -1, flags: 0): Handle | number;
}

interface Handle {
  close(): void;
}

export class ListeningSockets implements Disposable {
  readonly #open = new Map<string, Handle>();

  /** The socket of this place, or the system's code for why there is none. */
  at(place: Place): { readonly ok: true; readonly socket: Handle } | { readonly ok: false; readonly code: string } {
    const key = "path" in place ? place.path : `${place.address} ${place.port}`;
    const known = this.#open.get(key);
    if (known !== undefined) return { ok: true, socket: known };
    const made = "path" in place ? openPath(place.path) : openPort(place.address, place.port);
    if (typeof made === "number") return { ok: false, code: getSystemErrorName(made) };
    this.#open.set(key, made);
    return { ok: true, socket: made };
  }

  [Symbol.dispose](): void {
    for (const handle of this.#open.values()) handle.close();
    this.#open.clear();
  }
}

function openPort(address: string, port: number): Handle | number {
  return (net as unknown as Opening)._createServerHandle(address, port, net.isIPv6(address) ? 6 : 4, -1, 0);
}

/** What lies there is an earlier one's: the data folder is ours alone. */
function openPath(path: string): Handle | number {
  rmSync(path, { force: true });
  const made = (net as unknown as Opening)._createServerHandle(path, -1, -1, -1, 0);
  if (typeof made !== "number") chmodSync(path, 0o600);
  return made;
}
