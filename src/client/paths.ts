/** The API's paths of what is named by several words. */
import type { Cards, Drainable, Routable } from "./asked.ts";

export function accessPath(repository: string): string {
  return `/api/${pathOf(repository)}/user-access-request`;
}

export function drainPath(of: Drainable): string {
  return "pool" in of ? `/api/pools/${encodeURIComponent(of.pool)}/drain` : cardsPath(of, "drain");
}

export function cardsPath({ node, card }: Cards, what: "drain" | "pool"): string {
  return `/api/nodes/${encodeURIComponent(node)}${card === undefined ? "" : `/cards/${card}`}/${what}`;
}

export function routePath(of: Routable): string {
  const whose = "space" in of ? `spaces/${pathOf(of.space)}` : `accounts/${encodeURIComponent(of.account)}`;
  return `/api/${whose}/pools`;
}

/** Encodes each part, so that `owner/name` stays two of them. */
export function pathOf(id: string): string {
  return id.split("/").map(encodeURIComponent).join("/");
}
