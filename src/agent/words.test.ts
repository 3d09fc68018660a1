import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MeterReport, ReplicaStatus, ToServer } from "../contract/agent.ts";
import { ReplicasWords } from "./words.ts";

const devices = [
  { index: 0, uuid: "GPU-a" },
  { index: 1, uuid: "GPU-b" },
];
type Report = MeterReport extends infer One ? (One extends unknown ? Omit<One, "seq" | "at" | "fence"> : never) : never;
const meter = (replica: string, report: Report): ToServer => ({
  type: "meter",
  replica,
  report: { seq: 1, at: "", fence: 1, ...report } as MeterReport,
});
const ended = (call: string, cause: string, workerAlive: boolean) =>
  ({ kind: "ended", call, cause, workerAlive, usedMs: 1, unused: false, says: "" }) as const;
const status = (phase: ReplicaStatus["phase"]): ToServer => ({
  type: "replica",
  status: { replica: "p_1", space: "a/b", release: "rel_1", phase, socket: null, startedAt: 0 },
});

/** Cards that are looked at until `back` is called. */
function node() {
  const asked: (readonly string[] | "look")[] = [];
  const sent: string[] = [];
  const back = Promise.withResolvers<void>();
  const looks = Promise.withResolvers<void>();
  const cards = {
    look: () => Promise.resolve(void asked.push("look")),
    returned: (uuids: readonly string[]) => {
      asked.push(uuids);
      looks.resolve();
      return back.promise;
    },
  };
  const name = (message: ToServer): string =>
    message.type === "meter"
      ? `${message.replica} ${message.report.kind}`
      : message.type === "replica"
        ? message.status.phase
        : message.type;
  const words = new ReplicasWords({ devices, cards: () => cards, send: (message) => void sent.push(name(message)) });
  const grant = { number: 1, replica: "p_1", slots: ["n1/1/0"], fence: 1, warm: false, leaseMs: 1, attachWithinMs: 1 };
  words.granted({ ...grant, type: "grant", call: "c_1", device: { index: 1, uuid: "GPU-b" } });
  return { words, asked, sent, back, looks: looks.promise };
}

describe("what a replica says", () => {
  test("of a slot that is free waits for the memory of its card, all that follows with it, and nobody else", async () => {
    const { words, asked, sent, back, looks } = node();
    words.tell(meter("p_1", ended("c_1", "lease-end", false)));
    words.tell(status("exited"));
    words.tell(meter("p_2", { kind: "attached", call: "c_2", pid: 2 }));
    await looks;
    assert.deepEqual([sent, asked], [["p_2 attached"], [["GPU-b"]]]);
    assert.ok(words.holdsBack("p_1") && !words.holdsBack("p_2"));
    back.resolve();
    await words.settled();
    assert.deepEqual(sent, ["p_2 attached", "p_1 ended", "exited"]);
    assert.ok(!words.holdsBack("p_1"));
  });

  test("names the card by its slot, or is looked for on all where nobody knows the call or the replica is gone", async () => {
    const { words, asked, back } = node();
    back.resolve();
    words.tell(meter("p_1", { kind: "worker-gone", slot: "n1/0/3" }));
    words.tell({ type: "cleared", replica: "p_2", slot: "n1/1/0", fence: 1 });
    words.tell(meter("p_3", ended("c_unknown", "returned", false)));
    words.tell(status("lost"));
    await words.settled();
    assert.deepEqual(asked.map(String).toSorted(), ["GPU-a", "GPU-a,GPU-b", "GPU-a,GPU-b", "GPU-b"]);
  });

  test("of an end whose worker lives is told at once; where it was a bad one, after a look", async () => {
    const { words, asked, sent } = node();
    words.tell(meter("p_1", ended("c_1", "returned", true)));
    assert.deepEqual([sent, asked], [["p_1 ended"], []]);
    words.tell(meter("p_1", ended("c_1", "raised", true)));
    words.tell(status("ready"));
    assert.equal(sent.length, 1);
    await words.settled();
    assert.deepEqual([sent.slice(1), asked], [["p_1 ended", "ready"], ["look"]]);
  });

  test("waits for nothing where there are no cards", () => {
    const sent: string[] = [];
    const words = new ReplicasWords({ devices: [], cards: () => undefined, send: ({ type }) => void sent.push(type) });
    words.tell(meter("p_1", ended("c_1", "lease-end", false)));
    words.tell(status("lost"));
    assert.deepEqual(sent, ["meter", "replica"]);
  });
});
