/** What an app is told of the person, by the names that the Hub gives it. */
import type { AccountRow } from "../../catalog/accounts.ts";
import { escapeHtml } from "../../http/index.ts";
import type { SignInParts } from "./parts.ts";
import { providerPaths } from "./paths.ts";

/**
 * The subject is the account's name, the same for all apps: names are never given again, and an app that may see a profile has the name
 * anyway. Organisations are told where they are asked for: apps keep ID tokens in cookies, which are small.
 */
export function accountClaims(
  { organisationsOf, consoleUrl }: Pick<SignInParts, "organisationsOf" | "consoleUrl">,
  { name, tier }: AccountRow,
  use: "id_token" | "userinfo",
): Readonly<Record<string, unknown>> {
  const about = {
    sub: name,
    name,
    preferred_username: name,
    profile: `${consoleUrl()}/${name}`,
    picture: `${consoleUrl()}${providerPaths.picture}/${name}.svg`,
    isPro: tier !== "free" && tier !== "anonymous",
  };
  if (use === "id_token") return about;
  const orgs = organisationsOf(name).map(({ organisation, role }) => ({
    ...{ sub: organisation, name: organisation, preferred_username: organisation, picture: "" },
    ...{ isEnterprise: false, roleInOrg: role },
  }));
  return { ...about, orgs };
}

/** A picture for an account: its first letter on a colour of its own. */
export function accountPicture(name: string): string {
  const hue = [...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 360, 7);
  const letter = escapeHtml(name.slice(0, 1).toUpperCase());
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" fill="hsl(${hue} 55% 38%)"/><text x="32" y="43" font-family="system-ui,sans-serif" font-size="32" text-anchor="middle" fill="#fff">${letter}</text></svg>`;
}
