import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { algOf, mayReturnTo, reachable, returnUris } from "./app.ts";
import type { SignInApp } from "./app.ts";

const app: SignInApp = {
  space: "alice/demo",
  title: "Demo",
  sdk: "gradio",
  signIn: { scopes: [], expiresInMinutes: 480, organisations: [], redirectPath: "/auth/back" },
  host: "alice-demo.localhost",
  origins: ["http://alice-demo.localhost:7777", "http://127.1.2.3:7777", "http://demo.example.org:7777"],
};

describe("where a browser is sent back to", () => {
  test("each of the Space's own addresses, by the two paths of return", () => {
    assert.equal(returnUris(app).length, 8);
    for (const uri of returnUris(app)) assert.equal(mayReturnTo(app, uri), true, uri);
  });

  test("what Gradio puts behind it may stand there, and nothing else", () => {
    const own = "https://alice-demo.localhost/login/callback";
    assert.equal(mayReturnTo(app, `${own}?_target_url=%2F%3Fq%3D1&_nb_redirects=2`), true);
    for (const tail of ["?x=1", "?_target_url=%2F&x=1", "#a", "?#", "/", "%2f", "?_target_url=/#x"])
      assert.equal(mayReturnTo(app, `${own}${tail}`), false, tail);
  });

  test("no other host, port, scheme, user or spelling", () => {
    for (const uri of [
      "https://alice-demo.localhost.evil.test/login/callback",
      "https://alice-demo.localhost:444/login/callback",
      "https://x@alice-demo.localhost/login/callback",
      "https://ALICE-demo.localhost/login/callback",
      "javascript://alice-demo.localhost/login/callback",
      "http://alice-demo.localhost/login/callback",
      "/login/callback",
      "",
    ])
      assert.equal(mayReturnTo(app, uri), false, uri);
  });

  test("an address that the app made of its host leads to the one that browsers reach; others stay", () => {
    assert.equal(
      reachable(app, "https://alice-demo.localhost/login/callback?code=1"),
      "http://alice-demo.localhost:7777/login/callback?code=1",
    );
    assert.equal(reachable(app, "http://127.1.2.3:7777/auth/back?a"), "http://127.1.2.3:7777/auth/back?a");
    const open = { ...app, origins: ["https://alice-demo.localhost"] };
    assert.equal(reachable(open, "https://alice-demo.localhost/x"), "https://alice-demo.localhost/x");
  });

  test("clients of Python get EdDSA, others what they expect", () => {
    assert.deepEqual(
      (["gradio", "streamlit", "docker", "node", "static"] as const).map((sdk) => algOf({ sdk })),
      ["EdDSA", "EdDSA", "RS256", "RS256", "RS256"],
    );
  });
});
