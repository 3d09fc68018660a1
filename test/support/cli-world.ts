/** The command line's world where only a server is asked: what is printed is kept, and all that is this machine's own fails. */
import assert from "node:assert/strict";
import type { CliWorld } from "../../src/cli/world.ts";

export interface Said {
  out: string;
  err: string;
}

/** `said` grows as it is printed. */
export function cliWorld(over: Partial<CliWorld> = {}): { readonly world: CliWorld; readonly said: Said } {
  const said: Said = { out: "", err: "" };
  const elsewhere = (): never => assert.fail("these commands only ask the server");
  const world: CliWorld = {
    ...{ version: "1.2.3", env: {}, zone: "UTC", signInFile: "/nothing/there.json" },
    stdout: { write: (text) => (said.out += text), columns: 100 },
    stderr: { write: (text) => (said.err += text), columns: 100 },
    stdin: { text: async () => "" },
    clock: { wall: () => 0 as never, monotonic: () => 0 },
    signal: new AbortController().signal,
    ...{ up: elsewhere, agent: elsewhere, dataFolder: elsewhere, restore: elsewhere, compact: elsewhere },
    ...{
      move: elsewhere,
      stopAll: elsewhere,
      edge: elsewhere,
      authority: elsewhere,
      uninstall: elsewhere,
      doctor: elsewhere,
      doctorBundle: elsewhere,
    },
    ...over,
  };
  return { world, said };
}
