import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { TextMac } from "./text-mac.ts";

const textMaxLength = 300;
const ascii = fc.string({ unit: "binary-ascii", maxLength: textMaxLength });

describe("TextMac", () => {
  test("is node:crypto's HMAC-SHA256, whatever was made before it with the same key", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.array(ascii, { maxLength: 8 }), (key, texts) => {
        const mac = new TextMac(key, textMaxLength);
        for (const text of texts)
          assert.equal(mac.of(text), createHmac("sha256", key).update(text, "latin1").digest("base64url"));
      }),
    );
  });

  test("has the first values of RFC 4231", () => {
    const hex = (text: string): string => Buffer.from(text, "base64url").toString("hex");
    assert.equal(
      hex(new TextMac(new Uint8Array(20).fill(0x0b), 8).of("Hi There")),
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    );
    assert.equal(
      hex(new TextMac(Buffer.from("Jefe"), 28).of("what do ya want for nothing?")),
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    );
  });

  test("takes no key and no text for which it has no room", () => {
    assert.throws(() => new TextMac(new Uint8Array(65), 8));
    assert.throws(() => new TextMac(new Uint8Array(32), 8).of("nine char"));
  });
});
