/** What of the audit log is asked for: in the address of the page as in the API, but for times, which people write in their own. Pure. */

export const auditNames = ["account", "action", "target", "request", "since", "until"] as const;
export type AuditName = (typeof auditNames)[number];
export const auditTimes: ReadonlySet<AuditName> = new Set(["since", "until"]);

/** As the address names it; what it does not know of is left out. */
export function auditAsked(search: URLSearchParams): URLSearchParams {
  const asked = new URLSearchParams();
  for (const name of [...auditNames, "page"] as const) {
    const value = search.get(name)?.trim() ?? "";
    if (value !== "") asked.set(name, value);
  }
  return asked;
}

/** What a form has: its times are the reader's, `2026-11-30T12:00`; those in the address are of all clocks. */
export function auditOfForm(texts: Readonly<Record<string, string>>): URLSearchParams {
  const asked = new URLSearchParams();
  for (const name of auditNames) {
    const text = texts[name]?.trim() ?? "";
    const value = auditTimes.has(name) ? timeOf(text) : text;
    if (value !== "") asked.set(name, value);
  }
  return asked;
}

function timeOf(text: string): string {
  const at = Date.parse(text);
  return Number.isNaN(at) ? "" : new Date(at).toISOString();
}

/** A time of the address as an input of the reader's clock takes it. */
export function localInput(text: string | null): string {
  const at = new Date(text ?? "");
  if (Number.isNaN(at.getTime())) return "";
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day}T${two(at.getHours())}:${two(at.getMinutes())}`;
}
