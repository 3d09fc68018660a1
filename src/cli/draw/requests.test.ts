/** Requests, what is counted of them, and who asked for access, at 100 and at 60 columns. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { AccessRequestView } from "../../contract/access.ts";
import type { RequestCount, RequestView } from "../../contract/requests.ts";
import { drawAccessRequests } from "./access.ts";
import type { Paper } from "./paper.ts";
import { drawCounts, drawRequests } from "./requests.ts";

const wide: Paper = { width: 100, zone: "UTC", color: false };
const text = (...lines: string[]): string => `${lines.join("\n")}\n`;
const narrow: Paper = { ...wide, width: 60 };
const at = "2026-11-30T12:00:00.000Z";
const request: RequestView = {
  ...{ id: "q_0123456789abcdef", n: 7, at, method: "GET", path: "/run", query: "a=1", protocol: "HTTP/1.1" },
  ...{ status: 502, answeredBy: "edge", outcome: "failed", code: "route/reset-midway", ms: 1_500, stages: {} },
  ...{ bytesIn: 0, bytesOut: 0, account: "alice", billedBy: "token", replica: "p_1" },
};
const count: RequestCount = {
  ...{ at, method: "GET", route: "/file/*", status: 2, answeredBy: "app", count: 40, bytesIn: 0, bytesOut: 4_000 },
  ...{ ms: 400, msMax: 90 },
};
const asked: AccessRequestView = {
  requestId: "ar_1",
  user: { _id: "1", user: "bob", fullname: "bob", avatarUrl: "", isPro: false, type: "user" },
  status: "pending",
  timestamp: at,
  fields: { Company: "Works of an unusually long name, and Sons" },
};

describe("tables of the record and of gates", () => {
  test("at 100 columns have every column", () => {
    assert.equal(
      drawRequests(wide, [request]),
      text(
        "TIME          METHOD  PATH      STATUS  BY      MS  ACCOUNT  CODE                ID",
        "12:00:00.000  GET     /run?a=1     502  edge  1500  alice    route/reset-midway  q_0123456789abcdef",
      ),
    );
    assert.equal(
      drawCounts(wide, [count]),
      text(
        "MINUTE        METHOD  ROUTE    STATUS  BY   COUNT  MS EACH  MOST",
        "12:00:00.000  GET     /file/*  2xx     app     40       10    90",
      ),
    );
    assert.equal(
      drawAccessRequests(wide, [asked], "pending"),
      text(
        "ACCOUNT  STATUS   SINCE         DECIDED BY  ANSWERS",
        "bob      pending  30 Nov 12:00              Company: Works of an unusually long name, and Sons",
      ),
    );
  });

  test("at 60 columns drop columns, keep every line within the width, and cut no id", () => {
    assert.equal(
      drawRequests(narrow, [request]),
      text("TIME          STATUS  BY    ID", "12:00:00.000     502  edge  q_0123456789abcdef"),
    );
    assert.equal(
      drawCounts(narrow, [count]),
      text(
        "MINUTE        METHOD  ROUTE    STATUS  BY   COUNT  MS EACH",
        "12:00:00.000  GET     /file/*  2xx     app     40       10",
      ),
    );
    assert.equal(
      drawAccessRequests(narrow, [asked], "pending"),
      text("ACCOUNT  STATUS   SINCE", "bob      pending  30 Nov 12:00"),
    );
  });
});
