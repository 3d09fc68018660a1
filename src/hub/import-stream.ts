/** What `git fast-import` reads to make one commit. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { TreeEntry } from "./git-objects.ts";
import type { CommitRequest, NewFile } from "./repository.ts";

/**
 * The stream of `git fast-import`: one commit on top of `head`. git has to have a name for it meanwhile, `passing`, which it forgets at the
 * end; it says the commit's id, and a row of `ls` with its tree's.
 */
export async function* importStream(
  request: CommitRequest,
  onto: {
    readonly head: string | null;
    readonly passing: string;
    readonly present: readonly TreeEntry[];
    readonly seconds: number;
  },
): AsyncGenerator<Uint8Array | string> {
  const modes = new Map(onto.present.map(({ path, mode }) => [path, mode]));
  const who = `${plain(request.author.name)} <${plain(request.author.email)}> ${onto.seconds} +0000`;
  const message = Buffer.from(
    request.description ? `${request.summary}\n\n${request.description}\n` : `${request.summary}\n`,
  );
  yield `feature done\ncommit ${onto.passing}\nmark :1\nauthor ${who}\ncommitter ${who}\ndata ${message.length}\n`;
  yield message;
  yield "\n";
  if (onto.head !== null) yield `from ${onto.head}\n`;
  if (request.replaceAll) yield "deleteall\n";
  for (const path of [...(request.deletedFolders ?? []), ...(request.deletedFiles ?? [])]) yield `D ${quoted(path)}\n`;
  for (const { path, content } of request.files) {
    // What was a program stays one: this way of committing cannot say so.
    const mode = modes.get(path) === "100755" ? "100755" : "100644";
    yield `M ${mode} inline ${quoted(path)}\n`;
    yield* data(content);
  }
  yield `get-mark :1\nls :1 ""\nreset ${onto.passing}\nfrom ${"0".repeat(40)}\n\ndone\n`;
}

async function* data(content: NewFile["content"]): AsyncGenerator<Uint8Array | string> {
  if ("bytes" in content) {
    yield `data ${content.bytes.length}\n`;
    yield content.bytes;
  } else {
    const { size } = await stat(content.file);
    yield `data ${size}\n`;
    let sent = 0;
    // The length was promised: a file that grows meanwhile is cut there, one that shrinks fails the commit.
    if (size > 0) {
      for await (const piece of createReadStream(content.file, { end: size - 1 }) as AsyncIterable<Buffer>) {
        sent += piece.length;
        yield piece;
      }
    }
    if (sent !== size) throw new Error(`${content.file} became shorter while it was read`);
  }
  yield "\n";
}

function plain(text: string): string {
  return text.replace(/[<>\r\n\0]/g, " ").trim() || "unknown";
}

function quoted(path: string): string {
  return `"${path.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}
