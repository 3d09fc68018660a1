/** Gives each Space a port of its own out of a range, where Spaces are told apart by ports: once, for its life. */
import { createHmac } from "node:crypto";
import type { SpaceRow } from "../catalog/spaces.ts";
import { base32 } from "../stdx/ids.ts";
import { Turns } from "../stdx/turns.ts";

export interface SpacePortsOptions {
  readonly range: { readonly from: number; readonly to: number };
  /** Not one of them: the console's. */
  consolePort(): number;
  /** Ports that are some Space's, also of deleted ones. */
  taken(): Promise<ReadonlySet<number>>;
  keep(id: string, port: number): Promise<void>;
  /** Listens there; says why it cannot. `mark`: its cookies'; `isNew`: it was no Space's before. */
  listen(port: number, mark: string, isNew: boolean): Promise<string | undefined>;
  /** Of this platform's own: what the marks are made of. */
  readonly secret: Uint8Array;
  /** A port of the range that something else has: the next one is tried. */
  onSkipped(port: number, says: string): void;
}

export type PortGiven =
  | { readonly ok: true; readonly port: number }
  | { readonly ok: false; readonly port: number | null; readonly says: string };

const markLength = 16;

export class SpacePorts {
  readonly #options: SpacePortsOptions;
  readonly #turns = new Turns();

  constructor(options: SpacePortsOptions) {
    this.#options = options;
  }

  /** Opens the Space's own port; one that has none yet is given the first that is free. What it was given it keeps, also where that is taken by another program now. */
  open({ id, port }: Pick<SpaceRow, "id" | "port">): Promise<PortGiven> {
    return this.#turns.take("ports", () => (port === null ? this.#give(id) : this.#listen(id, port)));
  }

  async #listen(id: string, port: number): Promise<PortGiven> {
    const says = await this.#options.listen(port, this.#markOf(id), false);
    return says === undefined ? { ok: true, port } : { ok: false, port, says };
  }

  async #give(id: string): Promise<PortGiven> {
    const { range, taken, keep, listen, consolePort, onSkipped } = this.#options;
    const others = await taken();
    for (let port = range.from; port <= range.to; port++) {
      if (others.has(port) || port === consolePort()) continue;
      const says = await listen(port, this.#markOf(id), true);
      if (says !== undefined) {
        onSkipped(port, says);
        continue;
      }
      await keep(id, port);
      return { ok: true, port };
    }
    const says = `no port from ${range.from} to ${range.to} is free for ${id}; give a wider range with --addresses ports:FROM-TO, and start again`;
    return { ok: false, port: null, says };
  }

  #markOf(id: string): string {
    const digest = createHmac("sha256", this.#options.secret).update(id).digest();
    return `wb-${base32(digest).slice(0, markLength)}-`;
  }
}
