/** Takes what a platform's two records hold of a work out of its own folder, so that it can be judged again without it. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import type { WaybillClient } from "../../src/client/api.ts";
import { ApiError } from "../../src/client/errors.ts";
import type { Entry, WorkKind } from "../../src/evidence/entry.ts";
import { workKinds } from "../../src/evidence/entry.ts";
import type { Explanation } from "../../src/evidence/verdict.ts";
import type { Recorded } from "./looking.ts";
import type { LinkedWork, WorkRecord } from "../../src/evidence/work-record.ts";
import { EvidenceDatabase } from "../../src/record/evidence-database.ts";
import { readWork } from "../../src/record/evidence-queries.ts";

/** Those of the platforms that cases run on. */
const folders = /\/[\w./-]*\/(?:wb-up-|wb-cl-)\w+/g;

/** Whose folder a record is in, and who may ask it everything. */
export interface Recorder {
  readonly data: string;
  readonly admin: WaybillClient;
}

/** What this explanation was made of; undefined of what is no work, as a Space or a counter. */
export async function recordOf(
  { data, admin }: Recorder,
  { id, kind, entries, links, outcome, verdict, read }: Explanation,
): Promise<WorkRecord | undefined> {
  if (!isWork(kind) || kind === "space") return undefined;
  const told = await readEvidence(data, id);
  const views = entries.filter((entry) => entry.work === id && entry.id.startsWith("journal/"));
  const beside = await Promise.all(
    links.filter(({ outcome }) => outcome !== undefined).map((link) => line(admin, link.id)),
  );
  return {
    id,
    kind,
    entries: [...views, ...told.entries],
    neighbours: told.neighbours,
    gaps: told.gaps,
    watermarks: told.watermarks,
    epochs: told.epochs,
    links: beside.flatMap((one) => one ?? []),
    charge: verdict?.charge ?? null,
    simulated: kind === "call" && (verdict?.sentence.includes("a simulated GPU") ?? false),
    droppedThrough: told.droppedThrough,
    read,
    ...(kind === "build" && outcome === "ok" && { isBuilt: true }),
  };
}

/** The entries of the request that made a call; none of any other work. */
export async function requestOf({ admin }: Recorder, { kind, entries }: Explanation): Promise<readonly Entry[]> {
  const id = kind === "call" && entries.find(({ hop }) => hop === "gpu.schedule")?.facts["request"];
  if (typeof id !== "string") return [];
  try {
    return (await admin.explain(id)).entries;
  } catch (error) {
    if (error instanceof ApiError) return []; // It has not ended, and its record begins with its end.
    throw error;
  }
}

/** One a line, as they are kept; without the names of folders, which differ from run to run. */
export function linesOf(recorded: readonly Recorded[]): string {
  return recorded.map((one) => `${JSON.stringify(one).replaceAll(folders, "/platform")}\n`).join("");
}

/** In memory where there is such a folder: cases of other platforms are under way, and nobody here may wait for a disk. */
const scratch = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/** A copy is read, so that the platform's own is left alone. */
async function readEvidence(data: string, id: string): Promise<ReturnType<typeof readWork>> {
  const folder = mkdtempSync(join(scratch, "wb-evidence-"));
  try {
    const copy = join(folder, "evidence.db");
    const source = new DatabaseSync(join(data, "evidence.db"), { readOnly: true });
    source.exec("PRAGMA busy_timeout=5000");
    await backup(source, copy);
    source.close();
    const store = new EvidenceDatabase(copy);
    const told = readWork(store, id);
    store.db.close();
    return told;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A work beside it, as the platform puts it in one line; undefined where it has nothing of it by now. */
async function line(admin: WaybillClient, id: string): Promise<LinkedWork | undefined> {
  try {
    const { kind, outcome, verdict, sentence, entries } = await admin.explain(id);
    return {
      id,
      kind: kind as WorkKind,
      outcome,
      code: verdict && `${verdict.boundary}/${verdict.code}`,
      sentence: verdict?.sentence ?? sentence,
      at: startOf(entries, id),
      ...(verdict && { certainty: verdict.certainty, owner: verdict.owner }),
    };
  } catch (error) {
    if (error instanceof ApiError) return undefined;
    throw error;
  }
}

function startOf(entries: readonly Entry[], work: string): string {
  return (
    entries
      .filter((entry) => entry.work === work)
      .map(({ at }) => at)
      .sort()[0] ?? ""
  );
}

function isWork(kind: Explanation["kind"]): kind is WorkKind {
  return (workKinds as readonly string[]).includes(kind);
}
