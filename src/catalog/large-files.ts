/**
 * Large files as the Xet protocol sees them: which xorbs are stored and who may name them, files with their terms, and what a file that came
 * by git-lfs is by Xet. The bytes are elsewhere; a row is here only when they are durable.
 */
import { sql, type ExpressionBuilder } from "kysely";
import type { SqlRunner, SqlStatement } from "../stdx/sql.ts";
import type { Instant } from "../stdx/time.ts";
import { statement, type Database } from "./database.ts";
import { marked } from "./request-keys.ts";
import type { Effects } from "./request-keys.ts";
import type { Schema, XetFilesTable } from "./schema.ts";

export interface XorbRow {
  readonly hash: string;
  /** As it was sent. */
  readonly packedBytes: number;
  /** Of its chunks. */
  readonly bytes: number;
}

/** Who may name a xorb in a file: the account or the repository that brought it, whose bytes it counts among. */
export interface Holder {
  /** As `account/alice` or `spaces/alice/app`. */
  readonly holder: string;
  readonly owner: string;
}

/** A range of a xorb's chunks, `[from, to)`, and how many bytes of the file it has. */
export interface TermRow {
  readonly xorb: string;
  readonly bytes: number;
  readonly from: number;
  readonly to: number;
}

export interface XetFileRow {
  readonly hash: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly terms: readonly TermRow[];
}

/** A file that lies as git-lfs brought it: the lengths of its chunks, by the xorbs that they would be. */
export interface ConversionRow {
  readonly sha256: string;
  readonly hash: string;
  readonly bytes: number;
  readonly xorbs: readonly { readonly hash: string; readonly lengths: readonly number[] }[];
}

/** Holders that may name what they brought, whatever became of the repository: nothing is counted by them. */
const accounts = "account/%";
/** Names in one statement: PostgreSQL takes more, SQLite 32,766. */
const namesAtOnce = 500;

export class LargeFiles {
  readonly #db: Database;
  readonly #sql: SqlRunner;
  readonly #effects: Effects;

  constructor(db: Database, sql: SqlRunner, effects: Effects) {
    this.#db = db;
    this.#sql = sql;
    this.#effects = effects;
  }

  /** A xorb whose bytes are stored, and who brought it. */
  async addXorb(xorb: XorbRow, holders: readonly Holder[], at: Instant): Promise<void> {
    const add = this.#db
      .insertInto("xorbs")
      .values({ ...xorb, storedAt: at })
      .onConflict((conflict) => conflict.column("hash").doNothing());
    await this.#sql.transaction([statement(add), ...this.#holding(xorb.hash, holders, at)]);
  }

  /** Those of these xorbs that one of the holders has. */
  async held(xorbs: readonly string[], holders: readonly string[]): Promise<ReadonlySet<string>> {
    const held = new Set<string>();
    for (let at = 0; at < xorbs.length; at += namesAtOnce) {
      const rows = await this.#db
        .selectFrom("xorbHolders")
        .select("xorb")
        .where("xorb", "in", xorbs.slice(at, at + namesAtOnce))
        .where("holder", "in", [...holders])
        .execute();
      for (const { xorb } of rows) held.add(xorb);
    }
    return held;
  }

