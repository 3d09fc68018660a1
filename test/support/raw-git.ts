/** What a client of git's smart HTTP sends, byte by byte: of one that git's own would never be. */
import { spawnSync } from "node:child_process";
import { packet } from "../../src/hub/pkt-line.ts";

export const zeroId = "0".repeat(40);

/** That `ref` is to go from one commit to another. */
export function pushCommand(from: string, to: string, ref = "refs/heads/main"): Buffer {
  return Buffer.concat([packet(`${from} ${to} ${ref}\0 report-status side-band-64k\n`), Buffer.from("0000")]);
}

/** A pack of what `revision` of a working copy has, and what it is. */
export function packOf(path: string, revision: string): Buffer {
  const args = ["pack-objects", "--revs", "--stdout", "-q"];
  return spawnSync("git", args, { cwd: path, input: `${revision}\n`, maxBuffer: 64 << 20 }).stdout;
}

/** What asks for a commit's objects. */
export function wantOf(commit: string): Buffer {
  return Buffer.concat([packet(`want ${commit} side-band-64k\n`), Buffer.from("00000009done\n")]);
}

/** `url`: the repository's address. */
export async function sendGit(
  url: string,
  service: "git-receive-pack" | "git-upload-pack",
  body: Buffer,
  token = "x",
  signal?: AbortSignal,
): Promise<Response> {
  return await fetch(`${url}/${service}`, {
    method: "POST",
    headers: {
      authorization: `Basic ${Buffer.from(`alice:${token}`).toString("base64")}`,
      "content-type": `application/x-${service}-request`,
    },
    body: new Uint8Array(body),
    ...(signal && { signal }),
  });
}
