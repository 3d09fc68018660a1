import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { AppSignIn } from "../contract/oauth.ts";
import { parseFrontMatter } from "./front-matter.ts";

const read = (...lines: readonly string[]) => parseFrontMatter(`---\nsdk: gradio\n${lines.join("\n")}\n---\n`);

function signInOf(...lines: readonly string[]): AppSignIn | null {
  const result = read(...lines);
  assert.ok(result.ok, JSON.stringify(result));
  return result.settings.signIn;
}

describe("hf_oauth", () => {
  test("an app does without signing in until it says so", () => {
    assert.equal(signInOf(), null);
    assert.equal(signInOf("hf_oauth: false", "hf_oauth_scopes: [email]"), null);
  });

  test("alone it asks for who somebody is, for eight hours, of everybody", () => {
    const plain = { scopes: [], expiresInMinutes: 480, organisations: [], redirectPath: "/login/callback" };
    assert.deepEqual(signInOf("hf_oauth: true"), plain);
  });

  test("its scopes, time, organisations and path are taken", () => {
    const said = signInOf(
      "hf_oauth: true",
      "hf_oauth_scopes: [profile, email, inference-api]",
      "hf_oauth_expiration_minutes: 60",
      "hf_oauth_authorized_org: [acme, Other]",
      "hf_oauth_redirect_path: /api/auth/callback/huggingface",
    );
    assert.deepEqual(said, {
      scopes: ["email", "inference-api"],
      expiresInMinutes: 60,
      organisations: ["acme", "other"],
      redirectPath: "/api/auth/callback/huggingface",
    });
    assert.deepEqual(signInOf("hf_oauth: true", "hf_oauth_authorized_org: acme")?.organisations, ["acme"]);
  });

  test("a scope that opens nothing here is said, and the build goes on", () => {
    const result = read("hf_oauth: true", "hf_oauth_scopes: [jobs, read-repos]");
    assert.ok(result.ok);
    assert.deepEqual(result.settings.signIn?.scopes, ["read-repos"]);
    assert.deepEqual(result.warnings, [
      { line: 4, message: 'hf_oauth_scopes has "jobs", which opens nothing here and is not asked for' },
    ]);
  });

  test("a name that no organisation can have is refused: nobody could sign in", () => {
    for (const name of ["a..b", "a--b", "acme-", "_acme", "a".repeat(65)]) {
      const result = read("hf_oauth: true", `hf_oauth_authorized_org: ${name}`);
      assert.ok(!result.ok && result.problems[0]?.message.includes("which no organisation is called"), name);
    }
  });

  test("what is wrong is told with its line", () => {
    const result = read(
      "hf_oauth: yes please",
      "hf_oauth_expiration_minutes: 0",
      "hf_oauth_redirect_path: //evil.test/x",
      "hf_oauth_authorized_org: ['no such name']",
    );
    assert.ok(!result.ok);
    assert.deepEqual(
      result.problems.map(({ line, message }) => `${line}: ${message.split(" ")[0]}`),
      ["3: hf_oauth", "4: hf_oauth_expiration_minutes", "5: hf_oauth_redirect_path", "6: hf_oauth_authorized_org"],
    );
  });
});
