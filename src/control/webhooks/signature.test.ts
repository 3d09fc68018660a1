import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { instant } from "../../stdx/time.ts";
import { newWebhookSecret, signatureHeaders } from "./signature.ts";

// The vector that the specification's own libraries are tested with.
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const signed = {
  id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
  at: instant(1_614_265_330_000),
  body: '{"test": 2432232314}',
};
const signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

describe("signatures of webhooks", () => {
  test("the specification's vector is signed as it says", () => {
    assert.deepEqual(signatureHeaders(signed, [secret]), {
      ...{ "webhook-id": signed.id, "webhook-timestamp": "1614265330", "webhook-signature": signature },
    });
  });

  test("with two secrets there are two signatures, the newest first, each as if it stood alone", () => {
    const other = newWebhookSecret(() => new Uint8Array(32).fill(7));
    const both = signatureHeaders(signed, [other, secret])["webhook-signature"] ?? "";
    assert.deepEqual(both.split(" "), [signatureHeaders(signed, [other])["webhook-signature"], signature]);
  });

  test("a secret is 256 random bits in base64 behind whsec_", () => {
    assert.equal(
      newWebhookSecret((count) => new Uint8Array(count)),
      `whsec_${"A".repeat(43)}=`,
    );
  });

  test("the timestamp is of whole seconds, that had begun", () => {
    const at = instant(1_614_265_330_999);
    assert.equal(signatureHeaders({ ...signed, at }, [secret])["webhook-timestamp"], "1614265330");
  });
});
