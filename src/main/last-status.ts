/** The status as strangers may read it, in a file of the data folder: what an edge tells while no server answers. */
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { StatusView } from "../contract/status.ts";

/** What is told last is at most so old when the server dies. */
const keepEveryMs = 10_000;
const fileName = "status.json";

export interface KeptStatus {
  readonly data: string;
  status(): Promise<StatusView>;
  onFailure(what: string, error: unknown): void;
}

/** Writes it now and then, whole or not at all. */
export function keepStatus({ data, status, onFailure }: KeptStatus): AsyncDisposable {
  const path = join(data, fileName);
  let writing: Promise<void> | undefined;
  const write = async (): Promise<void> => {
    const text = JSON.stringify(await status());
    // Another start takes what a killed one left of it.
    await writeFile(`${path}.new`, text, { mode: 0o600 });
    await rename(`${path}.new`, path);
  };
  const keep = (): void => {
    writing ??= write()
      .catch((error: unknown) => onFailure("keeping the last status", error))
      .finally(() => (writing = undefined));
  };
  const timer = setInterval(keep, keepEveryMs).unref();
  keep();
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await writing;
    },
  };
}

/** As it was kept last, marked as that; undefined where none was. */
export async function lastStatus(data: string): Promise<StatusView | undefined> {
  try {
    const kept = JSON.parse(await readFile(join(data, fileName), "utf8")) as StatusView;
    return { ...kept, isLastKnown: true };
  } catch {
    return undefined; // No server ever kept one here: who asks is told that none answers.
  }
}
