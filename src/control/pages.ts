/** Pages for people: the plain console with what runs, and the story of one work. No script, no foreign request. */
import { escapeHtml } from "../http/index.ts";
import type { PoolView, SpaceView, StatusView } from "../contract/api.ts";
import type { Explanation } from "../evidence/verdict.ts";

/** What every page of the console is sent with. */
export const pageHeaders: Readonly<Record<string, string>> = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
};

const style = `
:root{color-scheme:light dark;--ground:light-dark(#fff,#0e1116);--panel:light-dark(#f6f7f9,#171b22);--text:light-dark(#1b1f24,#e6e9ee);
--muted:light-dark(#57606a,#9aa4b2);--line:light-dark(#d5d9df,#2a313c);--failed:light-dark(#b3261e,#ff8a80);--link:light-dark(#0b5cad,#6cb2ff)}
*{box-sizing:border-box}body{margin:0;background:var(--ground);color:var(--text);font:16px/1.5 system-ui,sans-serif}
main{max-width:62rem;margin:0 auto;padding:1.5rem 1rem 4rem}h1{font-size:1.5rem;margin:0}h2{font-size:1.05rem;margin:2rem 0 .5rem}
p{margin:.25rem 0}a{color:var(--link)}.muted{color:var(--muted)}.failed{color:var(--failed);font-weight:600}
.panel{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:.75rem 1rem;margin:.5rem 0}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.35rem .75rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600;color:var(--muted);font-size:.85rem}code,pre{font:0.9rem/1.45 ui-monospace,monospace}pre{overflow-x:auto}
.scroll{overflow-x:auto}.badge{border:1px solid var(--line);border-radius:999px;padding:0 .6rem;font-size:.85rem;white-space:nowrap}`;

function page(title: string, body: string, refreshSeconds?: number): string {
  const refresh = refreshSeconds === undefined ? "" : `<meta http-equiv="refresh" content="${refreshSeconds}">`;
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">${refresh}<title>${escapeHtml(title)}</title><style>${style}</style></head><body><main>${body}</main></body></html>`;
}

/** The console's first page: pools, and each Space with its state and why. */
export function consolePage(status: StatusView, spaces: readonly SpaceView[]): string {
  const rows = spaces
    .map(
      (space) => `<tr><td><strong>${escapeHtml(space.id)}</strong><br><span class="muted">${escapeHtml(space.sdk ?? "no release yet")}</span></td>
<td class="${space.state === "failed" ? "failed" : ""}">${escapeHtml(space.state)}<br><span class="muted">${escapeHtml(space.says)}</span></td>
<td>${space.addresses.map((address) => `<a href="${escapeHtml(address)}">${escapeHtml(address)}</a>`).join("<br>")}</td></tr>`,
    )
    .join("");
  const table = spaces.length
    ? `<div class="scroll"><table><thead><tr><th>Space</th><th>State</th><th>Addresses: by name, and for programs</th></tr></thead><tbody>${rows}</tbody></table></div>`
    : `<p class="panel">No Space yet. Make one: <code>waybill deploy ./my-app --space you/my-app</code></p>`;
  return page(
    "Waybill",
    `<h1>Waybill</h1><p class="muted">${escapeHtml(status.version)}, ready in ${status.bootMs} ms, journal at ${status.journalIndex}</p>
<h2>GPUs</h2>${status.pools.map(poolPanel).join("") || '<p class="panel">This platform has no pool.</p>'}
<h2>Spaces</h2>${table}
<h2>Isolation</h2><p class="panel">${escapeHtml(status.isolation.says)}</p>
<p class="muted">Any id has a story: <code>waybill explain ID</code></p>`,
    10,
  );
}

function poolPanel(pool: PoolView): string {
  const simulated = pool.simulated ? ' <span class="badge">simulated: no real GPU</span>' : "";
  return `<p class="panel"><strong>${escapeHtml(pool.name)}</strong>${simulated}<br>${pool.leased} of ${pool.slots} slots leased on ${pool.devices} cards, ${pool.waiting} waiting, queue limit ${pool.queueLimitMs / 1000} s</p>`;
}

/** The story of one work: its verdict for everyone who has the id, its entries for those who may see them. */
export function workPage(explanation: Explanation, { details }: { details: boolean }): string {
  const { verdict } = explanation;
  const head = verdict
    ? `<p class="panel"><strong>${escapeHtml(verdict.sentence)}</strong><br>${escapeHtml(`${verdict.boundary} / ${verdict.code}, ${verdict.certainty}, owner ${verdict.owner}`)}<br>${escapeHtml(chargeSays(verdict.charge))}<br>${escapeHtml(verdict.next)}</p>`
    : `<p class="panel">${escapeHtml(explanation.sentence)}</p>`;
  const entries = explanation.entries
    .map((entry) => `<tr><td><code>${escapeHtml(entry.at)}</code></td><td>${escapeHtml(entry.hop)}</td><td>${escapeHtml(entry.mark)}</td><td><code>${escapeHtml(entry.id)}</code></td><td><code>${escapeHtml(JSON.stringify(entry.facts))}</code></td></tr>`)
    .join("");
  const table = details
    ? `<h2>Entries</h2><div class="scroll"><table><thead><tr><th>Time</th><th>Hop</th><th>Mark</th><th>Entry</th><th>Facts</th></tr></thead><tbody>${entries}</tbody></table></div>`
    : `<p class="muted">The entries are shown to the owner of the Space and to the operator: <code>waybill explain ${escapeHtml(explanation.id)}</code></p>`;
  return page(`${explanation.id} - Waybill`, `<h1>${escapeHtml(explanation.kind)} ${escapeHtml(explanation.id)}</h1><p class="muted">${escapeHtml(explanation.outcome)}</p>${head}${table}<p><a href="/">Console</a></p>`);
}

function chargeSays(charge: { chargedMs: number; heldMs: number } | null): string {
  return charge ? `Charged ${charge.chargedMs / 1000} s of ${charge.heldMs / 1000} s held.` : "";
}
