/** What happened to each Space: an event and what it leads to are one commit. Events are only ever added. */
import type { OwnerSettings, SpaceState } from "../contract/api.ts";
import type { Actor, Change, Space, SpaceEvent, StateName } from "../core/spaces/model.ts";
import type { SqlRunner } from "../stdx/sql.ts";
import type { Instant } from "../stdx/time.ts";
import { spaceOwner } from "../contract/space.ts";
import { statement } from "./database.ts";
import type { Database } from "./database.ts";
import type { Notice, Notices } from "./notices.ts";
import { marked } from "./request-keys.ts";
import type { Effects } from "./request-keys.ts";
import { pageLimit, pageOf, parsePageToken } from "./page.ts";
import type { Page } from "./page.ts";
import type { SpaceEventsTable as Row } from "./schema.ts";
import type { Machine } from "./spaces.ts";

/** An event with its number: 1, 2, 3… within its Space. */
export type NumberedEvent = SpaceEvent & { readonly seq: number };

export class SpaceEvents {
  readonly #db: Database;
  readonly #sql: SqlRunner;
  readonly #effects: Effects;
  readonly #notices: Notices;

  constructor(db: Database, sql: SqlRunner, effects: Effects, notices: Notices) {
    this.#db = db;
    this.#sql = sql;
    this.#effects = effects;
    this.#notices = notices;
  }

  /** Adds what happened to `space`, which it leads to. To be called in turn for one Space. `asked`: somebody wanted it. */
  async add(
    space: Space,
    events: readonly SpaceEvent[],
    row: { readonly sdk?: string | null; readonly settings?: OwnerSettings; readonly asked?: boolean } = {},
  ): Promise<void> {
    const { id, state, release, next, horizon } = space;
    const newest = await this.#db
      .selectFrom("spaceEvents")
      .select((eb) => eb.fn.max("seq").as("seq"))
      .where("space", "=", id)
      .executeTakeFirst();
    const first = Number(newest?.seq ?? 0) + 1;
    const added = events.map((event, n) => this.#db.insertInto("spaceEvents").values(rowOf(id, first + n, event)));
    const { name, since, reason } = state;
    const machine: Machine = { state, release, next, horizon };
    const led = this.#db
      .updateTable("spaces")
      .set({
        state: name satisfies SpaceState,
        since,
        says: reason.says,
        code: reason.code,
        release,
        machine: JSON.stringify(machine),
        ...(row.sdk === undefined ? {} : { sdk: row.sdk }),
        ...(row.settings === undefined ? {} : { settings: JSON.stringify(row.settings) }),
      })
      .where("id", "=", id);
    const marks = row.asked === true ? marked(this.#db, this.#effects) : [];
    const notices = events.flatMap((event, n) => noticeOf(space, first + n, event));
    const told = this.#notices.statements(notices);
    await this.#sql.transaction([...[...added, led].map((query) => statement(query)), ...told, ...marks]);
    this.#notices.told(notices);
  }

  /** Of all Spaces or of one, in `[from, to)`, oldest first. */
  async between(
    { from, to, space }: { readonly from: Instant; readonly to: Instant; readonly space: string | undefined },
    limit: number,
  ): Promise<readonly (NumberedEvent & { readonly space: string })[]> {
    const rows = await this.#db
      .selectFrom("spaceEvents")
      .selectAll()
      .where("at", ">=", from)
      .where("at", "<", to)
      .$if(space !== undefined, (query) => query.where("space", "=", space!))
      .orderBy("at")
      .orderBy("space")
      .orderBy("seq")
      .limit(limit)
      .execute();
    return rows.map((row) => ({ ...eventOf(row), space: row.space }));
  }

  /** Newest first; undefined where `before` is not a page token of ours. */
  async list(
    space: string,
    { before, limit: asked }: { readonly before?: string; readonly limit: number },
  ): Promise<Page<NumberedEvent> | undefined> {
    const limit = pageLimit(asked);
    let query = this.#db.selectFrom("spaceEvents").selectAll().where("space", "=", space);
    if (before !== undefined) {
      const place = parsePageToken(before);
      if (!place) return undefined;
      query = query.where("seq", "<", place.order);
    }
    const rows = await query
      .orderBy("seq", "desc")
      .limit(limit + 1)
      .execute();
    return pageOf(rows, limit, ({ seq }) => ({ order: seq, id: space }), eventOf);
  }
}

function noticeOf({ id, release }: Space, seq: number, event: SpaceEvent): readonly Notice[] {
  const { at, from, to, reason, actor } = event;
  if (from === to) return [];
  const { says, code } = reason;
  const data = { space: id, from, to, says, code, by: actor.kind, release };
  return [{ type: "space.state", key: `space/${id}/${seq}`, at, owner: spaceOwner(id), data }];
}

function rowOf(space: string, seq: number, event: SpaceEvent): Row {
  const { at, from, to, reason, actor, deadline, ends, change } = event;
  const { says, code } = reason;
  return {
    space,
    seq,
    at,
    from,
    to,
    says,
    code,
    actor: actor.kind,
    account: actor.account,
    deadline,
    ends,
    change: JSON.stringify(change),
  };
}

function eventOf(row: Row): NumberedEvent {
  return {
    v: 1,
    seq: row.seq,
    at: row.at as Instant,
    from: row.from as StateName,
    to: row.to as StateName,
    reason: { says: row.says, code: row.code },
    actor: { kind: row.actor as Actor["kind"], account: row.account },
    deadline: row.deadline as Instant | null,
    ends: row.ends,
    change: JSON.parse(row.change) as Change,
  };
}
