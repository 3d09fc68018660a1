/**
 * What the apps of a node's Spaces keep to outside, by their owners: told by the server, kept on the disk, so that an agent that comes back
 * without its server lets through no more than before.
 */
import { parseReach, reachWords } from "../contract/reach.ts";
import type { Gateway } from "../egress/gateway.ts";
import { readStored, writeStored } from "../runtime/folder.ts";

/** By Space; those that keep to all that the operator allows have no row. */
const fileName = "reach.json";

export class Reaches {
  readonly #folder: string;
  readonly #gateway: Pick<Gateway, "keepTo">;
  readonly #onFailure: (what: string, error: unknown) => void;
  readonly #bySpace: Map<string, string>;

  /** Gives the gateway what an earlier agent was told. Throws where that cannot be read: apps would reach more than their owners want. */
  constructor(folder: string, gateway: Pick<Gateway, "keepTo">, onFailure: (what: string, error: unknown) => void) {
    this.#folder = folder;
    this.#gateway = gateway;
    this.#onFailure = onFailure;
    this.#bySpace = new Map(Object.entries(readStored<Record<string, string>>(folder, fileName) ?? {}));
    for (const [space, reach] of this.#bySpace) this.#tell(space, reach);
  }

  keepTo(space: string, reach: string): void {
    this.#tell(space, reach);
    if ((this.#bySpace.get(space) ?? reachWords.all) === reach) return;
    if (reach === reachWords.all) this.#bySpace.delete(space);
    else this.#bySpace.set(space, reach);
    try {
      writeStored(this.#folder, fileName, Object.fromEntries(this.#bySpace));
    } catch (error) {
      // It holds all the same, and the server says it again when the agent comes back to it.
      this.#onFailure("keeping what Spaces reach", error);
    }
  }

  #tell(space: string, reach: string): void {
    const rules = parseReach(reach);
    // What a server of our own version does not say: nothing is let through by it.
    this.#gateway.keepTo(space, typeof rules === "string" ? [] : rules);
  }
}
