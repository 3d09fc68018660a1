import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { firstByName, isAskedName, namesAsked, type NamesAsked } from "./name-pages.ts";

const all = ["carol", "alice", "alice-2", "bob"];

/** All names, page by page. */
function pages(limit: number, search?: string): readonly (readonly string[])[] {
  const told: (readonly string[])[] = [];
  for (let page: string | undefined = undefined; told.length < 10;) {
    const asked: NamesAsked | string = namesAsked({ page, search });
    if (typeof asked === "string") assert.fail(asked);
    const found = all.filter((name) => isAskedName(asked, name));
    const { items, next }: ReturnType<typeof firstByName<string>> = firstByName(found, limit, (name) => name);
    told.push(items);
    if (next === null) break;
    page = next;
  }
  return told;
}

describe("a list by name", () => {
  test("is told once and whole in pages of any length, in order, and no page is empty", () => {
    assert.deepEqual(pages(2), [
      ["alice", "alice-2"],
      ["bob", "carol"],
    ]);
    for (const limit of [1, 3, 4, 9]) assert.deepEqual(pages(limit).flat(), all.toSorted(), String(limit));
    assert.equal(pages(4).length, 1);
  });

  test("has what all words stand in, whatever their case and order", () => {
    assert.deepEqual(pages(9, "2 ALI").flat(), ["alice-2"]);
    assert.deepEqual(pages(9, "").flat().length, 4);
  });

  test("says what is wrong with a page that is none of it, and with a search that is too long", () => {
    const says = (page: string | undefined, search: string | undefined): string => {
      const asked = namesAsked({ page, search });
      return typeof asked === "string" ? asked : "";
    };
    assert.match(says("x", undefined), /"x" is no page/);
    assert.match(says(undefined, "x".repeat(201)), /at most 200 characters; this one has 201/);
    assert.equal(says(undefined, "x".repeat(200)), "");
  });
});
