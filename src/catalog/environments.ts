/** Variables and secrets of Spaces, and who changed which of them when. A secret's value is here only as it is sealed. */
import type { Selectable } from "kysely";
import type { SqlRunner } from "../stdx/sql.ts";
import type { Instant } from "../stdx/time.ts";
import { statement, type Database } from "./database.ts";
import { marked } from "./request-keys.ts";
import type { Effects } from "./request-keys.ts";
import type { EnvironmentChangesTable } from "./schema.ts";

export interface VariableRow {
  readonly space: string;
  readonly name: string;
  readonly value: string;
  readonly description: string | null;
  readonly updatedAt: Instant;
}

export interface SecretRow {
  readonly space: string;
  readonly name: string;
  /** The id of the key that sealed it. */
  readonly key: string;
  /** Base64. */
  readonly sealed: string;
  readonly description: string | null;
  readonly updatedAt: Instant;
}

export interface EnvironmentChange {
  readonly space: string;
  readonly kind: "variable" | "secret";
  readonly name: string;
  /** `described`: its description alone changed. */
  readonly action: "set" | "unset" | "described";
  readonly account: string;
  readonly at: Instant;
}

type By = Pick<EnvironmentChange, "account" | "action">;

/** A change with its number; later ones have higher ones, over all Spaces. */
export interface NumberedChange extends EnvironmentChange {
  readonly id: number;
}

export class Environments {
  readonly #db: Database;
  readonly #sql: SqlRunner;
  readonly #effects: Effects;

  constructor(db: Database, sql: SqlRunner, effects: Effects) {
    this.#db = db;
    this.#sql = sql;
    this.#effects = effects;
  }

  async variables(): Promise<readonly VariableRow[]> {
    return (await this.#db.selectFrom("spaceVariables").selectAll().execute()).map(dated);
  }

  async secrets(): Promise<readonly SecretRow[]> {
    return (await this.#db.selectFrom("spaceSecrets").selectAll().execute()).map(dated);
  }

  /** Sets a variable, and says who did; the change's number. */
  async setVariable(row: VariableRow, { account, action }: By): Promise<number> {
    const { space, name, updatedAt: at, ...values } = row;
    const set = this.#db
      .insertInto("spaceVariables")
      .values(row)
      .onConflict((conflict) => conflict.columns(["space", "name"]).doUpdateSet({ ...values, updatedAt: at }));
    return this.#change(statement(set), { space, kind: "variable", name, action, account, at });
  }

  /** Sets a secret, and says who did; the change's number. */
  async setSecret(row: SecretRow, { account, action }: By): Promise<number> {
    const { space, name, updatedAt: at, ...values } = row;
    const set = this.#db
      .insertInto("spaceSecrets")
      .values(row)
      .onConflict((conflict) => conflict.columns(["space", "name"]).doUpdateSet({ ...values, updatedAt: at }));
    return this.#change(statement(set), { space, kind: "secret", name, action, account, at });
  }

  /** Removes one, and says who did; the change's number. */
  async unset(change: Omit<EnvironmentChange, "action">): Promise<number> {
    const table = change.kind === "variable" ? "spaceVariables" : "spaceSecrets";
    const removal = this.#db.deleteFrom(table).where("space", "=", change.space).where("name", "=", change.name);
    return this.#change(statement(removal), { ...change, action: "unset" });
  }

  /** Another key sealed it: its value is the same, so nobody changed it. */
  async reseal({ space, name, key, sealed }: Pick<SecretRow, "space" | "name" | "key" | "sealed">): Promise<void> {
    await this.#db
      .updateTable("spaceSecrets")
      .set({ key, sealed })
      .where("space", "=", space)
      .where("name", "=", name)
      .execute();
  }

  /** The last change of each Space that its app would notice. */
  async lastChanges(): Promise<readonly NumberedChange[]> {
    const last = this.#db
      .selectFrom("spaceEnvironmentChanges")
      .select((eb) => eb.fn.max("id").as("id"))
      .where("action", "!=", "described")
      .groupBy("space");
    const rows = await this.#db.selectFrom("spaceEnvironmentChanges").selectAll().where("id", "in", last).execute();
    return rows.map(changeOf);
  }

  /** The last changes of a Space, newest first. */
  async changes(space: string, limit: number): Promise<readonly NumberedChange[]> {
    const rows = await this.#db
      .selectFrom("spaceEnvironmentChanges")
      .selectAll()
      .where("space", "=", space)
      .orderBy("id", "desc")
      .limit(limit)
      .execute();
    return rows.map(changeOf);
  }

  async #change(work: ReturnType<typeof statement>, change: EnvironmentChange): Promise<number> {
    const told = this.#db.insertInto("spaceEnvironmentChanges").values(change).returning("id");
    const [, added] = await this.#sql.transaction([work, statement(told), ...marked(this.#db, this.#effects)]);
    return Number(added?.lastInsertRowid);
  }
}

function dated<Row extends { readonly updatedAt: number }>(row: Row): Row & { readonly updatedAt: Instant } {
  return { ...row, updatedAt: row.updatedAt as Instant };
}

function changeOf(row: Selectable<EnvironmentChangesTable>): NumberedChange {
  const { kind, action } = row as Pick<EnvironmentChange, "kind" | "action">;
  return { ...row, kind, action, at: row.at as Instant };
}
