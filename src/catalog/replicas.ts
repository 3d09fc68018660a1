/** Replicas as their nodes last told of them: what a restart starts from until the nodes say hello again. */
import type { ReplicaPhase } from "../contract/agent.ts";
import type { Instant } from "../stdx/time.ts";
import type { Database } from "./database.ts";
import { pageLimit } from "./page.ts";
import type { ReplicasTable as Row } from "./schema.ts";

export interface ReplicaRow {
  readonly id: string;
  readonly space: string;
  readonly release: string;
  readonly node: string;
  readonly phase: ReplicaPhase;
  /** Where the edge connects; null until there is one. */
  readonly socket: string | null;
  readonly says: string;
  /** `boundary/name` of its end, where it has one. */
  readonly code: string | null;
  readonly startedAt: Instant;
  /** When it came into this phase. */
  readonly since: Instant;
}

const livePhases: readonly ReplicaPhase[] = ["starting", "ready"];

export class Replicas {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Writes a replica's newest status over what was known. */
  async put(replica: ReplicaRow): Promise<void> {
    const { id, ...rest } = replica;
    await this.#db
      .insertInto("replicas")
      .values({ id, ...rest })
      .onConflict((conflict) => conflict.column("id").doUpdateSet(rest))
      .execute();
  }

  async get(id: string): Promise<ReplicaRow | undefined> {
    const row = await this.#db.selectFrom("replicas").selectAll().where("id", "=", id).executeTakeFirst();
    return row && replicaOf(row);
  }

  /** Newest first, ended ones too. */
  async list(space: string, limit: number): Promise<readonly ReplicaRow[]> {
    const rows = await this.#db
      .selectFrom("replicas")
      .selectAll()
      .where("space", "=", space)
      .orderBy("startedAt", "desc")
      .orderBy("id", "desc")
      .limit(pageLimit(limit))
      .execute();
    return rows.map(replicaOf);
  }

  /** Those that were starting or ready when they were last heard of. */
  async live(): Promise<readonly ReplicaRow[]> {
    const rows = await this.#db
      .selectFrom("replicas")
      .selectAll()
      .where("phase", "in", livePhases)
      .orderBy("startedAt")
      .orderBy("id")
      .execute();
    return rows.map(replicaOf);
  }
}

function replicaOf(row: Row): ReplicaRow {
  return {
    ...row,
    phase: row.phase as ReplicaPhase,
    startedAt: row.startedAt as Instant,
    since: row.since as Instant,
  };
}
