/** Who may sign in to an app: a person, and where its front matter names organisations a member of one. */
import type { SignInApp } from "./app.ts";
import type { SignInParts } from "./parts.ts";

/** Why this account may not, to be read by its person; undefined where it may. */
export async function mayNotSignIn(
  parts: Pick<SignInParts, "account" | "organisationsOf">,
  account: string,
  { space, signIn }: SignInApp,
): Promise<string | undefined> {
  const row = await parts.account(account);
  if (row === undefined || row.kind !== "person") return `${account} is no account that signs in to apps.`;
  const mine = parts.organisationsOf(account).map(({ organisation }) => organisation);
  if (signIn.organisations.length === 0 || signIn.organisations.some((one) => mine.includes(one))) return undefined;
  return `Only members of ${signIn.organisations.join(" or ")} may sign in to ${space}, and ${account} is none.`;
}
