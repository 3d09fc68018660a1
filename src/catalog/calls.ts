/** GPU calls as people ask for them: rows that follow the journal, each with its receipt once it has ended. */
import type { CallView, Page } from "../contract/api.ts";
import type { LedgerRecord } from "../core/record.ts";
import type { SqlDialect, SqlRunner, SqlStatement } from "../stdx/sql.ts";
import { iso } from "../stdx/time.ts";
import type { Instant } from "../stdx/time.ts";
import { statement } from "./database.ts";
import type { Database } from "./database.ts";
import type { Notice, Notices } from "./notices.ts";
import { pageLimit, pageOf, parsePageToken } from "./page.ts";
import { advance, project } from "./projection.ts";
import type { NodeDevices, ProjectionChange, ProjectionState } from "./projection.ts";
import type { CallsTable as StoredCall } from "./schema.ts";

/**
 * A call's row: the view of the API and what only the owner of the Space and the operator may see. `waiting` is null: where a
 * waiting call stands is told by the ledger's state, and so is its `queuedMs` until it is granted (0 here).
 */
export interface CallRow extends CallView {
  readonly tier: string;
  readonly billedBy: string;
  readonly release: string;
  readonly replica: string;
  readonly node: string;
  readonly pool: string;
  readonly gpu: string | null;
  readonly simulated: boolean;
  readonly leaseMs: number | null;
  readonly grantedAt: string | null;
  readonly attachedAt: string | null;
  readonly endedAt: string | null;
  readonly visitorLeft: boolean;
  readonly rule: string | null;
  /** Of the journal record that admitted or refused it. */
  readonly journalIndex: number;
}

export interface CallsAsked {
  readonly account?: string;
  readonly space?: string;
  /** The request that made the calls. */
  readonly request?: string;
  /** A page token. */
  readonly before?: string;
  readonly limit: number;
}

/** What has no window is told once a day. */
const dayMs = 24 * 3_600_000;

export interface CallsDuring {
  readonly space: string;
  readonly replica: string;
  readonly from: Instant;
  readonly to: Instant;
  readonly limit: number;
}

/** What a trial reads of a call. */
export type PastRow = Pick<
  StoredCall,
  | ("id" | "at" | "journalIndex" | "account" | "tier" | "billedBy" | "request" | "space" | "release" | "replica")
  | ("node" | "size" | "declaredMs" | "grantedAt" | "attachedAt" | "endedAt" | "usedMs" | "chargedMs" | "code")
>;
const pastColumns = [
  ...(["id", "at", "journalIndex", "account", "tier", "billedBy", "request", "space", "release", "replica"] as const),
  ...(["node", "size", "declaredMs", "grantedAt", "attachedAt", "endedAt", "usedMs", "chargedMs", "code"] as const),
];

