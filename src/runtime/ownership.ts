/** Files that a root agent hands to the user of a Space, or of an owner's builds. */
import { execFile } from "node:child_process";
import { chownSync, statSync } from "node:fs";
import { promisify } from "node:util";

/** Makes all of a folder this user's; links are not followed. Nothing is done where the folder itself is already. */
export async function giveTree(folder: string, uid: number): Promise<void> {
  if (statSync(folder).uid === uid) return;
  // The folder itself comes last: it says that all of it is done.
  const inside = ["-h", `${uid}:${uid}`, "--"];
  await promisify(execFile)("find", [folder, "-mindepth", "1", "-exec", "chown", ...inside, "{}", "+"]);
  chownSync(folder, uid, uid);
}
