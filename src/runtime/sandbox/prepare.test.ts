import assert from "node:assert/strict";
import { test } from "node:test";
import { hasUsers } from "./prepare.ts";

test("root of the machine has users for Spaces; root of an ordinary user's container has not", () => {
  assert.equal(hasUsers("         0          0 4294967295\n"), true);
  assert.equal(hasUsers("         0       1000          1\n         1     100000      65536\n"), false);
  assert.equal(hasUsers(""), false);
});
