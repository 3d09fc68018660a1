import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isHandOver } from "../contract/hand-over.ts";
import { signInLocation } from "./sign-in.ts";
import { visitShown } from "./visit-cookie.ts";

const place = "alice-demo.localhost";
const origin = `http://${place}:7070`;
const shown = (rawHeaders: readonly string[], over: { method?: string; cookie?: string; place?: string } = {}) =>
  visitShown({ ...{ method: "GET", cookie: "a=1; __Host-waybill-visit=v", origin, place }, rawHeaders, ...over });
const isForeign = (...rawHeaders: string[]): boolean => shown(rawHeaders)?.foreign !== undefined;

describe("the cookie of a handed-over session", () => {
  test("is one, by the name of its place", () => {
    assert.equal(shown([])?.value, "v");
    assert.equal(shown([], { cookie: "a=1" }), undefined);
    assert.equal(shown([], { cookie: "__Host-waybill-visit=v; __Host-waybill-visit=w" })?.value, "");
    const ported = { place: ":7101", cookie: "__Host-waybill-visit=v; __Host-waybill-visit-7101=w" };
    assert.equal(shown([], ported)?.value, "w");
  });

  test("of a frame goes before a window's, under a signature of its own, and only where the browser says where a request comes from", () => {
    const both = { cookie: "__Host-waybill-visit=v; __Host-waybill-frame=f" };
    const own = ["Sec-Fetch-Site", "same-origin"];
    assert.deepEqual(shown(own, both), { value: "f", place: `frame ${place}`, foreign: undefined });
    assert.deepEqual(shown(own), { value: "v", place, foreign: undefined });
    assert.equal(shown(own, { cookie: "__Host-waybill-frame=f; __Host-waybill-frame=g" })?.value, "");
    assert.match(shown([], both)?.foreign ?? "", /without `Sec-Fetch-Site`/);
    assert.match(shown(["Origin", origin], both)?.foreign ?? "", /without `Sec-Fetch-Site`/);
    for (const site of ["same-site", "cross-site"])
      for (const dest of ["iframe", "embed", "image", "empty"])
        assert.notEqual(
          shown(["Sec-Fetch-Site", site, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", dest], both)?.foreign,
          undefined,
          `${site} ${dest}: a page that has this app in a frame of its own`,
        );
  });

  test("counts in what the app's own pages and its visitor ask, and not in what a page of another site does", () => {
    assert.equal(isForeign(), false);
    assert.equal(isForeign("Sec-Fetch-Site", "same-origin"), false);
    assert.equal(isForeign("Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate"), false);
    assert.equal(
      isForeign("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"),
      false,
    );
    assert.equal(
      isForeign("Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"),
      true,
    );
    assert.equal(isForeign("Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors"), true);
    assert.equal(isForeign("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "websocket"), true);
    assert.equal(isForeign("Origin", origin), false);
    assert.equal(isForeign("Origin", "http://bob-app.localhost:7070"), true);
    assert.equal(isForeign("Origin", "null"), true);
    const form = ["Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"];
    assert.notEqual(shown(form, { method: "POST" })?.foreign, undefined, "a form of another site");
  });
});

describe("the way to sign in", () => {
  const page = ["Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"];
  const none = { authorization: undefined, xHfAuthorization: undefined, ipToken: undefined, visit: undefined };
  const to = (rawHeaders: string[], over: object = {}, method = "GET", at = place) =>
    signInLocation(
      { method, rawHeaders, target: "/a?b=c", place: at },
      { ...none, address: "127.0.0.1", inside: undefined, to: undefined, ...over },
      "localhost",
    );

  test("is shown to a page in a window of its own that came without credentials, at any address where a Space might be", () => {
    assert.equal(to(page), "/.waybill/sign-in?to=%2Fa%3Fb%3Dc");
    assert.equal(to(page, {}, "GET", ":7101"), "/.waybill/sign-in?to=%2Fa%3Fb%3Dc");
    for (const answer of [
      to(page, { authorization: "Bearer hf_wbx" }),
      to(page, { visit: shown([]) }),
      to(page, {}, "POST"),
      to(page, {}, "GET", "example.org"),
      to(["Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"]),
      to(["Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"]),
      to([]),
    ])
      assert.equal(answer, undefined);
  });

  test("its paths are the platform's by their exact spelling alone", () => {
    assert.ok(isHandOver("/.waybill/sign-in") && isHandOver("/.waybill/enter?ticket=x"));
    for (const target of [
      "/.waybill/",
      "/.waybill/../api/tokens",
      "/.waybill/sign-in/",
      "/.waybill/%73ign-in",
      "/x/.waybill/enter",
    ])
      assert.equal(isHandOver(target), false, target);
  });
});
