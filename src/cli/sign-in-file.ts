/** The saved sign-in: one server's address with a token for it, in a file that its owner alone reads. */
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { exit } from "./exit.ts";
import { CliFailure } from "./failures.ts";

export interface SignIn {
  readonly url: string;
  readonly token: string;
}

/** Undefined where nobody is signed in. */
export async function readSignIn(file: string): Promise<SignIn | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw damaged(file, error);
  }
  try {
    const { url, token } = JSON.parse(text) as { url?: unknown; token?: unknown };
    if (typeof url === "string" && URL.canParse(url) && typeof token === "string") return { url, token };
  } catch (error) {
    throw damaged(file, error);
  }
  throw damaged(file, undefined);
}

/** In the place of what was there: whole or not at all, and never with other rights than its owner's. */
export async function writeSignIn(file: string, signIn: SignIn): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const beside = `${file}.new`;
  // What an interrupted write left behind may have had other rights.
  await rm(beside, { force: true });
  const handle = await open(beside, "wx", 0o600);
  try {
    await handle.writeFile(JSON.stringify(signIn));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(beside, file);
}

export async function forgetSignIn(file: string): Promise<void> {
  await rm(file, { force: true });
}

function damaged(file: string, cause: unknown): CliFailure {
  return new CliFailure(exit.usage, {
    code: "sign-in-file",
    says: `The saved sign-in ${file} cannot be read.`,
    next: "Remove that file, or set WAYBILL_URL and WAYBILL_TOKEN.",
    cause,
  });
}