  /** Stored bytes of those of these xorbs that were brought to the repository for pull requests alone. */
  async proposedBytes(holder: string, xorbs: readonly string[]): Promise<number> {
    let bytes = 0;
    for (let at = 0; at < xorbs.length; at += namesAtOnce) {
      const some = xorbs.slice(at, at + namesAtOnce);
      const own = this.#db.selectFrom("xorbHolders").select("xorb").where("holder", "=", holder);
      const row = await this.#db
        .selectFrom("xorbs")
        .select(({ fn }) => fn.sum<number | null>("packedBytes").as("bytes"))
        .where("hash", "in", proposedXorbs(this.#db, holder).where("xorb", "in", some))
        .where("hash", "not in", own)
        .executeTakeFirst();
      bytes += Number(row?.bytes ?? 0);
    }
    return bytes;
  }

  /** What was brought for a pull request is the repository's: it counts of its owner, and of nobody else. */
  async takeProposed({ holder, owner }: Holder, xorbs: readonly string[], at: Instant): Promise<void> {
    for (let from = 0; from < xorbs.length; from += namesAtOnce) {
      const some = xorbs.slice(from, from + namesAtOnce);
      const found = await proposedXorbs(this.#db, holder).where("xorb", "in", some).distinct().execute();
      const gone = this.#db.deleteFrom("xorbHolders").where(isProposal(holder)).where("xorb", "in", some);
      const held = found.flatMap(({ xorb }) => this.#holding(xorb, [{ holder, owner }], at));
      await this.#sql.transaction([...held, statement(gone)]);
    }
  }

  /** The account brings files by git-lfs to a repository in which it may not write. */
  async addProposer(account: string, repo: string): Promise<void> {
    await this.#db
      .insertInto("proposers")
      .values({ account, repo })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }

  /** Folders of repositories to which it has brought some. */
  async proposedTo(account: string): Promise<readonly string[]> {
    const rows = await this.#db.selectFrom("proposers").select("repo").where("account", "=", account).execute();
    return rows.map(({ repo }) => repo);
  }

  async proposers(): Promise<readonly string[]> {
    const rows = await this.#db.selectFrom("proposers").select("account").distinct().execute();
    return rows.map(({ account }) => account);
  }

  /**
   * A file whose bytes are what its row says, and who brought it: they hold its xorbs from now on. `chunks`: by which others may find the
   * xorbs.
   */
  async addFile(
    { terms, ...file }: XetFileRow,
    {
      holders,
      chunks,
      at,
    }: { readonly holders: readonly Holder[]; readonly chunks: readonly ChunkPlace[]; readonly at: Instant },
  ): Promise<void> {
    const add = this.#db
      .insertInto("xetFiles")
      .values({ ...file, terms: termsText(terms), storedAt: at })
      // Its age counts from now: somebody wants it.
      .onConflict((conflict) => conflict.column("hash").doUpdateSet({ storedAt: at }));
    const xorbs = [...new Set(terms.map(({ xorb }) => xorb))];
    const links = xorbs.map((xorb) =>
      statement(
        this.#db
          .insertInto("xetFileXorbs")
          .values({ xorb, file: file.hash })
          .onConflict((conflict) => conflict.columns(["xorb", "file"]).doNothing()),
      ),
    );
    const places = chunks.map((place) =>
      statement(
        this.#db
          .insertInto("xetChunks")
          .values(place)
          .onConflict((conflict) => conflict.columns(["chunk", "xorb"]).doNothing()),
      ),
    );
    const held = xorbs.flatMap((xorb) => this.#holding(xorb, holders, at));
    await this.#sql.transaction([statement(add), ...links, ...places, ...held]);
  }

  async file(hash: string): Promise<XetFileRow | undefined> {
    const row = await this.#db.selectFrom("xetFiles").selectAll().where("hash", "=", hash).executeTakeFirst();
    return row && fileOf(row);
  }

  /** Of the file of that hash of Xet, without what it is made of. */
  async fileSha256(hash: string): Promise<string | undefined> {
    const row = await this.#db.selectFrom("xetFiles").select("sha256").where("hash", "=", hash).executeTakeFirst();
    return row?.sha256;
  }

  /** In the order of their hashes, after that one. */
  async files(after: string, limit: number): Promise<readonly XetFileRow[]> {
    const rows = await this.#db
      .selectFrom("xetFiles")
      .selectAll()
      .where("hash", ">", after)
      .orderBy("hash")
      .limit(limit)
      .execute();
    return rows.map(fileOf);
  }

  /** A xorb that has the chunk and that one of the holders has. */
  async xorbOfChunk(chunk: string, holders: readonly string[]): Promise<string | undefined> {
    const row = await this.#db
      .selectFrom("xetChunks")
      .innerJoin("xorbHolders", "xorbHolders.xorb", "xetChunks.xorb")
      .select("xetChunks.xorb")
      .where("chunk", "=", chunk)
      .where("holder", "in", [...holders])
      .executeTakeFirst();
    return row?.xorb;
  }

  /** Xorbs of the files that have this one, itself among them, as far as one of the holders has them. */
  async beside(xorb: string, holders: readonly string[], limit: number): Promise<readonly string[]> {
    const rows = await this.#db
      .selectFrom("xetFileXorbs as own")
      .innerJoin("xetFileXorbs as other", "other.file", "own.file")
      .innerJoin("xorbHolders", "xorbHolders.xorb", "other.xorb")
      .select("other.xorb")
      .distinct()
      .where("own.xorb", "=", xorb)
      .where("holder", "in", [...holders])
      .orderBy("other.xorb")
      .limit(limit)
      .execute();
    return rows.map((row) => row.xorb);
  }

  /** Somebody was told of these, and may name them for a while. */
  async touch(xorbs: readonly string[], holders: readonly string[], at: Instant): Promise<void> {
    await this.#db
      .updateTable("xorbHolders")
      .set({ at })
      .where("xorb", "in", [...xorbs])
      .where("holder", "in", [...holders])
      .execute();
  }

  /** Worked out from a file at that instant; where another's was before, it is known of both from now on. */
  async keepConversion({ xorbs, ...row }: ConversionRow, at: Instant): Promise<void> {
    const text = JSON.stringify(xorbs.map(({ hash, lengths }) => [hash, lengths]));
    await this.#db
      .insertInto("lfsConversions")
      .values({ ...row, xorbs: text, madeAt: at })
      .onConflict((conflict) => conflict.column("sha256").doUpdateSet({ madeAt: at }))
      .execute();
  }

  /** By the file's SHA-256, or by its hash of Xet. */
  async conversion(by: { readonly sha256: string } | { readonly hash: string }): Promise<ConversionRow | undefined> {
    const all = this.#db.selectFrom("lfsConversions").selectAll();
    const row = await (
      "sha256" in by ? all.where("sha256", "=", by.sha256) : all.where("hash", "=", by.hash)
    ).executeTakeFirst();
    if (row === undefined) return undefined;
    const xorbs = (JSON.parse(row.xorbs) as [string, number[]][]).map(([hash, lengths]) => ({ hash, lengths }));
    return { sha256: row.sha256, hash: row.hash, bytes: row.bytes, xorbs };
  }

  /** The hash alone, of which a list of files needs many, where it was worked out then or later. */
  async convertedHash(sha256: string, since: Instant): Promise<string | undefined> {
    const row = await this.#db
      .selectFrom("lfsConversions")
      .select("hash")
      .where("sha256", "=", sha256)
      .where("madeAt", ">=", since)
      .executeTakeFirst();
    return row?.hash;
  }

  /** Forgets a file that nobody has brought since then; false where somebody has. */
  async forgetFile(hash: string, before: Instant): Promise<boolean> {
    const unwanted = this.#db
      .selectFrom("xetFiles")
      .select("hash")
      .where("storedAt", "<", before)
      .where("hash", "=", hash);
    const [, gone] = await this.#sql.transaction([
      statement(this.#db.deleteFrom("xetFileXorbs").where("file", "in", unwanted)),
      statement(this.#db.deleteFrom("xetFiles").where("hash", "=", hash).where("storedAt", "<", before)),
    ]);
    return gone?.changes === 1;
  }

  /** Forgets a xorb that is in no file and that nobody was told of since then; whether nothing is known of it now. */
  async forgetXorb(hash: string, before: Instant): Promise<boolean> {
    const used = this.#db.selectFrom("xetFileXorbs").select("xorb").where("xorb", "=", hash);
    const told = this.#db.selectFrom("xorbHolders").select("xorb").where("xorb", "=", hash).where("at", ">=", before);
    const unneeded = this.#db
      .selectFrom("xorbs")
      .select("hash")
      .where("hash", "=", hash)
      .where("hash", "not in", used)
      .where("hash", "not in", told);
    // By one rule, which still holds when the rows that refer to it are gone.
    await this.#sql.transaction([
      statement(this.#db.deleteFrom("xetChunks").where("xorb", "in", unneeded)),
      statement(this.#db.deleteFrom("xorbHolders").where("xorb", "in", unneeded)),
      statement(this.#db.deleteFrom("xorbs").where("hash", "in", unneeded)),
    ]);
    return (await this.xorb(hash)) === undefined;
  }

  async xorb(hash: string): Promise<XorbRow | undefined> {
    const row = await this.#db.selectFrom("xorbs").selectAll().where("hash", "=", hash).executeTakeFirst();
    return row && { hash: row.hash, packedBytes: row.packedBytes, bytes: row.bytes };
  }

  /** In the order of their hashes, after that one. */
  async xorbs(after: string, limit: number): Promise<readonly XorbRow[]> {
    const rows = await this.#db
      .selectFrom("xorbs")
      .select(["hash", "packedBytes", "bytes"])
      .where("hash", ">", after)
      .orderBy("hash")
      .limit(limit)
      .execute();
    return rows.map(({ hash, packedBytes, bytes }) => ({ hash, packedBytes, bytes }));
  }

  /** Stored bytes of xorbs by whose repositories they are in; one that several have brought is counted of each. */
  async usage(): Promise<ReadonlyMap<string, number>> {
    const each = this.#db
      .selectFrom("xorbHolders")
      .innerJoin("xorbs", "xorbs.hash", "xorbHolders.xorb")
      .select(["xorbHolders.owner", "xorbs.hash", "xorbs.packedBytes"])
      .where("xorbHolders.holder", "not like", accounts)
      .distinct()
      .as("each");
    const rows = await this.#db
      .selectFrom(each)
      .select(({ fn }) => ["owner", fn.sum<number>("packedBytes").as("bytes")])
      .groupBy("owner")
      .execute();
    return new Map(rows.map(({ owner, bytes }) => [owner, Number(bytes)]));
  }

  async usageOf(owner: string): Promise<number> {
    const own = this.#db
      .selectFrom("xorbHolders")
      .select("xorb")
      .where("owner", "=", owner)
      .where("holder", "not like", accounts);
    const row = await this.#db
      .selectFrom("xorbs")
      .select(({ fn }) => fn.sum<number | null>("packedBytes").as("bytes"))
      .where("hash", "in", own)
      .executeTakeFirst();
    return Number(row?.bytes ?? 0);
  }

  /** What an operator gave the account; undefined where nothing was. */
  async limit(account: string): Promise<number | undefined> {
    const row = await this.#db
      .selectFrom("storageLimits")
      .select("maxBytes")
      .where("account", "=", account)
      .executeTakeFirst();
    return row?.maxBytes;
  }

  async limits(): Promise<ReadonlyMap<string, number>> {
    const rows = await this.#db.selectFrom("storageLimits").select(["account", "maxBytes"]).execute();
    return new Map(rows.map(({ account, maxBytes }) => [account, maxBytes]));
  }

  /** The account must exist. Null: what all have. */
  async setLimit(account: string, maxBytes: number | null, at: Instant): Promise<void> {
    const change =
      maxBytes === null
        ? statement(this.#db.deleteFrom("storageLimits").where("account", "=", account))
        : statement(
            this.#db
              .insertInto("storageLimits")
              .values({ account, maxBytes, setAt: at })
              .onConflict((conflict) => conflict.column("account").doUpdateSet({ maxBytes, setAt: at })),
          );
    await this.#sql.transaction([change, ...marked(this.#db, this.#effects)]);
  }

  #holding(xorb: string, holders: readonly Holder[], at: Instant): readonly SqlStatement[] {
    return holders.map(({ holder, owner }) =>
      statement(
        this.#db
          .insertInto("xorbHolders")
          .values({ xorb, holder, owner, at })
          .onConflict((conflict) => conflict.columns(["xorb", "holder"]).doUpdateSet({ at, owner })),
      ),
    );
  }
}

/** A chunk by which a xorb may be found. */
export interface ChunkPlace {
  readonly chunk: string;
  readonly xorb: string;
}

function fileOf({ hash, sha256, bytes, terms }: XetFilesTable): XetFileRow {
  return { hash, sha256, bytes, terms: readTerms(terms) };
}

/** Each xorb's name once: a file that was changed a little has thousands of terms in few xorbs. */
function termsText(terms: readonly TermRow[]): string {
  const xorbs = [...new Set(terms.map(({ xorb }) => xorb))];
  const places = new Map(xorbs.map((xorb, n) => [xorb, n]));
  return JSON.stringify([xorbs, terms.map(({ xorb, bytes, from, to }) => [places.get(xorb), bytes, from, to])]);
}

function readTerms(text: string): readonly TermRow[] {
  const [xorbs, terms] = JSON.parse(text) as [string[], [number, number, number, number][]];
  return terms.map(([place, bytes, from, to]) => ({ xorb: xorbs[place] as string, bytes, from, to }));
}

/** By which a repository may name what it brought. */
export function holderOf({ kind, id }: { readonly kind: string; readonly id: string }): string {
  return `${kind}/${id}`;
}

/**
 * By which one who may not write to the repository names what that account itself brought there for pull requests, and nothing else of it.
 * No name of a repository has this character.
 */
export function proposalHolder(holder: string, account: string): string {
  return `${holder}${proposedMark}${account}`;
}

const proposedMark = "#";
/** The character after it: all that begins so is between the two. */
const afterMark = "$";

/** Whether it is one by which somebody names what was proposed to that one. */
const isProposal = (holder: string) => (is: ExpressionBuilder<Schema, "xorbHolders">) =>
  is.and([is("holder", ">", `${holder}${proposedMark}`), is("holder", "<", `${holder}${afterMark}`)]);

function proposedXorbs(db: Database, holder: string) {
  return db.selectFrom("xorbHolders").select("xorb").where(isProposal(holder));
}

/** The repository is gone: what was brought to it is not counted any more, and may be named for a while by the accounts alone. */
export function droppingHolder(db: Database, holder: string): readonly SqlStatement[] {
  const all = db.deleteFrom("xorbHolders");
  return [statement(all.where("holder", "=", holder)), statement(all.where(isProposal(holder)))];
}

/** The repository has another name, which had none, or another owner; what was proposed to it is still its proposers'. */
export function movingHolder(db: Database, from: string, to: Holder): readonly SqlStatement[] {
  const all = db.updateTable("xorbHolders");
  const rest = sql<string>`${to.holder} || substr(holder, ${sql.lit(from.length + 1)})`;
  return [
    statement(all.set(to).where("holder", "=", from)),
    statement(all.set({ holder: rest }).where(isProposal(from))),
  ];
}
