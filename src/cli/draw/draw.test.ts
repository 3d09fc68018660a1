/** Golden drawings at 60 and 100 columns, in UTC, without colour but where colour is the point. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { LogLine } from "../../contract/agent.ts";
import type { BoardView, CallView, QueueView, QuotaView } from "../../contract/api.ts";
import type { Entry } from "../../evidence/entry.ts";
import type { Explanation } from "../../evidence/verdict.ts";
import { drawError } from "./error.ts";
import { drawExplanation } from "./explain.ts";
import { lengthOf, secondsOf } from "./paper.ts";
import type { Paper } from "./paper.ts";
import { drawPools, drawRoute } from "./pools.ts";
import { drawReceiptKeys, drawStatement } from "./receipt.ts";
import { drawBoard, drawCalls, drawLogLine, drawPool, drawQueue, drawQuota, drawQuote } from "./views.ts";

const wide: Paper = { width: 100, zone: "UTC", color: false };
const narrow: Paper = { ...wide, width: 60 };
const text = (...lines: string[]): string => `${lines.join("\n")}\n`;

const pool = {
  name: "main",
  simulated: true,
  devices: 2,
  troubled: 0,
  drained: 0,
  slots: 4,
  leased: 4,
  waiting: 1,
  queueLimitMs: 60_000,
  queueMax: 100,
  durationMaxMs: 120_000,
  attachWithinMs: 30_000,
  admission: "clip",
  spaceCallsMax: null,
  tokenMaxCalls: 64,
  tokenMaxGpuMs: null,
  shareHalfLifeMs: 3_600_000,
  oldestEvery: 16,
} as const;
const waiting = {
  position: 1,
  of: 1,
  estimateMs: 22_000,
  errorMs: null,
  basis: "usual lengths",
  blockers: [
    { kind: "slots", says: "slot" },
    { kind: "share", says: "fair share" },
  ],
  says: "",
};
const queue: QueueView = {
  pool,
  pools: [pool],
  calls: [
    {
      call: "c_31f0000000000000",
      pool: "main",
      account: "alice",
      space: "alice/demo",
      size: "large",
      holdsMs: 10_000,
      waitedMs: 8_000,
      waiting,
    },
  ],
};

describe("drawQueue", () => {
  test("at 100 columns has every column", () => {
    assert.equal(
      drawQueue(wide, queue),
      text(
        "main (simulated): 4 of 4 slots leased, 1 waiting, limit 60 s",
        "#  CALL                ACCOUNT  SPACE       SIZE   HOLDS  WAITED  STARTS  WAITS FOR",
        "1  c_31f0000000000000  alice    alice/demo  large   10 s     8 s   ~22 s  slot; fair share",
      ),
    );
  });
  test("at 60 columns drops columns and cuts no id", () => {
    assert.equal(
      drawQueue(narrow, queue),
      text(
        "main (simulated): 4 of 4 slots leased, 1 waiting, limit 60 s",
        "#  CALL                WAITED  STARTS  WAITS FOR",
        "1  c_31f0000000000000     8 s   ~22 s  slot; fair share",
      ),
    );
  });
});

test("the queue of several pools names each, and the pool of each call", () => {
  const [call] = queue.calls;
  assert.ok(call);
  const fast = { ...pool, name: "fast", leased: 0, waiting: 0 };
  assert.equal(
    drawQueue(narrow, { pool: fast, pools: [fast, pool], calls: [call] }),
    text(
      "fast (simulated): 0 of 4 slots leased, 0 waiting, limit 60 s",
      "main (simulated): 4 of 4 slots leased, 1 waiting, limit 60 s",
      "#  CALL                POOL  STARTS  WAITS FOR",
      "1  c_31f0000000000000  main   ~22 s  slot; fair share",
    ),
  );
});

test("one of a thing is told as one", () => {
  const of = { account: "alice", month: "2026-11", from: "", until: "", below: 2, more: false, removedUntil: null };
  const told = drawStatement(wide, { ...of, calls: 1, usedMs: 750, chargedMs: 750, creditsMs: 0, lines: [] });
  assert.equal(told, "alice, 2026-11  1 call, 0.75 s charged\n");
  const key = { kty: "OKP", crv: "Ed25519", x: "", verifier: "" } as const;
  const keys = [
    { ...key, kid: "a", from: 0, until: 1 },
    { ...key, kid: "b", from: 1, until: null },
  ];
  assert.match(
    drawReceiptKeys(wide, { origin: "waybill/log", keys }),
    /signed checkpoints of 0 to 1 receipt\n.*signs now, from 1 receipt on\n/,
  );
  assert.match(drawPool(wide, { ...pool, devices: 1 }), /slots leased on 1 card, /);
});

test("pools are listed with what is leased and who waits; a rule says where calls go and when they move on", () => {
  assert.equal(
    drawPools(narrow, { pools: [pool] }),
    text(
      "POOL              CARDS  LEASED  WAITING  OUT OF USE",
      "main (simulated)      2  4 of 4        1           0",
    ),
  );
  assert.equal(
    drawRoute("alice/demo", { pools: ["fast", "main"], moveAfterMs: 20_000 }),
    "alice/demo: calls go to the first of fast, main that can take them; one that waits moves on after 20 s\n",
  );
  assert.match(drawRoute("bob", { pools: [], moveAfterMs: null }), /^bob: no rule; /);
});

describe("drawBoard", () => {
  const board: BoardView = {
    slots: [
      {
        slot: "n1/0/0",
        device: "gpu0",
        simulated: true,
        trouble: null,
        drain: null,
        stage: "leased",
        space: "lab/sdxl",
        account: "carol",
        call: "c_31a",
        forMs: 41_000,
        leaseMs: 60_000,
      },
      {
        slot: "n1/0/1",
        device: "gpu0",
        simulated: true,
        trouble: null,
        drain: null,
        stage: "free",
        space: null,
        account: null,
        call: null,
        forMs: 3_000,
        leaseMs: null,
      },
    ],
  };
  test("at 100 columns draws how much of each lease is over", () => {
    assert.equal(
      drawBoard(wide, board),
      text(
        "SLOT                LEASE         STAGE   SPACE     ACCOUNT  CALL            FOR",
        "n1/0/0 (simulated)  ########----  leased  lab/sdxl  carol    c_31a  41 s of 60 s",
        "n1/0/1 (simulated)  ------------  free                                       3 s",
      ),
    );
  });
  test("at 60 columns keeps slot, stage, Space and call", () => {
    assert.equal(
      drawBoard(narrow, board),
      text(
        "SLOT                STAGE   SPACE     CALL            FOR",
        "n1/0/0 (simulated)  leased  lab/sdxl  c_31a  41 s of 60 s",
        "n1/0/1 (simulated)  free                              3 s",
      ),
    );
  });
});

describe("drawCalls", () => {
  const call: CallView = {
    id: "c_31f0000000000000",
    at: "2026-11-22T12:00:07.311Z",
    account: "alice",
    space: "alice/demo",
    request: null,
    stage: "ended",
    outcome: "refused",
    code: "gpu/queue-timeout",
    size: "large",
    declaredMs: 10_000,
    heldMs: 10_000,
    queuedMs: 3_002,
    usedMs: 0,
    chargedMs: 0,
    receipt: "r_7kq0000000000000",
    waiting: null,
  };
  test("at 100 columns", () => {
    assert.equal(
      drawCalls(wide, [call]),
      text(
        "TIME          CALL                SPACE       ENDED              HOLDS   QUEUED  USED  CHARGED",
        "12:00:07.311  c_31f0000000000000  alice/demo  gpu/queue-timeout   10 s  3.002 s   0 s      0 s",
      ),
    );
  });
  test("at 60 columns", () => {
    assert.equal(
      drawCalls(narrow, [call]),
      text(
        "CALL                SPACE       ENDED              CHARGED",
        "c_31f0000000000000  alice/demo  gpu/queue-timeout      0 s",
      ),
    );
  });
});

test("a quote says what would be held and when it would start, or what would stop it", () => {
  const quote = {
    pool: "main",
    admitted: true,
    heldMs: 40_000,
    leaseMs: 20_000,
    clipped: true,
    usual: null,
    paidBy: "alice",
    creditsMs: 15_000,
    waiting: null,
    passed: [],
    refused: null,
    index: 1,
  };
  assert.match(
    drawQuote({ ...quote, pool: "slow", passed: [{ pool: "fast", code: "gpu/queue-full" }] }),
    / It would start at once\. Pool slow would serve it, since fast lets no more calls wait\.\n$/,
  );
  assert.equal(
    drawQuote(quote),
    "It would hold 40 s and could run for 20 s, less than it declares. alice would pay, 15 s of it with credits. It would start at once.\n",
  );
  assert.match(
    drawQuote({ ...quote, usual: { runs: 1, medianMs: 400, p90Ms: 400 } }),
    /less than it declares\. It usually costs 0\.4 s \(its one run\)\. alice would pay/,
  );
  assert.match(
    drawQuote({ ...quote, usual: { runs: 32, medianMs: 3_000, p90Ms: 9_000 } }),
    / It usually costs 3 s \(half of 32 runs at most\)\. /,
  );
  const refused = { code: "gpu/quota-exceeded", says: "Too little is left." };
  assert.equal(
    drawQuote({ ...quote, admitted: false, refused }),
    "It would be refused (gpu/quota-exceeded): Too little is left.\n",
  );
});

describe("drawQuota", () => {
  const quota: QuotaView = {
    account: "alice",
    tier: "free",
    usedMs: 42_000,
    heldMs: 10_000,
    limitMs: 300_000,
    leftMs: 248_000,
    creditsMs: 0,
    allowances: [],
    resetsAt: "2026-11-22T18:04:00.000Z",
    windowMs: 86_400_000,
    runs: 3,
    runsMax: null,
    calls: 1,
    callsMax: null,
    durationMaxMs: null,
    index: 1,
  };
  test("shows runs and calls at once where the tier bounds them", () => {
    assert.match(drawQuota(narrow, { ...quota, runsMax: 100 }), /\n3 of 100 runs\n$/);
    assert.match(drawQuota(narrow, { ...quota, limitMs: null, callsMax: 4 }), /no limit\n1 of 4 calls at once\n$/);
    assert.match(
      drawQuota(narrow, { ...quota, runsMax: 100, callsMax: 4 }),
      /\n3 of 100 runs, 1 of 4 calls at once\n$/,
    );
  });
  test("shows a sum that adds up, and when the window ends", () => {
    assert.equal(
      drawQuota(narrow, quota),
      text(
        "alice (free): 300 s = 42 s used + 10 s held + 248 s left",
        "[#####=------------------------------]  resets 22 Nov 18:04",
      ),
    );
  });
  test("says of credits that calls still hold by whom they were taken back", () => {
    const at = "2026-11-22T12:00:00.000Z";
    const given = {
      id: "al_1",
      kind: "credits",
      ms: 60_000,
      usedMs: 0,
      heldMs: 10_000,
      policy: null,
      until: null,
    } as const;
    const revoked = { by: "eve", reason: "a mistake", at };
    const allowances = [{ ...given, by: "admin", reason: "won", at, revoked }];
    assert.match(
      drawQuota(narrow, { ...quota, allowances }),
      /al_1 {2}60 s of credits, 0 s used; by admin: won; taken back by eve: a mistake\n$/,
    );
  });
  test("of an account without a limit has no bar", () => {
    assert.equal(
      drawQuota(narrow, { ...quota, tier: "unlimited", limitMs: null, leftMs: null }),
      text("alice (unlimited): 42 s used, 10 s held, no limit"),
    );
  });
});

describe("drawError", () => {
  const problem = {
    type: "about:blank",
    title: "x",
    status: 422,
    detail: "install ended with exit code 1",
    boundary: "build",
    code: "step-failed",
    owner: "app",
    retry: "never",
    next: "Correct line 3 and deploy again.",
    waybill: "b_9k2",
  } as const;
  const details = {
    where: "build.step install",
    because: ["requirements.txt line 3: torch==9.9.9 does not exist"],
    evidence: "b_9k2, log lines 208-212",
    charged: "nothing",
  };
  test("at 100 columns", () => {
    assert.equal(
      drawError(wide, problem, details),
      text(
        "error[build/step-failed]: install ended with exit code 1",
        "  where     build.step install; owner ● app",
        "  because   requirements.txt line 3: torch==9.9.9 does not exist",
        "  evidence  b_9k2, log lines 208-212",
        "  charged   nothing",
        "  try       Correct line 3 and deploy again; all of it: waybill explain b_9k2",
      ),
    );
  });
  test("at 60 columns wraps beside its labels", () => {
    assert.equal(
      drawError(narrow, problem),
      text(
        "error[build/step-failed]: install ended with exit code 1",
        "  where     owner ● app",
        "  evidence  b_9k2",
        "  try       Correct line 3 and deploy again; all of it:",
        "            waybill explain b_9k2",
      ),
    );
  });
  test("colours only what also has a word", () => {
    assert(
      drawError({ ...wide, color: true }, problem).startsWith("\u001b[31merror[build/step-failed]\u001b[39m: install"),
    );
  });
});

const entry = (seq: number, hop: Entry["hop"], mark: Entry["mark"], at: string, facts: Entry["facts"]): Entry => ({
  id: `scheduler/1/${seq}`,
  work: "c_322",
  hop,
  mark,
  emitter: "scheduler",
  epoch: 1,
  seq,
  at: `2026-11-22T12:0${at}Z`,
  facts,
});

describe("drawExplanation", () => {
  const explanation: Explanation = {
    id: "c_322",
    kind: "call",
    outcome: "refused",
    sentence: "No GPU became free within 60 s.",
    verdict: {
      boundary: "gpu",
      code: "queue-timeout",
      owner: "platform",
      certainty: "proved",
      sentence: "No GPU became free within the 60 s limit of pool main.",
      retry: "later",
      next: "`waybill gpu queue main` shows the queue.",
      facts: ["scheduler/1/8", "scheduler/1/9"],
      inferred: [],
      ruledOut: { identity: ["scheduler/1/8"] },
      ruledOutBecause: { identity: "alice was verified" },
      charge: { chargedMs: 0, heldMs: 60_000, releasedMs: 60_000, receipt: "r_7kq" },
      known: null,
    },
    entries: [
      entry(8, "gpu.admit", "done", "0:07.311", { heldMs: 60_000, account: "alice" }),
      entry(9, "gpu.queue", "took", "0:07.312", { position: 3, because: [] }),
      entry(10, "gpu.queue", "refused", "1:07.402", { code: "gpu/queue-timeout" }),
    ],
    gaps: [{ emitter: "shim-r1", epoch: 2, from: 12, to: 15, why: "the shim was killed" }],
    links: [],
    read: { journal: 48_213, evidence: 120 },
  };
  const verdict = [
    "verdict    gpu / queue-timeout, proved",
    "owner      ■ platform: No GPU became free within the 60 s limit of pool main.",
    "charged    0 s of 60 s held; 60 s given back (receipt r_7kq)",
    "facts      12:00:07.311  gpu.admit     done    held 60 s, account alice",
    "           12:00:07.312  gpu.queue     took    position 3",
    "inferred   nothing",
    "ruled out  identity: alice was verified (gpu.admit done)",
    "missing    shim-r1 epoch 2, numbers 12 to 15: the shim was killed",
    "next       retry later. `waybill gpu queue main` shows the queue.",
    "read       journal to 48213, evidence to 120",
  ];
  test("says verdict, owner, charge, facts, what is ruled out, what is missing and what was read", () => {
    assert.equal(drawExplanation(wide, explanation, { hops: false }), text(...verdict));
  });
  test("with hops draws each hop, also those that never happened", () => {
    assert.equal(
      drawExplanation(wide, explanation, { hops: true }),
      text(
        ...verdict,
        "",
        "gpu.schedule     |                    |  never happened",
        "identity.verify  |                    |  never happened",
        "gpu.admit        |#                   |           scheduler/1: done 8",
        "gpu.queue        |####################|     60 s  scheduler/1: took 9, refused 10",
        "gpu.grant        |                    |  never happened",
        "gpu.attach       |                    |  never happened",
        "app.run          |                    |  never happened",
        "gpu.release      |                    |  never happened",
        "gpu.settle       |                    |  never happened",
      ),
    );
  });
  const connection: Explanation = {
    ...{ id: "x_1", kind: "connection", outcome: "refused", sentence: "", verdict: null, gaps: [], links: [] },
    entries: [{ ...entry(4, "egress.policy", "refused", "0:08.000", {}), emitter: "gateway-n1", work: "x_1" }],
    read: explanation.read,
  };
  const beneath = [{ hop: "app.run", explanation: connection, likely: "the only call", beneath: [] }] as const;
  test("with hops draws a work under the hop that began it", () => {
    const [, drawn = ""] = drawExplanation(wide, explanation, { hops: true, beneath }).split("\n\n");
    assert.deepEqual(drawn.split("\n").slice(5, 14), [
      "gpu.attach       |                    |  never happened",
      "app.run          |                    |  never happened",
      "  connection x_1: refused (likely: the only call)",
      "  egress.open      |                    |  never happened",
      "  egress.resolve   |                    |  never happened",
      "  egress.policy    |#                   |           gateway-n1/1: refused 4",
      "  egress.dial      |                    |  never happened",
      "  egress.stream    |                    |  never happened",
      "gpu.release      |                    |  never happened",
    ]);
  });
  test("with hops at 60 columns has short bars, and keeps every line within the width", () => {
    const [, drawn = ""] = drawExplanation(narrow, explanation, { hops: true, beneath }).split("\n\n");
    const lines = drawn.split("\n");
    assert.deepEqual(lines.slice(2, 5), [
      "gpu.admit        |#     |           scheduler/1: done 8",
      "gpu.queue        |######|     60 s  scheduler/1: took 9,",
      "                                    refused 10",
    ]);
    assert.equal(lines[11], "  egress.policy    |#     |           gateway-n1/1: refused");
    assert.deepEqual(
      lines.filter((line) => line.length > 60),
      [],
    );
  });
  test("at 60 columns puts facts under their hop and keeps every line within the width", () => {
    const drawn = drawExplanation(narrow, explanation, { hops: false }).split("\n");
    assert.deepEqual(drawn.slice(3, 7), [
      "charged    0 s of 60 s held; 60 s given back (receipt r_7kq)",
      "facts      12:00:07.311  gpu.admit     done",
      "               held 60 s, account alice",
      "           12:00:07.312  gpu.queue     took",
    ]);
    assert.deepEqual(
      drawn.filter((line) => line.length > 60),
      [],
    );
  });
  test("tells the chain that it is a link of, and of what is only likely why", () => {
    const chain = [
      { id: "q_1", kind: "request" },
      { id: "c_322", kind: "call" },
      { id: "p_1", kind: "replica" },
      { id: "b_1", kind: "build" },
      { id: "alice/demo@4f2a9c1d23ef00112233445566778899aabbccdd", kind: "commit" },
      { id: "tr_1", kind: "transfer", by: "alice" },
    ] as const;
    const likely = { id: "x_1", kind: "connection", outcome: "ok", likely: "the only call" } as const;
    const told = drawExplanation(narrow, { ...explanation, chain, links: [likely] }, { hops: false });
    assert.deepEqual(told.split("\n").slice(-6, -2), [
      "chain      request q_1 → call c_322 → replica p_1 → build",
      "           b_1 → commit alice/demo@4f2a9c1d23ef → push tr_1",
      "           by alice",
      "linked     connection x_1, ok (likely: the only call)",
    ]);
  });
  test("of a work that went well is its sentence", () => {
    assert.equal(
      drawExplanation(
        narrow,
        {
          ...explanation,
          outcome: "ok",
          verdict: null,
          gaps: [],
          sentence: "It ran for 0.4 s on n1 gpu0/1 and was charged 0.4 s, as the receipt says.",
        },
        { hops: false },
      ),
      text(
        "outcome    call c_322: ok",
        "           It ran for 0.4 s on n1 gpu0/1 and was charged 0.4",
        "           s, as the receipt says.",
        "read       journal to 48213, evidence to 120",
      ),
    );
  });
});

describe("lengths and amounts", () => {
  const lengths: readonly (readonly [ms: number, length: string, amount: string])[] = [
    [0, "0 s", "0 s"],
    [412, "0.4 s", "0.412 s"],
    [9_960, "10 s", "9.96 s"],
    [119_400, "119 s", "119.4 s"],
    [200_000, "3 min 20 s", "200 s"],
    [7_500_000, "2 h 5 min", "7500 s"],
  ];
  for (const [ms, length, amount] of lengths) {
    test(`${ms} ms is ${length} long, and an amount of ${amount}`, () => {
      assert.deepEqual([lengthOf(ms), secondsOf(ms)], [length, amount]);
    });
  }
});

describe("a line of an app's log", () => {
  const line = (text: string): LogLine => ({
    n: 1,
    at: "2026-11-22T12:00:07.311Z",
    source: "app",
    stream: "out",
    text,
  });
  const hostile = "10%\r\u001b[31mred\u001b[0m \u001b]0;title\u0007\u001b[2Jgone\u0000";

  test("keeps its colours where colour is wanted, and nothing else that a terminal would obey", () => {
    const drawn = drawLogLine({ ...wide, color: true }, line(hostile), null);
    assert.match(drawn, /\u001b\[31mred\u001b\[0m /);
    assert.doesNotMatch(drawn, /\u001b\]|\u001b\[2J|\r|\u0000/);
    assert.ok(drawn.endsWith("\u001b[0m\n"), "a colour that was left on ends with its line");
  });

  test("is plain where no colour is wanted, and of a progress bar what a terminal would show in the end", () => {
    assert.match(drawLogLine(wide, line(hostile), null), / app {5}red gone.\n$/);
    assert.doesNotMatch(drawLogLine(wide, line(hostile), null), /\u001b/);
  });
});

describe("drawExplanation, of a clock that is off", () => {
  const drawn = (aheadMs: number): string =>
    drawExplanation(
      wide,
      {
        ...{ id: "p_1", kind: "replica", outcome: "open", sentence: "The replica is running.", verdict: null },
        ...{ entries: [], gaps: [], links: [], read: { journal: 1, evidence: 2 } },
        clocks: [{ emitter: "agent-n1", aheadMs, measuredBefore: "2026-11-22T12:10:00.000Z" }],
      },
      { hops: false },
    );

  test("it is told where that is much, and as no order of things", () => {
    assert.match(
      drawn(3_200),
      /^clock +that of agent-n1 is at least 3\.2 s ahead of the server's; its times are its own, and/m,
    );
    assert.match(drawn(-7_000), /^clock +that of agent-n1 may be behind the server's, by 7 s at most; its times/m);
    for (const little of [0, 900, -4_000]) assert.doesNotMatch(drawn(little), /clock/, String(little));
  });
});
