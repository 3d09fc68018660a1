import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { DeliveryView, WebhookView } from "../../contract/webhooks.ts";
import type { Paper } from "./paper.ts";
import { drawDeliveries, drawDelivery, drawWebhook, drawWebhooks } from "./webhooks.ts";

const paper: Paper = { width: 120, color: false, zone: "UTC" };
const webhook: WebhookView = {
  ...{ id: "wh_1", owner: "alice", url: "https://hooks.example/a", types: [], description: null, state: "on" },
  ...{ since: "2026-11-30T12:00:00.000Z", says: "alice added it", failingSince: null, waiting: 0 },
  ...{ formerSecretUntil: null, createdAt: "2026-11-30T12:00:00.000Z", createdBy: "alice" },
};
const delivery: DeliveryView = {
  ...{ id: "dl_1", webhook: "wh_1", type: "space.state", at: "2026-11-30T12:00:00.000Z", state: "waiting" },
  ...{ dueAt: "2026-11-30T12:05:00.000Z", endedAt: null, says: "it was answered by 500" },
  attempts: [
    {
      ...{ at: "2026-11-30T12:00:00.000Z", tookMs: 12, outcome: "answered", status: 500 },
      ...{ says: "it was answered by 500", answer: "busy\nvery" },
    },
  ],
};

describe("webhooks on paper", () => {
  test("a list says what each is told, and of one that is off since when and why", () => {
    const off = { ...webhook, id: "wh_2", state: "off", says: "it was answered by 410" } as const;
    const failing = { ...webhook, id: "wh_3", failingSince: webhook.since, types: ["build.ended"] } as const;
    const text = drawWebhooks(paper, [webhook, off, failing]);
    assert.match(text, /^wh_1 +on +0 +all +https:\/\/hooks\.example\/a$/m);
    assert.match(text, /^wh_3 +on, failing +0 +build\.ended /m);
    assert.match(text, /^wh_2 is off since .*12:00.*: it was answered by 410$/m);
    assert.match(drawWebhooks(paper, []), /waybill webhook add/);
  });

  test("one says whose it is, what waits for it, and until when its former secret signs", () => {
    const until = "2026-12-01T12:00:00.000Z";
    const text = drawWebhook(paper, { ...webhook, owner: null, waiting: 2, formerSecretUntil: until });
    assert.match(text, /the platform/);
    assert.match(text, /2 deliveries/);
    assert.match(text, /the one before signs too until/);
  });

  test("a delivery says how its last try went and when the next is; alone, each try with what was answered", () => {
    assert.match(
      drawDeliveries(paper, [delivery]),
      /^dl_1 .* waiting +1 +12 ms +it was answered by 500; next .*12:05/m,
    );
    const text = drawDelivery(paper, { ...delivery, body: "{}" });
    assert.match(text, /12 ms: it was answered by 500/);
    assert.match(text, /answered +busy$/m);
    assert.match(text, /body +\{\}/);
  });
});
