/** Repositories whose lists are longer than what may be held of them: files, history and branches come in pages, in a memory that stays as it is. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Platform, type Account } from "../support/platform.ts";

/** With their paths some 75 MiB of git's list, where 64 may be held. */
const folders = 420;
const filesOfFolder = 1_000;
const padding = "a-name-that-is-long-as-those-of-data-sets-are-".repeat(2);
/** Together some 80 MiB of messages. */
const commits = 400;
const messageChars = 200_000;
/** Some 70 MiB of git's list of them. */
const branches = 400_000;
/** Of the platform's process, for a list that as text alone has more. */
const grownMaxBytes = 400 << 20;

describe("repositories with long lists", () => {
  let up: Platform;
  let alice: Account;
  before(async () => {
    up = await Platform.start({ gpus: null });
    alice = await up.account("alice");
  });
  after(() => up?.[Symbol.asyncDispose]());

  const api = (name: string): string => `${up.url}/api/models/alice/${name}`;
  /** A model of that name; its folder. */
  const make = async (name: string): Promise<string> => {
    const root = join(up.data, "repositories", "models");
    const before = new Set(readFolder(root));
    const made = await fetch(`${up.url}/api/repos/create`, {
      method: "POST",
      headers: { authorization: `Bearer ${alice.token}`, "content-type": "application/json" },
      body: JSON.stringify({ name, type: "model" }),
    });
    assert.equal(made.status, 200, await made.text());
    const fresh = readFolder(root).find((one) => !before.has(one));
    return join(root, fresh ?? "");
  };
  const memory = (): number =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${up.pid}/status`, "utf8"))?.[1]) * 1024;

  /** All pages, and how long the slowest took. */
  async function pages<T>(
    first: string,
    see: (items: readonly T[]) => void,
  ): Promise<{ count: number; slowestMs: number }> {
    let [next, count, slowestMs] = [first as string | undefined, 0, 0];
    for (; next !== undefined; count += 1) {
      const begun = performance.now();
      const answer = await fetch(next);
      assert.equal(
        answer.status,
        200,
        await answer
          .clone()
          .text()
          .catch(() => ""),
      );
      see((await answer.json()) as T[]);
      slowestMs = Math.max(slowestMs, performance.now() - begun);
      next = /<([^>]+)>; rel="next"/.exec(answer.headers.get("link") ?? "")?.[1];
    }
    return { count, slowestMs };
  }

  test("420,000 files are listed page by page, found by their paths, and read", async (t) => {
    const folder = await make("files");
    await fastImport(folder, function* () {
      yield "blob\nmark :1\ndata 5\nbytes\n";
      yield "commit refs/heads/main\ncommitter a <a@b.c> 1700000000 +0000\ndata 4\nmany\n";
      for (let f = 0; f < folders; f += 1)
        for (let n = 0; n < filesOfFolder; n += 1) yield `M 100644 :1 ${pathOf(f, n)}\n`;
    });
    const before = memory();
    const seen = new Set<string>();
    const told = await pages<{ path: string; type: string; size: number }>(
      `${api("files")}/tree/main?recursive=true`,
      (items) => {
        assert.ok(items.length <= 1_000);
        for (const { path, type, size } of items) if (type === "file" && size === 5) seen.add(path);
      },
    );
    assert.equal(seen.size, folders * filesOfFolder);
    assert.ok(seen.has(pathOf(7, 999)));
    const grown = memory() - before;
    assert.ok(grown < grownMaxBytes, `the platform has ${grown >> 20} MiB more`);
    const found = await fetch(`${api("files")}/paths-info/main`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ paths: [pathOf(3, 4), "nothing", "folder-0005"] }),
    });
    const entries = (await found.json()) as { path: string; type: string }[];
    assert.deepEqual(
      entries.map(({ path, type }) => [path, type]),
      [
        [pathOf(3, 4), "file"],
        ["folder-0005", "directory"],
      ],
    );
    assert.equal(await (await fetch(`${up.url}/alice/files/resolve/main/${pathOf(419, 0)}`)).text(), "bytes");
    const info = (await (await fetch(api("files"))).json()) as { siblings: unknown[] };
    assert.ok(info.siblings.length > 50_000, "clients take fewer for all of them");
    t.diagnostic(`${told.count} pages, the slowest ${told.slowestMs.toFixed(0)} ms; ${grown >> 20} MiB more`);
  });

  test("a history of long messages is listed whole", async () => {
    const folder = await make("history");
    await fastImport(folder, function* () {
      for (let n = 0; n < commits; n += 1) {
        const message = `${n}\n\n${"x".repeat(messageChars)}`;
        yield `commit refs/heads/long\ncommitter a <a@b.c> ${1_700_000_000 + n} +0000\ndata ${message.length}\n${message}\n`;
      }
    });
    const titles: string[] = [];
    const told = await pages<{ title: string }>(`${api("history")}/commits/long`, (items) => {
      for (const { title } of items) titles.push(title);
    });
    assert.deepEqual(
      titles,
      Array.from({ length: commits }, (_, n) => String(commits - 1 - n)),
    );
    assert.ok(told.count > 1);
  });

  test("400,000 branches are listed in one answer", async () => {
    const folder = await make("branches");
    const head = readFileSync(join(folder, "refs/heads/main"), "utf8").trim();
    const names = Array.from({ length: branches }, (_, n) => `refs/heads/${padding}${String(n).padStart(6, "0")}`);
    writeFileSync(
      join(folder, "packed-refs"),
      `# pack-refs with: peeled fully-peeled sorted \n${names.map((name) => `${head} ${name}\n`).join("")}`,
    );
    const answer = await fetch(`${api("branches")}/refs`);
    const told = (await answer.json()) as { branches: { name: string; targetCommit: string }[]; tags: unknown[] };
    assert.deepEqual([told.branches.length, told.tags], [branches + 1, []]);
    assert.equal(told.branches.at(-1)?.name, "main");
    assert.equal(told.branches[0]?.targetCommit, head);
  });
});

function pathOf(folder: number, file: number): string {
  return `folder-${String(folder).padStart(4, "0")}/${padding}${String(file).padStart(4, "0")}.txt`;
}

function readFolder(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return []; // Nothing was made yet.
  }
}

async function fastImport(folder: string, stream: () => Iterable<string>): Promise<void> {
  const child = spawn("git", ["-C", folder, "fast-import", "--quiet", "--force"], {
    stdio: ["pipe", "ignore", "inherit"],
  });
  const ended = once(child, "close");
  let text = "";
  for (const line of stream()) {
    text += line;
    if (text.length < 1 << 20) continue;
    if (!child.stdin.write(text)) await once(child.stdin, "drain");
    text = "";
  }
  child.stdin.end(text);
  assert.deepEqual(await ended, [0, null]);
}
