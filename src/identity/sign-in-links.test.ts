import assert from "node:assert/strict";
import { test } from "node:test";
import { prng } from "../stdx/prng.ts";
import { linkLastsMs, SignInLinks } from "./sign-in-links.ts";

function world() {
  const state = { now: 0 };
  const random = prng(7);
  return { state, links: new SignInLinks({ monotonic: () => state.now }, (count) => random.bytes(count)) };
}

test("a link signs in once, as whom it was made for, until its minutes are over", () => {
  const { state, links } = world();
  const [first, second] = [links.make("admin"), links.make("alice")];
  assert.match(first, /^.{32}$/);
  assert.notEqual(first, second);
  assert.deepEqual([links.take(first), links.take(first), links.take(second)], ["admin", undefined, "alice"]);
  const third = links.make("admin");
  state.now = linkLastsMs;
  assert.equal(links.take(third), undefined);
});

test("what is no link's code opens nothing, and no more than a hundred hold", () => {
  const { links } = world();
  const first = links.make("admin");
  for (const code of ["", "x", first.slice(1), `${first} `, first.toUpperCase()])
    assert.equal(links.take(code), undefined, code);
  const later = Array.from({ length: 100 }, () => links.make("alice"));
  assert.equal(links.take(first), undefined);
  assert.deepEqual(new Set(later.map((code) => links.take(code))), new Set(["alice"]));
});
