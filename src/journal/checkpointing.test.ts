import assert from "node:assert/strict";
import { fdatasyncSync, mkdtempSync, openSync, closeSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { checkpointPages, Checkpoints, logPagesMax, moveLog } from "./checkpointing.ts";

class Written implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "waybill-checkpoints-"));
  readonly file = join(this.folder, "written.db");
  readonly db = new DatabaseSync(this.file);
  readonly failures: Error[] = [];
  readonly checkpoints: Checkpoints;
  readonly #log: number;
  #isOpen = false;
  rows = 0;

  constructor() {
    this.db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0;");
    this.db.exec("CREATE TABLE t (n INTEGER PRIMARY KEY, b BLOB NOT NULL)");
    this.#log = openSync(`${this.file}-wal`, "r");
    const failed = (error: Error): number => this.failures.push(error);
    const between = (): void => {
      if (this.#isOpen) this.db.exec("COMMIT");
      this.#isOpen = false;
    };
    this.checkpoints = new Checkpoints({ db: this.db, file: this.file, between, failed });
  }

  begin(): void {
    this.db.exec("BEGIN");
    this.#isOpen = true;
  }

  insert(): void {
    this.db.prepare("INSERT INTO t VALUES (?, zeroblob(100000))").run(++this.rows);
  }

  /** As the journal's: on the disk before the next one begins. */
  commit(): void {
    if (this.#isOpen) this.db.exec("COMMIT");
    this.#isOpen = false;
    fdatasyncSync(this.#log);
    this.checkpoints.committed();
  }

  get frames(): number {
    return moveLog(this.db, "NOOP")?.frames ?? -1;
  }

  async close(): Promise<void> {
    await this.checkpoints.close();
    this.db.close();
    closeSync(this.#log);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    rmSync(this.folder, { recursive: true });
  }
}

describe("the log, moved into the file beside commits", () => {
  test("it begins anew again and again while commits come without a pause, and all that was committed is in the file", async () => {
    await using up = new Written();
    let begunAnew = 0;
    let longest = 0;
    for (let last = 0; begunAnew < 2;) {
      up.begin();
      up.insert();
      await turn(); // what the thread says is heard while a transaction is open
      up.commit();
      const { frames } = up;
      if (frames < last) begunAnew += 1;
      last = frames;
      longest = Math.max(longest, frames);
      assert.deepEqual(up.failures, []);
      assert.ok(last < logPagesMax, `the log has ${last} frames`);
    }
    assert.ok(longest >= checkpointPages, `moved at ${longest} frames`);
    const { rows } = up;
    using read = new DatabaseSync(up.file, { readOnly: true });
    assert.equal(read.prepare("SELECT count(*) AS count FROM t").get()?.["count"], rows);
    assert.equal(read.prepare("PRAGMA integrity_check").get()?.["integrity_check"], "ok");
  });

  test("who reads keeps it from beginning anew, and it does when the reading is over", async () => {
    await using up = new Written();
    using reader = new DatabaseSync(up.file);
    reader.exec("BEGIN");
    reader.prepare("SELECT count(*) FROM t").get();
    while (up.frames < checkpointPages + 1000) {
      up.insert();
      up.commit();
      await turn();
    }
    reader.exec("COMMIT");
    for (let last = 0; up.frames >= last; await turn()) {
      last = up.frames;
      assert.ok(last < logPagesMax, `the log has ${last} frames`);
      up.insert();
      up.commit();
    }
    assert.deepEqual(up.failures, []);
  });

  test("closed, it leaves no log; without a long one there was no thread to close", async () => {
    for (const rows of [3, 400]) {
      const up = new Written();
      for (let row = 0; row < rows; row++) {
        up.insert();
        up.commit();
      }
      await up.close();
      assert.equal(statSync(`${up.file}-wal`, { throwIfNoEntry: false }), undefined);
      assert.deepEqual(up.failures, []);
      rmSync(up.folder, { recursive: true });
    }
  });
});
