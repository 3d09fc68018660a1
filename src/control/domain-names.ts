/** Which names of people's own may lead to a Space. Pure. */
import { isIP } from "node:net";
import { domainToASCII, domainToUnicode } from "node:url";
import { parseHost } from "../http/host.ts";

export interface OwnNames {
  readonly appsDomain: string;
  /** All hosts of the console's. */
  readonly consoleHosts: readonly string[];
}

export type DomainName = { readonly ok: true; readonly name: string } | { readonly ok: false; readonly says: string };

/** Suffixes that lead nowhere but to the machine that asks (RFC 6761, RFC 7686). */
const nowhere: readonly string[] = ["localhost", "invalid", "onion"];
/** RFC 1035 §2.3.4, less `_waybill.`. */
const nameMaxLength = 244;

/** The name in A-labels (RFC 5890) and lower case, or why it is refused. */
export function domainName(text: string, own: OwnNames): DomainName {
  const plain = text.trim().replace(/\.$/, "");
  if (plain === "" || /[\s/:@?#%*\\[\]]/.test(plain))
    return no(text, "is no name; write one alone, such as app.example.com");
  const name = domainToASCII(plain);
  if (isIP(name) !== 0 || isIP(plain) !== 0) return no(text, "is an address; only names can be a Space's");
  // An A-label that is none stays as it is.
  const isUnreadable = domainToUnicode(name)
    .split(".")
    .some((label) => label.startsWith("xn--"));
  if (name === "" || parseHost(name)?.name !== name || name.length > nameMaxLength || isUnreadable)
    return no(text, "is no name that DNS can have");
  if (!name.includes(".")) return no(text, "has one label alone; write the whole name, such as app.example.com");
  if (nowhere.some((suffix) => name.endsWith(`.${suffix}`)))
    return no(text, "leads nowhere but to the machine that asks");
  const { appsDomain, consoleHosts } = own;
  if (name === appsDomain || name.endsWith(`.${appsDomain}`))
    return no(text, `is under ${appsDomain}, whose names the platform gives out itself`);
  const above = [appsDomain, ...consoleHosts].find((host) => host === name || host.endsWith(`.${name}`));
  if (above !== undefined)
    return no(
      text,
      `is ${above === name ? "the console's" : `above ${above}`}: an app there could set cookies for the platform's own hosts`,
    );
  return { ok: true, name };
}

function no(text: string, says: string): DomainName {
  return { ok: false, says: `"${text}" ${says}.` };
}
