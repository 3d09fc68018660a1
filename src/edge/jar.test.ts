import assert from "node:assert/strict";
import { test } from "node:test";

import { cookieJar } from "./jar.ts";

const mine = cookieJar("wb-aaaa-");
const others = cookieJar("wb-bbbb-");

test("what a Space sets comes back to it as it was, and to no other", () => {
  for (const pair of ["a=1", "a=", "__Host-session=x=y==", "=nameless", "onlyvalue"]) {
    const sent = mine.toVisitor(`${pair}; Path=/; Max-Age=5`).split(";")[0] as string;
    assert.equal(mine.toApp(sent), pair.replace(/^=/, ""));
    assert.equal(others.toApp(sent), "");
  }
});

test("the console's, other Spaces' and those that a script set do not reach the app", () => {
  const cookie = ["waybill_console=1", "wb-bbbb-a=2", "theme=dark", "wb-aaaa-a=3", " wb-aaaa-b=4", "=wb-aaaa-c=5"];
  assert.equal(mine.toApp(cookie.join(";")), "a=3; b=4");
});

test("no script reads one: each is HttpOnly once, its other attributes as they were", () => {
  assert.equal(mine.toVisitor("a=1; Path=/x; httponly; SameSite=Lax"), "wb-aaaa-a=1; Path=/x; SameSite=Lax; HttpOnly");
  assert.equal(mine.toVisitor("a=1"), "wb-aaaa-a=1; HttpOnly");
});
