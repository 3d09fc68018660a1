/** Journals that versions of Waybill have written, kept for ever (CONTRIBUTING, "Change what is stored"). */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { State } from "../../src/core/state.ts";
import { pageMax } from "../../src/catalog/page.ts";
import { accessStatuses } from "../../src/catalog/access-requests.ts";
import type { Catalog } from "../../src/catalog/catalog.ts";
import type { Count, Totals } from "../../src/core/totals.ts";
import type { Instant } from "../../src/stdx/time.ts";

export const keptJournals = join(import.meta.dirname, "..", "kept-journals");

/** `kept.json`: what the version that wrote the records said of them. The compacted journal came to the same. */
export interface KeptJournal {
  /** Of the ledger when its last command was given. */
  readonly at: Instant;
  /** sha256 of the canonical state after the last record. */
  readonly stateHash: string;
  readonly totals: Totals;
  readonly balances: ReturnType<typeof balancesOf>;
  readonly counts: readonly Count[];
  /** Of the whole journal: calls that the catalog lists, and what their receipts charge. */
  readonly catalog: Awaited<ReturnType<typeof callsIn>>;
  /** Who may be whom, as the catalog has it; older folders have none of it. */
  readonly identity?: Awaited<ReturnType<typeof identityIn>>;
  /** Repositories and their large files, as the catalog has them; older folders have none of it. */
  readonly hub?: Awaited<ReturnType<typeof hubIn>>;
  /** Webhooks and what is on its way to them; older folders have none of it. */
  readonly webhooks?: Awaited<ReturnType<typeof webhooksIn>>;
  /** How many of each kind. */
  readonly events: Readonly<Record<string, number>>;
}

/** Account, period, used, held; in the order of accounts' names. */
export function balancesOf({ accounts }: State): readonly (readonly [string, number, number, number])[] {
  return [...accounts.values()]
    .map(({ id, period, usedMs, heldMs }) => [id, period, usedMs, heldMs] as const)
    .sort(([a], [b]) => a.localeCompare(b));
}

/** All calls that are listed, and the sum of their receipts. */
export async function callsIn({
  calls,
  receipts,
}: Catalog): Promise<{ readonly calls: number; readonly chargedMs: number }> {
  const sum = { calls: 0, chargedMs: 0 };
  for (let before: string | undefined; ;) {
    const page = await calls.list({ limit: pageMax, ...(before !== undefined && { before }) });
    assert.ok(page);
    for (const { receipt } of page.items) {
      sum.calls++;
      if (receipt !== null) sum.chargedMs += (await receipts.get(receipt))?.receipt.chargedMs ?? assert.fail(receipt);
    }
    if (page.next === null) return sum;
    before = page.next;
  }
}

/** Of alice and all organisations: what lets somebody in, and what was noted of it. */
export async function identityIn(catalog: Catalog) {
  const { tokens, sessions, passwords, members, identities, apps, audit } = catalog;
  return {
    tokens: await tokens.list("alice"),
    sessions: await sessions.list("alice"),
    password: (await passwords.get("alice")) ?? null,
    members: await members.all(),
    identities: await identities.list("alice"),
    clients: await apps.clients(),
    grants: [(await apps.get({ model: "Grant", id: "grant" })) ?? null],
    keys: await apps.keys(),
    audit: (await audit.list({}, { page: undefined, limit: pageMax }))?.items ?? [],
  };
}

/** Names of what is kept of large files. */
export const keptXet = {
  xorb: "a".repeat(64),
  file: "b".repeat(64),
  chunk: "c".repeat(64),
  sha256: "d".repeat(64),
  converted: "1".repeat(64),
};

/** Of the model that is kept. */
export const keptFolder = "models/m_1";

export async function hubIn({ repos, largeFiles, accessRequests, discussions }: Catalog) {
  const pull = { repo: keptFolder, num: 1 };
  const holders = ["models/alice/Tiny"];
  const page = { skip: 0, limit: pageMax };
  return {
    access: await Promise.all(accessStatuses.map((status) => accessRequests.list(keptFolder, status, page))),
    repos: await repos.all(),
    removals: await repos.removals(),
    xorbs: await largeFiles.xorbs("", pageMax),
    held: [...(await largeFiles.held([keptXet.xorb], holders))],
    files: await largeFiles.files("", pageMax),
    ofChunk: (await largeFiles.xorbOfChunk(keptXet.chunk, holders)) ?? null,
    conversion: (await largeFiles.conversion({ sha256: keptXet.converted })) ?? null,
    usage: [...(await largeFiles.usage())],
    limits: [...(await largeFiles.limits())],
    discussions: (await discussions.list(pull.repo, {}, { skip: 0, limit: pageMax })).rows,
    said: await discussions.events(pull),
    proposedTo: await largeFiles.proposedTo("bob"),
  };
}

/** The webhook that is kept. */
export const keptWebhook = "wh_1";

export async function webhooksIn({ webhooks, deliveries }: Catalog) {
  const log = (await deliveries.list(keptWebhook, { limit: pageMax }))?.items ?? [];
  return { webhooks: webhooks.all, deliveries: log, attempts: await deliveries.attempts(log.map(({ id }) => id)) };
}

/** A kept folder, whole or compacted. */
export interface KeptFolder {
  readonly name: string;
  readonly path: string;
  readonly kept: KeptJournal;
}

export function keptFolders(): readonly KeptFolder[] {
  return readdirSync(keptJournals).flatMap((number) => {
    const kept = JSON.parse(readFileSync(join(keptJournals, number, "kept.json"), "utf8")) as KeptJournal;
    return ["whole", "compacted"].map((form) => {
      return { name: `${number}, ${form}`, path: join(keptJournals, number, form), kept };
    });
  });
}

/** A copy that may be written to; it goes with its owner. */
export class CopiedJournal implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "wb-kept-"));

  constructor({ path }: KeptFolder) {
    cpSync(path, this.folder, { recursive: true });
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}
