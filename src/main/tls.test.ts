import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { readTls } from "./tls.ts";

function read(env: Record<string, string>, sources?: readonly string[], plainPort?: number) {
  const problems: string[] = [];
  return { tls: readTls(env, { sources, plainPort }, problems), problems };
}

describe("TLS", () => {
  test("is not spoken unless a source is named", () => {
    assert.deepEqual(read({}), { tls: null, problems: [] });
  });

  test("has sources of three kinds, several at once, by flag before variable", () => {
    const { tls, problems } = read({ WAYBILL_TLS: "acme" }, ["ca", "/etc/a.pem, /etc/a.key", "/etc/b.pem,/etc/b.key"]);
    assert.deepEqual(problems, []);
    assert.deepEqual(tls, {
      files: [
        { cert: "/etc/a.pem", key: "/etc/a.key" },
        { cert: "/etc/b.pem", key: "/etc/b.key" },
      ],
      isAuthority: true,
      acme: null,
      plainPort: null,
    });
    const byVariable = read({ WAYBILL_TLS: "ca; /a.pem,/a.key", WAYBILL_HTTP_PORT: "80" }).tls;
    assert.deepEqual([byVariable?.isAuthority, byVariable?.files.length, byVariable?.plainPort], [true, 1, 80]);
  });

  test("by ACME asks Let's Encrypt unless another authority is named", () => {
    assert.match(read({}, ["acme"]).tls?.acme?.directory ?? "", /^https:\/\/acme-v02\./);
    const own = read({ WAYBILL_ACME_DIRECTORY: "https://ca.lan/dir", WAYBILL_ACME_EMAIL: "op@lan" }, ["acme"]);
    assert.deepEqual(own.tls?.acme, { directory: "https://ca.lan/dir", email: "op@lan" });
  });

  test("tells all that is wrong at once, with what to write", () => {
    const { problems } = read(
      { WAYBILL_ACME_DIRECTORY: "http://ca.lan", WAYBILL_ACME_EMAIL: "nobody", WAYBILL_HTTP_PORT: "http" },
      ["letsencrypt", "a.pem,"],
    );
    for (const about of [
      /--tls has "letsencrypt"; write ca, acme, or CERTIFICATE,KEY/,
      /--tls has "a\.pem,"/,
      /WAYBILL_ACME_DIRECTORY is "http:\/\/ca\.lan"; .* https:\/\//,
      /WAYBILL_ACME_EMAIL is "nobody"/,
      /WAYBILL_HTTP_PORT is "http"; write a port/,
    ])
      assert.ok(
        problems.some((one) => about.test(one)),
        String(about),
      );
    assert.match(read({}, undefined, 80).problems.join(), /--http-port is a second port beside the one with TLS/);
  });
});
