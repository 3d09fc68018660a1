/** Files that a root agent hands to the user of a Space, or of an owner's builds. */
import { execFile } from "node:child_process";
import { lchownSync, lstatSync } from "node:fs";
import { promisify } from "node:util";

/** Makes all of a folder this user's; links are not followed. Nothing is done where the folder itself is already. */
export async function giveTree(folder: string, uid: number): Promise<void> {
  const found = lstatSync(folder);
  // What it leads to may be anybody's.
  if (!found.isDirectory()) throw new Error(`${folder} is no folder, and is given to nobody`);
  if (found.uid === uid) return;
  // The folder itself comes last: it says that all of it is done.
  const inside = ["-h", `${uid}:${uid}`, "--"];
  await promisify(execFile)("find", [folder, "-mindepth", "1", "-exec", "chown", ...inside, "{}", "+"]);
  lchownSync(folder, uid, uid);
}
