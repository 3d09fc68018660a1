import assert from "node:assert/strict";
import { test } from "node:test";
import { Catalog } from "../catalog/catalog.ts";
import { memorySql } from "../catalog/memory-sql.ts";
import { accessTokenHash } from "../identity/access-token.ts";
import { instant } from "../stdx/time.ts";
import { bootToken } from "./boot-token.ts";

test("of many starts' tokens the last one holds, and all but the one before are forgotten", async () => {
  let now = 0;
  const clock = { wall: () => instant((now += 1)), monotonic: () => now };
  const random = (count: number): Uint8Array => crypto.getRandomValues(new Uint8Array(count));
  const catalog = await Catalog.open(memorySql(), clock);
  const tokens: string[] = [];
  for (let start = 0; start < 5; start += 1) tokens.push(await bootToken({ catalog, clock, random }));
  const rows = await catalog.tokens.list("admin");
  assert.deepEqual(
    rows.map(({ hash, revokedAt }) => [hash === accessTokenHash(tokens.at(-1) ?? ""), revokedAt === null]),
    [
      [true, true],
      [false, false],
    ],
  );
});
