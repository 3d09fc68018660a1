/** The pages by which people sign in and out. Forms that work without a script; one short script takes a link's code out of the address. */
import { createHash } from "node:crypto";
import type { SessionView } from "../contract/identity.ts";
import { escapeHtml, proseHtml, wholeHtml } from "../http/index.ts";
import { passwordMaxLength, passwordMinLength } from "../identity/password.ts";
import { page, pageHeaders, timeHtml } from "./pages.ts";

/** The code is behind the `#`, which no browser sends; it is taken out of the address, and sent once. */
const script = `const code=new URLSearchParams(location.hash.slice(1)).get("in");if(code){history.replaceState(null,"",location.pathname+location.search);const form=document.forms.namedItem("link");form.elements.namedItem("code").value=code;form.requestSubmit()}`;
const scriptHash = `'sha256-${createHash("sha256").update(script).digest("base64")}'`;

export const loginHeaders: Readonly<Record<string, string>> = {
  ...pageHeaders,
  "content-security-policy": `${pageHeaders["content-security-policy"] ?? ""}; script-src ${scriptHash}`,
};

const field = (id: string, label: string, attributes: string): string =>
  `<p><label for="${id}">${label}</label><br><input id="${id}" name="${id}" required ${attributes}></p>`;

/** `says`: why the last try was not taken. `name`: who tried. `providers`: where else people may sign in. */
export function loginPage({
  next,
  says,
  name = "",
  providers,
}: {
  next: string;
  says?: string | undefined;
  name?: string;
  providers: readonly { readonly name: string; readonly label: string }[];
}): string {
  const hidden = next === "/" ? "" : `<input type="hidden" name="next" value="${wholeHtml(next)}">`;
  return page(
    "Sign in - Waybill",
    `<h1>Sign in</h1>${alert(says)}${providers.map((one) => providerLink(one, next)).join("")}
<form class="panel" method="post" action="/login">${hidden}
${field("name", "Account", `maxlength="64" autocomplete="username" autocapitalize="none" spellcheck="false" value="${escapeHtml(name)}"${name === "" ? " autofocus" : ""}`)}
${field("password", "Password", `type="password" maxlength="${passwordMaxLength}" autocomplete="current-password"${name === "" ? "" : " autofocus"}`)}
<p><button>Sign in</button></p></form>
<details><summary>With a link of <code>waybill up</code></summary><form class="panel" name="link" method="post" action="/login">${hidden}
${field("code", "What follows <code>#in=</code> in it", 'maxlength="64" autocomplete="off" spellcheck="false"')}
<p><button>Sign in</button></p></form></details>
<p class="muted">No password yet? An operator sets one: <code>waybill account password NAME</code></p><p><a href="/">Console</a></p><script>${script}</script>`,
  );
}

function providerLink({ name, label }: { readonly name: string; readonly label: string }, next: string): string {
  const query = next === "/" ? "" : `?${new URLSearchParams({ next })}`;
  return `<p class="panel"><a href="/login/with/${escapeHtml(name)}${wholeHtml(query)}">Sign in with ${escapeHtml(label)}</a></p>`;
}

/**
 * Goes on to `next` as a step of its own. Sent there by the form's own answer, a browser would hold what comes after it to what the form's
 * page may lead to (Content Security Policy Level 3 §6.4.1, in Chromium also of redirects), and it may be an app's address.
 */
export function onwardPage(next: string): string {
  return page("Signed in - Waybill", `<p>Signed in: <a href="${wholeHtml(next)}">go on</a></p>`, { onward: next });
}

/** Where nobody can sign in, and why. */
export function noLoginPage(says: string, next: string): string {
  return page(
    "Sign in - Waybill",
    `<h1>Nobody can sign in here</h1><p class="panel failed" role="alert">${proseHtml(says)}</p><p>${proseHtml(next)}</p><p><a href="/">Console</a></p>`,
  );
}

/** An account's own page: its browsers and its password. */
export function settingsPage(
  account: string,
  sessions: readonly SessionView[],
  { says, isDone = false }: { readonly says?: string | undefined; readonly isDone?: boolean } = {},
): string {
  return page(
    `${account} - Waybill`,
    `<h1>${escapeHtml(account)}</h1>${isDone ? `<p class="panel" role="status">${escapeHtml(says ?? "")}</p>` : alert(says)}
<h2>Signed in</h2><table><thead><tr><th>Browser</th><th>Since</th><th>Last used</th><th></th></tr></thead><tbody>${sessions.map(sessionRow).join("")}</tbody></table>
<form method="post" action="/settings/sessions"><p><button name="session" value="others">End all others</button></p></form>
<h2>Password</h2><form class="panel" method="post" action="/settings/password">
<input type="text" name="account" value="${escapeHtml(account)}" autocomplete="username" readonly hidden>
<p><label for="current">Current password, if there is one</label><br><input id="current" name="current" type="password" maxlength="${passwordMaxLength}" autocomplete="current-password"></p>
${field("password", `New password, at least ${passwordMinLength} characters`, `type="password" minlength="${passwordMinLength}" maxlength="${passwordMaxLength}" autocomplete="new-password"`)}
<p><button>Change it</button> <span class="muted">ends all other sessions</span></p></form>
${signOutForm}<p><a href="/">Console</a></p>`,
  );
}

const signOutForm = `<form method="post" action="/logout"><p><button>Sign out</button></p></form>`;

function sessionRow({ id, how, createdAt, lastUsedAt, address, agent, current }: SessionView): string {
  const end = current
    ? "this one"
    : `<form method="post" action="/settings/sessions"><button name="session" value="${escapeHtml(id)}">End</button></form>`;
  return `<tr><td>${escapeHtml(agent ?? "unknown")}<br><span class="muted">${escapeHtml(address ?? "unknown")}, by ${escapeHtml(how)}</span></td><td>${timeHtml(createdAt)}</td><td>${timeHtml(lastUsedAt)}</td><td>${end}</td></tr>`;
}

function alert(says: string | undefined): string {
  return says === undefined ? "" : `<p class="panel failed" role="alert">${proseHtml(says)}</p>`;
}
