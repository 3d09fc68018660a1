/** The console's page where a person answers a program that asks to be signed in: what asks, from where, for what. No script. */
import { escapeHtml } from "../http/index.ts";
import type { Device } from "../identity/device-codes.ts";
import type { Scope } from "../identity/token-resolver.ts";
import { page } from "./pages.ts";

const path = "/login/device";
const may: Readonly<Record<Scope, string>> = {
  read: "read what the API tells you",
  write: "change things: deploy, push, set secrets, make tokens",
  gpu: "spend your GPU time",
  admin: "do all that an operator may",
  node: "join as a node",
};

/** Asks for the code; `says`: why the last one was not taken. */
export function askCodePage(says?: string): string {
  const wrong = says === undefined ? "" : `<p class="panel failed" role="alert">${escapeHtml(says)}</p>`;
  return page(
    "Sign a program in - Waybill",
    `<h1>Sign a program in</h1>${wrong}<form class="panel" method="get" action="${path}"><p><label for="code">The code that it shows</label></p>
<p><input id="code" name="code" required maxlength="20" autocomplete="off" autocapitalize="characters" spellcheck="false" autofocus></p>
<p><button>Go on</button></p></form>`,
  );
}

/** Shows what waits under a code, and asks for the person's word. `granted`: of what it asks, what this account may give. */
export function answerPage(
  device: Device,
  { account, granted }: { readonly account: string; readonly granted: readonly Scope[] },
): string {
  const { client, machine, address, scopes, userCode } = device;
  const items = scopes.map((scope) => {
    const isGiven = granted.includes(scope);
    return `<li><code>${scope}</code>: ${isGiven ? may[scope] : `not given: ${account} has it not to give`}</li>`;
  });
  return page(
    "Sign a program in - Waybill",
    `<h1>May this program act as ${escapeHtml(account)}?</h1>
<dl><dt>code</dt><dd><strong><code>${escapeHtml(userCode)}</code></strong></dd>
<dt>program</dt><dd>${client === "hf" ? "the Hub's client, <code>hf auth login</code>" : "<code>waybill login</code>"}, by its own word</dd>
<dt>machine</dt><dd>${machine === null ? "it does not say" : `${escapeHtml(machine)}, by its own word`}</dd>
<dt>asked from</dt><dd>${address === null ? "unknown" : escapeHtml(address)}</dd>
<dt>as</dt><dd>${escapeHtml(account)}</dd></dl>
<h2>It could</h2><ul>${items.join("")}</ul>
<p class="panel">Approve only what you started yourself, just now, and only where the program shows this code. If somebody sent you here, deny.</p>
<form method="post" action="${path}"><input type="hidden" name="code" value="${escapeHtml(userCode)}">
<p><button name="answer" value="approve">Approve</button> <button name="answer" value="deny">Deny</button></p></form>`,
  );
}

/** What became of it. */
export function answeredPage(title: string, says: string): string {
  return page(
    `${title} - Waybill`,
    `<h1>${escapeHtml(title)}</h1><p class="panel">${escapeHtml(says)}</p><p><a href="/">Console</a></p>`,
  );
}
