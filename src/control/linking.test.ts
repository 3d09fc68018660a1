import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { CallRow } from "../catalog/calls.ts";
import type { WorkKind } from "../evidence/entry.ts";
import { chainSays } from "../evidence/chain.ts";
import { by, record, type Draft } from "../evidence/waybill.suite.ts";
import type { WorkRecord } from "../evidence/work-record.ts";
import type { Passage } from "../record/evidence-passages.ts";
import { instant, iso } from "../stdx/time.ts";
import { Linking, type Held } from "./linking.ts";

// The suite's entries are from a second after noon on, one a second.
const noon = Date.UTC(2026, 10, 22, 12);
const space = "alice/demo";

interface World {
  readonly works?: readonly Held[];
  readonly calls?: readonly Partial<CallRow>[];
  readonly passages?: readonly Passage[];
  readonly isCut?: boolean;
  readonly aheadMs?: number;
}

function linking({ works = [], calls = [], passages = [], isCut = false, aheadMs = 0 }: World): Linking {
  const rows = calls as readonly CallRow[];
  const nothing = (id: string, kind: WorkKind): Held => ({ record: record(kind, [], { id }), links: [] });
  return new Linking({
    catalog: {
      calls: {
        list: async ({ request }: { request?: string }) => ({
          items: rows.filter((row) => row.request === request),
          next: null,
        }),
        during: async () => rows,
      },
      builds: { get: async () => undefined },
    } as unknown as ConstructorParameters<typeof Linking>[0]["catalog"],
    evidence: {
      readPassages: async () => {
        return { passages, isCut, clocks: [{ emitter: "gateway-n1", aheadMs, measuredBefore: iso(instant(noon)) }] };
      },
    },
    now: () => instant(noon + 60_000),
    held: async (id, kind) => works.find((held) => held.record.id === id) ?? nothing(id, kind),
  });
}

const held = (kind: WorkKind, id: string, drafts: readonly Draft[], links: readonly string[] = []): Held => ({
  record: record(kind, drafts, { id }),
  links,
});
const request = held("request", "q_1", [
  by("edge", "edge.route", "done", { space, replica: "p_1" }),
  by("edge", "edge.deliver", "done"),
]);
const call = held("call", "c_1", [by("scheduler", "gpu.schedule", "took", { space, replica: "p_1", request: "q_1" })]);
const replica = held("replica", "p_1", [by("agent", "replica.start", "took", { link: "b_2" })]);
const commit = "4f2a9c1d23ef00112233445566778899aabbccdd";
const retried = held("build", "b_2", [by("server", "build.request", "took", { space, commit, link: "b_1" })], ["b_1"]);
const first = held("build", "b_1", [by("server", "build.request", "took", { space, commit })], ["b_2", "p_1", "tr_1"]);
const push = held("transfer", "tr_1", [
  by("server", "transfer.verify", "done", { direction: "upload", account: "bob", link: ["q_9", "b_1"] }),
]);
const connection = held("connection", "x_1", [by("gateway-n1", "egress.open", "took", { link: "p_1", space })]);
const works = [request, call, replica, retried, first, push, connection];
const grantedAt = iso(instant(noon + 500));
const oneCall = { id: "c_1", request: "q_1", grantedAt, endedAt: iso(instant(noon + 4_000)) };
const opened: Passage = { id: "x_1", kind: "connection", from: noon + 1_000, to: noon + 1_200 };
const asked: Passage = { id: "q_1", kind: "request", from: noon, to: noon + 5_000 };

describe("the chain of a work", () => {
  const told = async (of: Held, world: World = { works, calls: [oneCall] }): Promise<string> => {
    const parts = linking(world);
    return chainSays((await parts.chain(of, await parts.inside(of.record))).steps);
  };
  const code = `replica p_1 → build b_2 → commit ${space}@4f2a9c1d23ef → push tr_1 by bob`;

  test("goes from a request over its only call to the push of the first try of the build", async () => {
    assert.equal(await told(request), `request q_1 → call c_1 → ${code}`);
    assert.equal(await told(call), `request q_1 → call c_1 → ${code}`);
  });
  test("leaves out calls where a request made several", async () => {
    assert.equal(await told(request, { works, calls: [oneCall, { ...oneCall, id: "c_2" }] }), `request q_1 → ${code}`);
  });
  test("has the call of a connection as likely, and of one that is inside none its replica", async () => {
    const world = { works, calls: [oneCall], passages: [asked, opened] };
    assert.equal(await told(connection, world), `request q_1 → call c_1 (likely) → connection x_1 → ${code}`);
    assert.equal(await told(connection, { works }), `connection x_1 → ${code}`);
  });
  test("of a push is what came of it, with itself at its end", async () => {
    assert.equal(await told(push), `build b_1 → commit ${space}@4f2a9c1d23ef → push tr_1 by bob`);
  });
});

describe("what is inside a work", () => {
  const inside = async (of: WorkRecord, world: World): Promise<readonly string[]> =>
    (await linking(world).inside(of)).map(({ id }) => id);

  test("are the connections that it alone can have opened", async () => {
    const passages = [asked, opened, { ...opened, id: "x_late", from: noon + 30_000, to: noon + 31_000 }];
    assert.deepEqual(await inside(call.record, { calls: [oneCall], passages }), ["x_1"]);
    assert.deepEqual(await inside(request.record, { calls: [oneCall], passages }), []);
    assert.deepEqual(await inside(request.record, { passages }), ["x_1"]);
  });
  test("is not said where another request was open, where not all was read, and where clocks differ", async () => {
    const passages = [asked, opened];
    assert.deepEqual(await inside(request.record, { passages: [...passages, { ...asked, id: "q_2", to: null }] }), []);
    assert.deepEqual(await inside(request.record, { passages, isCut: true }), []);
    assert.deepEqual(await inside(request.record, { passages, aheadMs: 2_000 }), []);
  });
});
