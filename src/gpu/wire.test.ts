import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  endBody,
  event,
  grantedAnswer,
  parseAllow,
  parseRelease,
  parseSchedule,
  problemOf,
  refusedAnswer,
  type Refusal,
} from "./wire.ts";

const parse = (query: string) => parseSchedule(new URLSearchParams(query));
const refusal = (fields: Partial<Refusal>): Refusal => ({
  type: "refuse",
  call: "c_1",
  replica: "p_1",
  code: "gpu/quota-exceeded",
  says: "Too little is left.",
  kind: "quota",
  leftMs: 12_900,
  askedMs: 60_000,
  waitMs: 1_500,
  ...fields,
});
const grant = {
  call: "c_1",
  idle: false,
  nvidiaIndex: 1,
  nvidiaUUID: "GPU-1",
  allowToken: "t",
  leaseMs: 60_000,
  slot: "n1/0/1",
};

describe("parseSchedule", () => {
  test("takes what a spaces client sends", () => {
    const sent =
      "cgroupPath=%2Fp_1&taskId=139872340016&enableQueue=true&tokenVersion=2&durationSeconds=30&gpuSize=xlarge&token=a.b.c";
    assert.deepEqual(parse(sent), {
      ok: true,
      query: { task: "139872340016", declaredMs: 30_000, size: "xlarge", token: "a.b.c", extended: false },
    });
  });

  test("a call without duration, size and token is 60 s of a large GPU for nobody in particular", () => {
    const parsed = parse("cgroupPath=/&taskId=1");
    assert.deepEqual(parsed.ok && [parsed.query.declaredMs, parsed.query.size, parsed.query.token], [
      60_000,
      "large",
      null,
    ]);
  });

  for (const query of [
    "",
    "taskId=a%20b",
    "taskId=1&durationSeconds=1.5",
    "taskId=1&gpuSize=huge",
    `taskId=1&token=${"x".repeat(9_000)}`,
  ]) {
    test(`refuses ${query.slice(0, 40) || "an empty query"}`, () => assert.equal(parse(query).ok, false));
  }
});

describe("the other queries", () => {
  test("allow: a pid is a number", () => {
    assert.equal(parseAllow(new URLSearchParams("allowToken=t&pid=1x")).ok, false);
    assert.deepEqual(parseAllow(new URLSearchParams("allowToken=t&pid=12")), {
      ok: true,
      query: { allowToken: "t", pid: 12 },
    });
  });

  test("release: how the worker ended is said by our SDK and by nobody else", () => {
    const plain = parseRelease(new URLSearchParams("allowToken=t&fail=true"));
    assert.deepEqual(plain.ok && [plain.query.fail, plain.query.outcome, plain.query.signal], [true, null, null]);
    const ours = parseRelease(new URLSearchParams("allowToken=t&fail=true&outcome=lost&signal=SIGKILL"));
    assert.deepEqual(ours.ok && [ours.query.outcome, ours.query.signal], [null, "SIGKILL"]);
    assert.equal(parseRelease(new URLSearchParams("allowToken=t&signal=rm")).ok, false);
  });
});

describe("answers", () => {
  test("a grant holds exactly the four fields that spaces knows, and more for our SDK", () => {
    const body = JSON.parse(grantedAnswer(grant, false).body) as object;
    assert.deepEqual(body, { idle: false, nvidiaIndex: 1, nvidiaUUID: "GPU-1", allowToken: "t" });
    assert.equal((JSON.parse(grantedAnswer(grant, true).body) as { call: string }).call, "c_1");
  });

  for (const [what, fields, status, approve, body] of [
    ["a quota", {}, 429, "quota-exceeded", { left: 12, wait: 2 }],
    ["a quota whose wait is over", { waitMs: 0 }, 429, "quota-exceeded", { left: 12, wait: 1 }],
    ["a quota with more left than asked for", { leftMs: 90_000 }, 429, "quota-exceeded", { left: 59, wait: 2 }],
    [
      "a duration",
      { kind: "duration", code: "gpu/duration-not-allowed" },
      429,
      "illegal-duration",
      { left: 12, wait: -1 },
    ],
    [
      "an account's calls at once",
      { kind: "token", code: "gpu/account-busy" },
      429,
      "pending-overquota-exceeded",
      { left: 12, wait: 0 },
    ],
    ["a token's cap", { kind: "token", code: "gpu/token-cap" }, 429, "runs-exceeded", { left: 12, wait: 0 }],
    [
      "an expired token",
      { kind: "token", code: "identity/expired" },
      401,
      undefined,
      { detail: "Too little is left." },
    ],
    ["no capacity", { kind: "capacity", code: "gpu/no-capacity" }, 503, undefined, { detail: "Too little is left." }],
  ] as const) {
    test(`${what} becomes ${status} ${approve ?? ""}`, () => {
      const answer = refusedAnswer(refusal(fields), false);
      assert.equal(answer.status, status);
      assert.equal(answer.headers["x-approve-result"], approve);
      assert.deepEqual(JSON.parse(answer.body), body);
    });
  }

  test("our SDK gets the same numbers and the problem with its sentence", () => {
    const answer = refusedAnswer(refusal({}), true);
    const body = JSON.parse(answer.body) as Record<string, unknown>;
    assert.equal(answer.headers["content-type"], "application/problem+json");
    assert.deepEqual(
      [body["left"], body["boundary"], body["code"], body["detail"], body["waybill"]],
      [12, "gpu", "quota-exceeded", "Too little is left.", "c_1"],
    );
  });

  test("a code that is not in the list is shown as it came", () => {
    assert.equal(problemOf(refusal({ code: "gpu/new" })).code, "gpu/new");
  });

  test("an event is one line of name, at most one of data, and an empty line", () => {
    assert.equal(event("ping"), "event: ping\n\n");
    assert.equal(event("succeeded", "{}"), "event: succeeded\ndata: {}\n\n");
  });

  test("a release says why the platform ended the worker, and nothing where the function ended by itself", () => {
    assert.deepEqual(JSON.parse(endBody({ cause: "lease-end", says: "Over." })), {
      code: "gpu/lease-expired",
      says: "Over.",
    });
    assert.equal(endBody({ cause: "returned", says: "x" }), "{}");
  });
});
