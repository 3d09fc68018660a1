/** Claims of Spaces to names of people's own domains, and who changed them when. A claim and its change are one commit. */
import type { Selectable } from "kysely";
import type { SqlRunner } from "../stdx/sql.ts";
import type { Instant } from "../stdx/time.ts";
import { statement, type Database } from "./database.ts";
import { marked } from "./request-keys.ts";
import type { Effects } from "./request-keys.ts";
import type { DomainChangesTable, DomainsTable } from "./schema.ts";

/** `claimed`: not proved yet. `leads`: requests for it reach the Space; of one name there is one such claim. `lapsed`: its proof is gone. */
export type DomainState = "claimed" | "leads" | "lapsed";
/** What says whose the name is: a record of its DNS, or an operator's word. */
export type DomainProof = "txt" | "cname" | "operator";

export interface DomainRow {
  /** In A-labels and lower case. */
  readonly name: string;
  readonly space: string;
  readonly state: DomainState;
  readonly proof: DomainProof | null;
  readonly addedAt: Instant;
  readonly addedBy: string;
  readonly provedAt: Instant | null;
  /** The last time that its DNS gave an answer. */
  readonly lookedAt: Instant | null;
  /** Since then its proof is not found. */
  readonly missingSince: Instant | null;
}

export interface DomainChange {
  readonly name: string;
  readonly space: string;
  readonly action: "added" | "proved" | "missing" | "found" | "lapsed" | "removed";
  /** Null: the platform. */
  readonly account: string | null;
  readonly at: Instant;
  /** Why, in a sentence. */
  readonly says: string;
}

export class Domains {
  readonly #db: Database;
  readonly #sql: SqlRunner;
  readonly #effects: Effects;

  constructor(db: Database, sql: SqlRunner, effects: Effects) {
    this.#db = db;
    this.#sql = sql;
    this.#effects = effects;
  }

  async all(): Promise<readonly DomainRow[]> {
    return (await this.#db.selectFrom("domains").selectAll().orderBy("name").orderBy("space").execute()).map(rowOf);
  }

  /** Keeps these claims as they are from now on, and what changed; all or none. `asked`: somebody wanted it. */
  async keep(rows: readonly DomainRow[], changes: readonly DomainChange[], asked: boolean): Promise<void> {
    const kept = rows.map(({ name, space, ...values }) =>
      this.#db
        .insertInto("domains")
        .values({ name, space, ...values })
        .onConflict((conflict) => conflict.columns(["name", "space"]).doUpdateSet(values)),
    );
    await this.#commit(
      kept.map((query) => statement(query)),
      changes,
      asked,
    );
  }

  async remove(
    { name, space }: Pick<DomainRow, "name" | "space">,
    change: DomainChange,
    asked: boolean,
  ): Promise<void> {
    const removal = this.#db.deleteFrom("domains").where("name", "=", name).where("space", "=", space);
    await this.#commit([statement(removal)], [change], asked);
  }

  /** Newest first. */
  async changes(space: string, limit: number): Promise<readonly DomainChange[]> {
    const rows = await this.#db
      .selectFrom("domainChanges")
      .selectAll()
      .where("space", "=", space)
      .orderBy("id", "desc")
      .limit(limit)
      .execute();
    return rows.map(changeOf);
  }

  async #commit(
    work: readonly ReturnType<typeof statement>[],
    changes: readonly DomainChange[],
    asked: boolean,
  ): Promise<void> {
    const told = changes.map((change) => statement(this.#db.insertInto("domainChanges").values(change)));
    await this.#sql.transaction([...work, ...told, ...(asked ? marked(this.#db, this.#effects) : [])]);
  }
}

function rowOf(row: DomainsTable): DomainRow {
  return {
    ...row,
    state: row.state as DomainState,
    proof: row.proof as DomainProof | null,
    addedAt: row.addedAt as Instant,
    provedAt: row.provedAt as Instant | null,
    lookedAt: row.lookedAt as Instant | null,
    missingSince: row.missingSince as Instant | null,
  };
}

function changeOf({ id: _id, ...row }: Selectable<DomainChangesTable>): DomainChange {
  return { ...row, action: row.action as DomainChange["action"], at: row.at as Instant };
}