export class Calls {
  readonly #db: Database;
  readonly #sql: SqlRunner;
  readonly #notices: Notices;
  #state: ProjectionState;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(db: Database, sql: SqlRunner, notices: Notices, state: ProjectionState) {
    this.#db = db;
    this.#sql = sql;
    this.#notices = notices;
    this.#state = state;
  }

  /** Reads the calls that have not ended and the nodes' cards: as many as wait and run, not as many as ever were. */
  static async open(db: Database, sql: SqlRunner, notices: Notices): Promise<Calls> {
    const cursor = await db.selectFrom("callCursor").selectAll().executeTakeFirstOrThrow();
    const open = await db.selectFrom("calls").selectAll().where("stage", "<>", "ended").execute();
    return new Calls(db, sql, notices, {
      cursor: cursor.journalIndex,
      leaves: cursor.leaves,
      open: new Map(open.map((row) => [row.id, row])),
      nodes: await readNodes(db),
    });
  }

  /** Index of the last journal record whose calls can be read here. */
  get cursor(): number {
    return this.#state.cursor;
  }

  /**
   * Takes in journal records that are durable (L28), in order; those at or before the cursor are passed over. All of one batch is one commit, so a few
   * hundred at once cost hardly more than one. Gives the cursor. Throws `projection-gap` where a record was left out, or the
   * database's error; nothing changed then, and the same records may be given again.
   */
  project(records: readonly LedgerRecord[]): Promise<number> {
    const mine = this.#turn.then(() => this.#take(records));
    // The next batch waits for this one, whether or not it went well: its caller is told by `mine`.
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  /** Newest first; undefined where `before` is not a page token of ours. */
  async list(asked: CallsAsked): Promise<Page<CallRow> | undefined> {
    const limit = pageLimit(asked.limit);
    let query = this.#db.selectFrom("calls").selectAll();
    if (asked.account !== undefined) query = query.where("account", "=", asked.account);
    if (asked.space !== undefined) query = query.where("space", "=", asked.space);
    if (asked.request !== undefined) query = query.where("request", "=", asked.request);
    if (asked.before !== undefined) {
      const place = parsePageToken(asked.before);
      if (!place) return undefined;
      query = query.where((eb) => eb(eb.refTuple("journalIndex", "id"), "<", eb.tuple(place.order, place.id)));
    }
    const rows = await query
      .orderBy("journalIndex", "desc")
      .orderBy("id", "desc")
      .limit(limit + 1)
      .execute();
    return pageOf(rows, limit, (row) => ({ order: row.journalIndex, id: row.id }), callOf);
  }

  /** A replica's calls that had a GPU within `[from, to)`; at most `limit`, the newest. */
  async during({ space, replica, from, to, limit }: CallsDuring): Promise<readonly CallRow[]> {
    const rows = await this.#db
      .selectFrom("calls")
      .selectAll()
      .where("space", "=", space)
      .where("replica", "=", replica)
      .where("grantedAt", "<", to)
      .where((eb) => eb.or([eb("endedAt", "is", null), eb("endedAt", ">=", from)]))
      .orderBy("journalIndex", "desc")
      .limit(limit)
      .execute();
    return rows.map(callOf);
  }

  /** Those that came within `[from, to)`, oldest first, so many at once. */
  async *past({
    from,
    to,
    atOnce,
  }: Record<"from" | "to", Instant> & { readonly atOnce: number }): AsyncGenerator<readonly PastRow[], undefined> {
    let place = { order: await this.#firstFrom(from), id: "" };
    const end = await this.#firstFrom(to);
    for (;;) {
      const rows = await this.#db
        .selectFrom("calls")
        .select(pastColumns)
        .where((eb) => eb(eb.refTuple("journalIndex", "id"), ">", eb.tuple(place.order, place.id)))
        .where("journalIndex", "<", end)
        .orderBy("journalIndex")
        .orderBy("id")
        .limit(atOnce)
        .execute();
      if (rows.length > 0) yield rows;
      const last = rows.at(-1);
      if (last === undefined || rows.length < atOnce) return;
      place = { order: last.journalIndex, id: last.id };
    }
  }

  async get(id: string): Promise<CallRow | undefined> {
    const row = await this.#db.selectFrom("calls").selectAll().where("id", "=", id).executeTakeFirst();
    return row && callOf(row);
  }

  /** Forgets calls that had ended by record `index`, and their receipts: for the commit that removes the records. */
  forgotten({ index, at }: { readonly index: number; readonly at: Instant }): readonly SqlStatement[] {
    return [
      statement(this.#db.deleteFrom("calls").where("journalIndex", "<=", index).where("endedAt", "<=", at)),
      statement(this.#db.updateTable("receiptTree").set({ removedUntil: at })),
    ];
  }

  /** The first record whose calls came at that instant or later: times grow with the records (L14), and only those have an index. */
  async #firstFrom(at: Instant): Promise<number> {
    let [low, high] = [0, this.cursor + 1];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const row = await this.#db
        .selectFrom("calls")
        .select(["at", "journalIndex"])
        .where("journalIndex", ">=", middle)
        .orderBy("journalIndex")
        .limit(1)
        .executeTakeFirst();
      if (row === undefined || row.at >= at) high = middle;
      else low = row.journalIndex + 1;
    }
    return low;
  }

  async #take(records: readonly LedgerRecord[]): Promise<number> {
    const change = project(this.#state, records);
    if (change.cursor > this.#state.cursor) {
      const before = this.#state.cursor;
      const notices = records.filter(({ index }) => index > before).flatMap(tooLittleOf);
      const told = this.#notices.statements(notices);
      await this.#sql.transaction([...statementsOf(this.#db, this.#sql.dialect, change), ...told]);
      this.#state = advance(this.#state, change);
      this.#notices.told(notices);
    }
    return this.#state.cursor;
  }
}

/** Calls for which less was left than they asked for: told once a window, so by its end. */
function tooLittleOf({ at, events }: LedgerRecord): readonly Notice[] {
  return events.flatMap((event): Notice[] => {
    if (event.type !== "call-refused") return [];
    const { refusal, terms } = event;
    if (refusal.code !== "quota-exceeded" && refusal.code !== "budget-exceeded") return [];
    const { askedMs, leftMs, limitMs, resetsAt } = refusal;
    const told = { call: terms.call, askedMs, leftMs, limitMs, resetsAt: resetsAt === null ? null : iso(resetsAt) };
    const window = resetsAt ?? Math.floor(at / dayMs);
    const { account, space } = terms;
    // A caller without an account is an address, which owns nothing: there is nobody to tell.
    if (refusal.code === "quota-exceeded" && account.includes(":")) return [];
    if (refusal.code === "quota-exceeded")
      return [
        {
          ...{ type: "quota.exceeded", key: `quota/${account}/${window}`, at, owner: account },
          data: { account, ...told },
        },
      ];
    const key = `budget/${space}/${window}`;
    return [{ type: "budget.exceeded", key, at, owner: refusal.sponsor, data: { space, ...told } }];
  });
}

function statementsOf(db: Database, dialect: SqlDialect, change: ProjectionChange): SqlStatement[] {
  const writes: SqlStatement[] = [];
  for (const row of change.calls.values()) writes.push(callStatement(row, dialect));
  for (const [node, known] of change.nodes) writes.push(...deviceStatements(db, node, known));
  writes.push(statement(db.updateTable("callCursor").set({ journalIndex: change.cursor, leaves: change.leaves })));
  return writes;
}

/** Plain and made once: this write is on the path of every call, and compiling it anew costs more than running it. */
const callColumns = Object.keys({
  id: 1, at: 1, journalIndex: 1, account: 1, tier: 1, billedBy: 1, request: 1, space: 1, release: 1, replica: 1, node: 1,
  pool: 1, size: 1, declaredMs: 1, simulated: 1, heldMs: 1, leaseMs: 1, funding: 1, gpu: 1, grantedAt: 1, attachedAt: 1, visitorLeft: 1,
  stage: 1, endedAt: 1, queuedMs: 1, usedMs: 1, chargedMs: 1, outcome: 1, code: 1, rule: 1, receipt: 1, document: 1,
  leaf: 1, payer: 1, creditsMs: 1,
} satisfies Record<keyof StoredCall, 1>) as readonly (keyof StoredCall)[]; // prettier-ignore

const setCall = (placeholder: (at: number) => string): string =>
  `INSERT INTO calls (${callColumns.map((column) => `"${column}"`).join(", ")}) ` +
  `VALUES (${callColumns.map((_, at) => placeholder(at)).join(", ")}) ON CONFLICT ("id") DO UPDATE SET ` +
  callColumns.map((column) => `"${column}" = excluded."${column}"`).join(", ");

const setCallIn: Readonly<Record<SqlDialect, string>> = {
  sqlite: setCall(() => "?"),
  postgres: setCall((at) => `$${at + 1}`),
};

function callStatement(row: StoredCall, dialect: SqlDialect): SqlStatement {
  return { sql: setCallIn[dialect], params: callColumns.map((column) => row[column]) };
}

function deviceStatements(db: Database, node: string, { pool, devices }: NodeDevices): SqlStatement[] {
  return [
    statement(db.deleteFrom("callDevices").where("node", "=", node)),
    ...devices.map(({ index, uuid, name, simulated }) =>
      statement(
        db.insertInto("callDevices").values({ node, device: index, pool, uuid, name, simulated: simulated ? 1 : 0 }),
      ),
    ),
  ];
}

async function readNodes(db: Database): Promise<ReadonlyMap<string, NodeDevices>> {
  const nodes = new Map<string, NodeDevices>();
  const rows = await db.selectFrom("callDevices").selectAll().orderBy("node").orderBy("device").execute();
  for (const { node, device, pool, uuid, name, simulated } of rows) {
    const known = nodes.get(node)?.devices ?? [];
    // The number of slots is the ledger's: nothing here reads it.
    nodes.set(node, { pool, devices: [...known, { index: device, uuid, name, slots: 0, simulated: simulated === 1 }] });
  }
  return nodes;
}

function callOf(row: StoredCall): CallRow {
  const {
    at,
    simulated,
    visitorLeft,
    document: _document,
    funding: _funding,
    leaf: _leaf,
    payer: _payer,
    creditsMs: _credits,
    ...rest
  } = row;
  return {
    ...rest,
    at: iso(at as Instant),
    stage: row.stage as CallView["stage"],
    outcome: row.outcome as CallView["outcome"],
    size: row.size as CallView["size"],
    simulated: simulated === 1,
    visitorLeft: visitorLeft === 1,
    grantedAt: isoOrNull(row.grantedAt),
    attachedAt: isoOrNull(row.attachedAt),
    endedAt: isoOrNull(row.endedAt),
    waiting: null,
  };
}

function isoOrNull(at: number | null): string | null {
  return at === null ? null : iso(at as Instant);
}
