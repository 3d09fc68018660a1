/** Chooses between the page for people and the document for programs by the request's `Accept` (RFC 9110 §12.5.1). */

/** An `Accept` longer than this is read no further: a browser's has about 150 characters. */
const acceptMaxLength = 1_000;

/** Whether the client would rather have HTML: it names `text/html` itself, and values it no less than JSON. */
export function prefersHtml(accept: string | undefined): boolean {
  if (accept === undefined || accept.length > acceptMaxLength) return false;
  let html = -1;
  let json = -1;
  for (const range of accept.toLowerCase().split(",")) {
    const [type, ...parameters] = range.split(";").map((part) => part.trim());
    const weight = weightOf(parameters);
    if (type === "text/html" || type === "application/xhtml+xml") html = Math.max(html, weight);
    if (type === "application/json" || type === "application/problem+json") json = Math.max(json, weight);
  }
  return html > 0 && html >= json;
}

function weightOf(parameters: readonly string[]): number {
  const q = parameters.find((parameter) => parameter.startsWith("q="));
  const weight = q === undefined ? 1 : Number(q.slice(2));
  return Number.isFinite(weight) ? Math.min(Math.max(weight, 0), 1) : 0;
}
