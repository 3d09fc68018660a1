import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LastLines } from "./lines.ts";

describe("LastLines", () => {
  test("keeps what says something, without colours and npm's own pointers", () => {
    const last = new LastLines();
    for (const line of [
      "1%\r100%",
      "",
      "\u001b[31mboom\u001b[0m",
      "npm error A complete log of this run can be found in: /x",
      "npm notice hi",
    ])
      last.take(line);
    assert.deepEqual(last.all(), ["100%", "boom"]);
  });
});
