import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { saysOf } from "../evidence/codes.ts";
import { edgeLine, edgeLinesMost, readEdgeLines, requestOf } from "./edge-lines.ts";
import type { RequestFilter, RequestPage, RequestView } from "./requests.ts";

const at = (second: number): string => new Date(Date.UTC(2026, 10, 30, 12, 0, second)).toISOString();
const request: RequestView = {
  ...{ id: "q_0123456789abcdef", n: 7, at: at(5), method: "GET", path: "/run", query: "a=1", protocol: "HTTP/1.1" },
  ...{ status: 502, answeredBy: "edge", outcome: "failed", code: "route/reset-midway", ms: 1_500, stages: {} },
  ...{ bytesIn: 0, bytesOut: 0, account: "alice", billedBy: "token", replica: "p_1" },
};

const numbered = (n: number, more: Partial<RequestView> = {}): RequestView => ({
  ...request,
  id: `q_${n}`,
  n,
  ...more,
});

/** Reads pages that are given; what was asked for is kept. */
function pagesOf(...pages: readonly (readonly RequestView[])[]) {
  const asked: (RequestFilter & { page: string | undefined })[] = [];
  const read = async ({ filter, page }: { filter: RequestFilter; page: string | undefined }): Promise<RequestPage> => {
    asked.push({ ...filter, page });
    const at = Number(page ?? 0);
    const next = at + 1 < pages.length ? String(at + 1) : null;
    return { items: pages[at] ?? [], next, older: { counted: 0, forgotten: 0 } };
  };
  return { read, asked };
}

describe("the edge's lines that are there", () => {
  test("are those of failures, the oldest first, of a minute before the time that is asked for: a line is of its request's end", async () => {
    const { read, asked } = pagesOf(
      [numbered(2, { at: at(8) }), numbered(1, { at: at(2) })],
      [numbered(0, { at: at(0) })],
    );
    const { lines, newest } = await readEdgeLines(read, { since: at(3) }, saysOf);
    assert.deepEqual([lines.map(requestOf), newest], [["q_1", "q_2"], 2]);
    assert.deepEqual(asked[0], { failed: true, since: "2026-11-30T11:59:03.000Z", page: undefined });
  });

  test("are without those that came into the record while they were read: they come to whoever goes on after the newest", async () => {
    const { read } = pagesOf([numbered(5, { at: at(5) })], [numbered(7, { at: at(4) }), numbered(4, { at: at(3) })]);
    const { lines, newest } = await readEdgeLines(read, {}, saysOf);
    assert.deepEqual([lines.map(requestOf), newest], [["q_4", "q_5"], 5]);
  });

  test("are no more than a bound, and no more pages are asked for", async () => {
    const page = Array.from({ length: edgeLinesMost }, (_, n) => numbered(edgeLinesMost - n));
    const { read, asked } = pagesOf(page, page);
    assert.equal((await readEdgeLines(read, {}, saysOf)).lines.length, edgeLinesMost);
    assert.equal(asked.length, 1);
  });

  test("are of one replica, or have a text, where that is asked for", async () => {
    const { read } = pagesOf([numbered(2, { replica: "p_2" }), numbered(1, { path: "/Other" })]);
    const found = async (asked: object) => (await readEdgeLines(read, asked, saysOf)).lines.map(requestOf);
    assert.deepEqual(await found({ replica: "p_2" }), ["q_2"]);
    assert.deepEqual(await found({ grep: "/other" }), ["q_1"]);
  });
});

describe("a request's line", () => {
  test("says which it was, what stopped it, and its code", () => {
    assert.deepEqual(edgeLine(request, saysOf), [
      {
        ...{ n: 0, at: at(6).replace(".000Z", ".500Z"), source: "edge", stream: "note", replica: "p_1" },
        text: "q_0123456789abcdef: 502 to GET /run?a=1. The connection to the app broke before its answer was whole. (route/reset-midway)",
      },
    ]);
  });

  test("is not there where the platform had no part in how it ended", () => {
    assert.deepEqual(edgeLine({ ...request, status: 500, answeredBy: "app", code: null }, saysOf), []);
  });

  test("says so where nobody was answered, and of a code that a newer server has shows the code", () => {
    const [line] = edgeLine({ ...request, status: 0, query: null, code: "route/of-tomorrow" }, saysOf);
    assert.equal(line?.text, "q_0123456789abcdef: no answer to GET /run. (route/of-tomorrow)");
  });
});
