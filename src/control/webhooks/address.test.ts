import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { refuseAddress } from "./address.ts";

const closed = (text: string) => refuseAddress(text, { denies: (one) => (one.startsWith("9.") ? null : "private") });
const open = (text: string) => refuseAddress(text, { denies: () => null });

describe("a webhook's address", () => {
  test("is https to a name, or to an address that the platform reaches", () => {
    for (const text of ["https://hooks.example/a?b=c", "https://hooks.example:8443/", "https://9.1.2.3/x"])
      assert.equal(closed(text), undefined);
    for (const text of [
      "https://10.0.0.1/",
      "https://[::1]/",
      "https://localhost/",
      "https://127.1/",
      "https://0x7f.1/",
    ])
      assert.match(closed(text) ?? "", /^The platform does not reach .*\(private\)/);
  });

  test("may be http to this machine alone, where the operator lets it be reached", () => {
    for (const text of ["http://localhost:9/", "http://127.0.0.1/", "http://[::1]:9/"]) {
      assert.equal(open(text), undefined);
      assert.match(closed(text) ?? "", /^The platform does not reach/);
    }
    for (const text of ["http://hooks.example/", "http://9.1.2.3/", "http://localhost.example/"])
      assert.match(open(text) ?? "", /^http carries/);
  });

  test("has no other scheme, no password, nothing behind # and a bounded length", () => {
    for (const text of ["hooks.example", "ftp://hooks.example", "file:///etc/passwd", "https://", "javascript:0", ""])
      assert.equal(open(text), "Write the webhook's address as https://HOST/PATH.");
    assert.match(open("https://a:b@hooks.example/") ?? "", /name or a password/);
    assert.match(open("https://hooks.example/#a") ?? "", /behind #/);
    assert.match(open(`https://hooks.example/${"a".repeat(2_000)}`) ?? "", /2000 characters/);
  });
});
