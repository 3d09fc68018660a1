/** `hf_oauth` and what belongs to it: how people sign in to the app with their account of the platform. */
import {
  defaultExpiresInMinutes,
  defaultRedirectPath,
  expiresMostMinutes,
  isAppScope,
  scopesOfAll,
} from "../contract/oauth.ts";
import { isName } from "../contract/name.ts";
import type { AppScope, AppSignIn } from "../contract/oauth.ts";
import type { SettingsReader } from "./settings-reader.ts";

const organisationsMax = 50;
const pathMaxLength = 200;

/** Null where the app does without it; what is wrong is said also then. */
export function signInOf(read: SettingsReader): AppSignIn | null {
  const isWanted = read.flag("hf_oauth");
  const minutes = read.wholeNumber("hf_oauth_expiration_minutes", { least: 1, most: expiresMostMinutes });
  const signIn: AppSignIn = {
    scopes: scopesIn(read),
    expiresInMinutes: minutes ?? defaultExpiresInMinutes,
    organisations: organisationsIn(read),
    redirectPath: redirectPathIn(read),
  };
  return isWanted ? signIn : null;
}

function scopesIn(read: SettingsReader): readonly AppScope[] {
  const key = "hf_oauth_scopes";
  const named = [...new Set(read.texts(key))];
  const ofAll: readonly string[] = scopesOfAll;
  for (const name of named)
    if (!isAppScope(name))
      read.warn(key, `${key} has ${JSON.stringify(name)}, which opens nothing here and is not asked for`);
  return named.filter(isAppScope).filter((name) => !ofAll.includes(name));
}

function organisationsIn(read: SettingsReader): readonly string[] {
  const key = "hf_oauth_authorized_org";
  const names = read.oneOrMore(key);
  if (names.length > organisationsMax)
    read.refuse(key, `${key} has ${names.length} names; at most ${organisationsMax}`);
  for (const name of names)
    if (!isName(name.toLowerCase()))
      read.refuse(
        key,
        `${key} has ${JSON.stringify(name)}, which no organisation is called; write organisations' names`,
      );
  return names.map((name) => name.toLowerCase());
}

/** A path alone: what follows the app's own host in an address, without a query or a fragment (RFC 3986 §3.3). */
function redirectPathIn(read: SettingsReader): string {
  const key = "hf_oauth_redirect_path";
  const path = read.text(key, pathMaxLength);
  if (path === null) return defaultRedirectPath;
  const isPath =
    /^\/[\w.~!$&'()*+,;=:@/-]*$/.test(path) && !path.startsWith("//") && new URL(path, "http://a").pathname === path;
  if (!isPath)
    read.refuse(key, `${key} is ${JSON.stringify(path)}; write a path of the app, such as ${defaultRedirectPath}`);
  return path;
}
