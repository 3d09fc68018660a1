/** A repository's page: what its owner asks is shown whole, and nothing of it is markup. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { OwnAccess } from "../contract/access.ts";
import { repoName } from "../hub/repo-name.ts";
import { instant } from "../stdx/time.ts";
import type { HubRepo } from "./hub-repos.ts";
import { repoPage } from "./repo-page.ts";

const repo: HubRepo = {
  ...repoName("models", "alice", "tiny"),
  ...{ key: "models/alice/tiny", private: false, gated: "manual" as const, stored: "models/m_1" },
  ...{ createdAt: instant(0), createdBy: "alice", changedAt: instant(0) },
};

test("terms and answers that are long are on the page whole, and nothing in them is markup", () => {
  const [prompt, option] = [`<script>${"terms ".repeat(200)}</script>last words`, `"><b>${"o".repeat(900)}`];
  const form = {
    ...{ prompt, heading: null, description: null, button: null },
    fields: [{ name: "Use", type: "select" as const, options: [option] }],
  };
  const access: OwnAccess = {
    ...{ gated: "manual" as const, status: "none" as const, requestId: null, timestamp: null, rejectionReason: null },
    ...{ form, formProblem: null },
  };
  const html = repoPage(repo, access, { account: "bob", isAnybodyWaiting: false });
  assert.ok(html.includes("last words"), "who agrees to terms has read their end");
  assert.ok(html.includes(`value="&#34;&#62;&#60;b&#62;${"o".repeat(900)}"`), "an answer is sent as it was asked for");
  assert.doesNotMatch(html, /<script|<b>o/);
});

test("a form of which an answer was wrong has the others as they were sent", () => {
  const fields = [
    { name: "Name", type: "text" as const },
    { name: "toString", type: "text" as const },
    { name: "Use", type: "select" as const, options: ["Research", "Other"] },
    { name: "I agree", type: "checkbox" as const },
  ];
  const access: OwnAccess = {
    ...{ gated: "manual" as const, status: "none" as const, requestId: null, timestamp: null, rejectionReason: null },
    ...{ form: { prompt: null, heading: null, description: null, button: null, fields }, formProblem: null },
  };
  const given = { Name: `"><b>Bob`, Use: "Other", "I agree": "on" };
  const html = repoPage(repo, access, { account: "bob", isAnybodyWaiting: false, says: "wrong", given });
  assert.match(html, /value="&#34;&#62;&#60;b&#62;Bob" id="f0"/);
  assert.match(html, /value="" id="f1"/);
  assert.match(html, /<option value="Research">Research<\/option><option value="Other" selected>/);
  assert.match(html, /name="I agree" required checked>/);
});
