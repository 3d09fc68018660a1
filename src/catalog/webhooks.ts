/** Webhooks: where owners have told what happens, and the secrets by which it is signed, as they are sealed. */
import type { Selectable } from "kysely";
import type { NoticeType } from "../contract/webhooks.ts";
import type { SqlRunner, SqlStatement } from "../stdx/sql.ts";
import type { Instant } from "../stdx/time.ts";
import { statement } from "./database.ts";
import type { Database } from "./database.ts";
import type { Notice, Notices } from "./notices.ts";
import { marked } from "./request-keys.ts";
import type { Effects } from "./request-keys.ts";
import type { WebhooksTable } from "./schema.ts";

export interface WebhookRow {
  readonly id: string;
  /** Null: the platform's. */
  readonly owner: string | null;
  readonly url: string;
  /** Empty: all. */
  readonly types: readonly NoticeType[];
  readonly description: string | null;
  readonly state: "on" | "off";
  /** Of this state. */
  readonly since: Instant;
  /** Who brought it there, and why. */
  readonly says: string;
  /** Of all tries since then none went well; null where the last one did. */
  readonly failingSince: Instant | null;
  /** Of the key that sealed it. */
  readonly key: string;
  readonly sealed: string;
  /** The secret before; it signs too until `formerUntil`. */
  readonly formerKey: string | null;
  readonly formerSealed: string | null;
  readonly formerUntil: Instant | null;
  readonly createdAt: Instant;
  readonly createdBy: string;
}

export type WebhookChange = Partial<Omit<WebhookRow, "id" | "owner" | "createdAt" | "createdBy">>;

export class Webhooks {
  readonly #db: Database;
  readonly #sql: SqlRunner;
  readonly #effects: Effects;
  readonly #notices: Notices;
  readonly #rows = new Map<string, WebhookRow>();

  private constructor(db: Database, sql: SqlRunner, effects: Effects, notices: Notices) {
    this.#db = db;
    this.#sql = sql;
    this.#effects = effects;
    this.#notices = notices;
  }

  /** Reads all of them; from here on they hear. */
  static async open(db: Database, sql: SqlRunner, effects: Effects, notices: Notices): Promise<Webhooks> {
    const webhooks = new Webhooks(db, sql, effects, notices);
    const rows = await db.selectFrom("webhooks").selectAll().orderBy("createdAt").orderBy("id").execute();
    for (const row of rows) webhooks.#rows.set(row.id, rowOf(row));
    webhooks.#hear();
    return webhooks;
  }

  /** The oldest first. */
  get all(): readonly WebhookRow[] {
    return [...this.#rows.values()];
  }

  get(id: string): WebhookRow | undefined {
    return this.#rows.get(id);
  }

  /** Of an account or an organisation; null: of the platform. */
  of(owner: string | null): readonly WebhookRow[] {
    return this.all.filter((row) => row.owner === owner);
  }

  /** The owner must exist. */
  async add(row: WebhookRow): Promise<void> {
    const { types, ...columns } = row;
    const add = this.#db.insertInto("webhooks").values({ ...columns, types: JSON.stringify(types) });
    await this.#sql.transaction([statement(add), ...marked(this.#db, this.#effects, row.id)]);
    this.#rows.set(row.id, row);
    this.#hear();
  }

  /**
   * Changes one that is there. One that is off is told nothing: what waits for it ends with `says`. `asked`: somebody wanted it; `tells`:
   * what the same commit tells others.
   */
  async change(
    id: string,
    { types, ...change }: WebhookChange,
    { asked, tells = [] }: { readonly asked: boolean; readonly tells?: readonly Notice[] },
  ): Promise<void> {
    const row = this.#rows.get(id);
    if (!row) return;
    const set = this.#db
      .updateTable("webhooks")
      .set({ ...change, ...(types && { types: JSON.stringify(types) }), id })
      .where("id", "=", id);
    const changed: WebhookRow = { ...row, ...change, ...(types && { types }) };
    await this.#sql.transaction([
      statement(set),
      ...(changed.state === "off" ? this.#giveUp(changed) : []),
      ...this.#notices.statements(tells),
      ...(asked ? marked(this.#db, this.#effects, id) : []),
    ]);
    this.#notices.told(tells);
    // Another change may have come meanwhile, of other columns.
    const current = this.#rows.get(id);
    if (current) this.#rows.set(id, { ...current, ...change, ...(types && { types }) });
    this.#hear();
  }

  /** With all that waits for it, and its log. */
  async remove(id: string): Promise<void> {
    const its = this.#db.selectFrom("deliveries").select("id").where("webhook", "=", id);
    const queries = [
      this.#db.deleteFrom("deliveryAttempts").where("delivery", "in", its),
      this.#db.deleteFrom("deliveries").where("webhook", "=", id),
      this.#db.deleteFrom("webhooks").where("id", "=", id),
    ];
    await this.#sql.transaction([...queries.map((query) => statement(query)), ...marked(this.#db, this.#effects)]);
    this.#rows.delete(id);
    this.#hear();
  }

  /** Tells of what no commit of the catalog has; `only`: one webhook alone. */
  async tell(notices: readonly Notice[], only?: string): Promise<void> {
    const statements = this.#notices.statements(notices, only);
    const marks = only === undefined ? [] : marked(this.#db, this.#effects);
    if (statements.length + marks.length === 0) return;
    await this.#sql.transaction([...statements, ...marks]);
    this.#notices.told(notices, only);
  }

  #giveUp({ id, since, says }: WebhookRow): readonly SqlStatement[] {
    const given = this.#db
      .updateTable("deliveries")
      .set({ state: "failed", dueAt: null, endedAt: since, says: `the webhook is off: ${says}` })
      .where("webhook", "=", id)
      .where("state", "=", "waiting");
    return [statement(given), ...this.#notices.trim(id)];
  }

  #hear(): void {
    this.#notices.hear(this.all.filter(({ state }) => state === "on"));
  }
}

function rowOf(row: Selectable<WebhooksTable>): WebhookRow {
  return {
    ...row,
    types: JSON.parse(row.types) as NoticeType[],
    state: row.state as WebhookRow["state"],
    since: row.since as Instant,
    failingSince: row.failingSince as Instant | null,
    formerUntil: row.formerUntil as Instant | null,
    createdAt: row.createdAt as Instant,
  };
}
