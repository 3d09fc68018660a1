import { test, describe } from "node:test";
import assert from "node:assert/strict";
import { waitingView } from "./waiting.ts";

describe("waitingView", () => {
  const waiting = { position: 3, of: 5, estimateMs: 21_400, basis: "usual lengths", blockers: [] };

  test("says the place, the estimate rounded up, and that waiting is free", () => {
    const { says } = waitingView(waiting);
    assert.match(says, /^Waiting for a GPU: 3rd of 5, about 22 s\./);
    assert.match(says, /Waiting is free\.$/);
  });

  test("does not invent an estimate", () => {
    assert.match(waitingView({ ...waiting, estimateMs: null }).says, /for how long is not known yet/);
  });

  test("tells every blocker, not only the first", () => {
    const { says, blockers } = waitingView({
      ...waiting,
      blockers: [
        { kind: "slots", leased: 4, clearing: 0, total: 4 },
        { kind: "ahead", calls: 2 },
        { kind: "whole-card", size: "xlarge" },
      ],
    });
    assert.deepEqual(
      blockers.map(({ kind }) => kind),
      ["slots", "ahead", "whole-card"],
    );
    assert.match(says, /All 4 slots are leased\. 2 calls are ahead\. xlarge needs a whole card\./);
  });

  test("tells slots that wait for an old worker apart from leased ones", () => {
    const [told] = waitingView({
      ...waiting,
      blockers: [{ kind: "slots", leased: 3, clearing: 1, total: 4 }],
    }).blockers;
    assert.equal(told?.says, "3 of 4 slots are leased and 1 wait for an old worker's end");
  });
});
