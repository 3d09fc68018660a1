import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { LineSplitter } from "./lines.ts";
import { maskedFromChars, maskOf } from "./mask.ts";

const key = "s3cr3t-Value/+42";

describe("maskOf", () => {
  test("a value becomes its name, also twice in a line", () => {
    assert.equal(maskOf({ KEY: key }).hide(`a ${key}, ${key}.`), "a ***KEY***, ***KEY***.");
  });

  test("a value shorter than four characters stays: it is a word like any other", () => {
    assert.equal(maskOf({ KEY: "abc" }).hide("abc"), "abc");
  });

  test("base64 of a text that holds the value shows nothing of it, wherever it begins", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 9 }), fc.string({ maxLength: 9 }), (before, after) => {
        for (const alphabet of ["base64", "base64url"] as const) {
          const encoded = Buffer.from(before + key + after).toString(alphabet);
          const hidden = maskOf({ KEY: key }).hide(encoded);
          assert.match(hidden, /\*\*\*KEY\*\*\*/);
          const left = hidden.split("***KEY***").map((part) => Buffer.from(part, alphabet).toString("latin1"));
          for (const part of left) assert.ok(!part.includes(key.slice(2, -2)));
        }
      }),
    );
  });

  test("as part of a URL and of JSON it is masked too", () => {
    const mask = maskOf({ A: key, B: 'quote" and\ttab' });
    assert.equal(mask.hide(`?q=${encodeURIComponent(key)}`), "?q=***A***");
    assert.equal(mask.hide(JSON.stringify({ b: 'quote" and\ttab' })), '{"b":"***B***"}');
  });

  test("each longer line of a value with several is masked, since a log is cut at lines", () => {
    const pem = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nabc\n-----END KEY-----";
    assert.deepEqual(
      pem.split("\n").map((line) => maskOf({ PEM: pem }).hide(line)),
      ["***PEM***", "***PEM***", "abc", "***PEM***"],
    );
  });

  test("access tokens are masked by their form, also without a value to look for and where a token comes in pieces", () => {
    const ours = `hf_wb${"0123456789abcdef".repeat(2)}`;
    const hubs = `hf_${"aB3".repeat(11)}x`;
    const mask = maskOf({ HF_TOKEN: hubs });
    assert.equal(
      mask.hide(`https://a:${ours}@host/?t%3D${ours}&u=${hubs}`),
      "https://a:***token***@host/?t%3D***token***&u=***HF_TOKEN***",
    );
    assert.equal(maskOf({}).hide(`got ${hubs}.`), "got ***token***.");
    for (const word of ["hf_hub_download", "hf_transfer", `hf_${"a".repeat(33)}`, `hf_${"a".repeat(35)}`, "half"])
      assert.equal(maskOf({}).hide(`import ${word}`), `import ${word}`);
    for (const token of [ours, hubs])
      for (let at = 1; at < token.length; at++) {
        const splitter = new LineSplitter(maskOf({}));
        const lines = [`say ${token.slice(0, at)}`, `${token.slice(at)} to all\n`].flatMap((part) => [
          ...splitter.push(Buffer.from(part)),
          ...splitter.flush(),
        ]);
        assert.equal(lines.join("").replace(/^say (?:say )?/, ""), "***token*** to all");
      }
  });

  test("of two values one of which holds the other, the longer is masked whole", () => {
    assert.equal(maskOf({ SHORT: "abcd", LONG: "abcdefgh" }).hide("abcdefgh abcd"), "***LONG*** ***SHORT***");
  });

  test("no value is ever shown, however its bytes come and however often a line is flushed meanwhile", () => {
    const letters = fc.constantFrom("a", "b");
    const value = fc.string({ unit: letters, minLength: maskedFromChars, maxLength: 6 });
    fc.assert(
      fc.property(value, fc.string({ unit: letters, maxLength: 9 }), fc.array(fc.nat(4)), (secret, before, cuts) => {
        const splitter = new LineSplitter(maskOf({ S: secret }));
        const bytes = Buffer.from(`${before}!${secret}!\n`);
        const lines: string[] = [];
        let at = 0;
        for (const cut of cuts) {
          lines.push(...splitter.push(bytes.subarray(at, (at += cut))), ...splitter.flush());
        }
        lines.push(...splitter.push(bytes.subarray(at)), ...splitter.end());
        assert.match(lines.join(""), /!\*\*\*S\*\*\*!$/);
      }),
      { numRuns: 2_000 },
    );
  });
});
