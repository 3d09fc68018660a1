import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ConnectionTable } from "./connections.ts";

const name = (connection: number, epoch = 1) => ({ emitter: "edge", epoch, connection });
const limits = { connections: 2, refused: 2, epochs: 2 };

describe("ConnectionTable", () => {
  test("C1: a name is opened at most once, in each epoch", () => {
    const table = new ConnectionTable();
    assert.ok(table.open(name(1)));
    assert.equal(table.open(name(1)), undefined);
    assert.ok(table.open(name(1, 2)));
  });

  test("C2: a name that was answered unknown is refused afterwards", () => {
    const table = new ConnectionTable();
    assert.deepEqual(table.ask(name(5)), { is: "unknown" });
    assert.equal(table.open(name(5)), undefined);
    assert.ok(table.open(name(6)));
  });

  test("C2: also when the list of such names is full", () => {
    const table = new ConnectionTable(limits);
    for (const number of [5, 6, 7, 8]) table.ask(name(number));
    for (const number of [5, 6, 7, 8]) assert.equal(table.open(name(number)), undefined, `${number}`);
    assert.ok(table.open(name(9)));
  });

  test("C3: of a connection that the table had to drop nothing is said", () => {
    const table = new ConnectionTable(limits);
    for (const number of [1, 2]) {
      const connection = table.open(name(number));
      assert.ok(connection);
      connection.closed = true;
    }
    assert.ok(table.open(name(3)));
    assert.deepEqual(table.ask(name(1)), { is: "forgotten" });
    assert.equal(table.ask(name(2)).is, "known");
    assert.deepEqual(table.ask(name(4)), { is: "unknown" });
  });

  test("a table full of open connections takes no more, and says of the refused one that it never arrived", () => {
    const table = new ConnectionTable(limits);
    table.open(name(1));
    table.open(name(2));
    assert.equal(table.open(name(3)), undefined);
    assert.deepEqual(table.ask(name(3)), { is: "unknown" });
  });

  test("an epoch too many takes the place of the oldest whose connections are closed; that one is served no more", () => {
    const table = new ConnectionTable(limits);
    table.open(name(1, 1));
    const old = table.open(name(1, 2));
    assert.equal(table.open(name(1, 3)), undefined, "both others have an open connection");
    assert.ok(old);
    old.closed = true;
    assert.ok(table.open(name(1, 3)));
    assert.equal(table.open(name(2, 2)), undefined);
    assert.deepEqual(table.ask(name(1, 2)), { is: "forgotten" });
    assert.equal(table.ask(name(1, 1)).is, "known", "one with an open connection stays");
  });
});
