/** The provider's pages: what an app asks of a person, and why it cannot be. */
import { escapeHtml, wholeHtml } from "../../http/index.ts";
import { appScopes } from "../../contract/oauth.ts";
import type { AppScope } from "../../contract/oauth.ts";
import { page } from "../pages.ts";
import type { SignInApp } from "./app.ts";

export interface ConsentAsked {
  readonly app: Pick<SignInApp, "space" | "title">;
  /** Where the app is, and the browser goes next. */
  readonly origin: string;
  readonly account: string;
  readonly scopes: readonly AppScope[];
  readonly minutes: number;
  /** The form's own path, and what it has to carry. */
  readonly action: string;
  readonly secret: string;
}

export function consentPage({ app, origin, account, scopes, minutes, action, secret }: ConsentAsked): string {
  const [owner = ""] = app.space.split("/");
  const asked = [...new Set(scopes.map((scope) => appScopes[scope].says))];
  return page(
    `Sign in to ${app.space} - Waybill`,
    `<p class="muted">You are signed in as <strong>${escapeHtml(account)}</strong></p>
<h1>Let the app <code>${escapeHtml(app.space)}</code> know who you are?</h1>
<p>${escapeHtml(app.title || app.space)} is an app of ${escapeHtml(owner)}, at <code>${escapeHtml(origin)}</code>. For ${escapeHtml(lengthOf(minutes))} it may:</p>
<div class="panel"><ul>${asked.map((says) => `<li>${escapeHtml(says)}</li>`).join("")}</ul></div>
<p class="muted">It never sees your password. You can take this back at any time: <code>waybill token list</code> shows the app's token, <code>waybill token revoke</code> ends it.</p>
<form method="post" action="${escapeHtml(action)}"><input type="hidden" name="secret" value="${escapeHtml(secret)}">
<p><button name="decision" value="allow">Allow</button> <button name="decision" value="deny">Deny</button></p></form>`,
  );
}

/** To somebody who is signed in for longer than the app wants. */
export function againPage({ account, action, secret }: Pick<ConsentAsked, "account" | "action" | "secret">): string {
  return page(
    "Sign in again - Waybill",
    `<h1>The app asks you to sign in again</h1><p>You are signed in as <strong>${escapeHtml(account)}</strong>, for longer than it accepts.</p>
<form method="post" action="${escapeHtml(action)}"><input type="hidden" name="secret" value="${escapeHtml(secret)}">
<p><button name="decision" value="again">Sign in again</button></p></form>`,
  );
}

/** Shown for a moment, where nothing is left to ask. */
export function goingOnPage(url: string): string {
  return page("Signing in - Waybill", `<p><a href="${wholeHtml(url)}">On to the app</a></p>`);
}

/** Why it cannot go on, in words of the provider or of ours. */
export function refusalPage(says: string, next = "Go back to the app and sign in again."): string {
  return page(
    "Signing in did not work - Waybill",
    `<h1>Signing in did not work</h1><p class="panel">${escapeHtml(says)}</p><p>${escapeHtml(next)}</p><p><a href="/">Console</a></p>`,
  );
}

function lengthOf(minutes: number): string {
  if (minutes % 1_440 === 0) return minutes === 1_440 ? "a day" : `${minutes / 1_440} days`;
  if (minutes % 60 === 0) return minutes === 60 ? "an hour" : `${minutes / 60} hours`;
  return minutes === 1 ? "a minute" : `${minutes} minutes`;
}
