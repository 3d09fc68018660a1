/** Commits, listings, clones and pushes: what git does of the work stands beside each. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { GitClient, type GitEnd, type Work } from "../test/support/git-client.ts";
import { figure, peerOf, quantile, type Figure } from "./document.ts";
import { quoted } from "./hub-client.ts";
import { removed, writeMany } from "./hub-files.ts";
import { PlainGit } from "./hub-peers.ts";
import { createRepo, type PlainWorld, type World } from "./hub-world.ts";

const fileBytes = 1_000;
const rounds = 3;
const listings = 3;

export const commitName = "ms, commit of 1,000 files by the client";

/** By the client, whose questions before it are counted; and the commit alone, as one request. */
export async function commitFigures(world: World): Promise<readonly Figure[]> {
  const { up, alice, client, sizes, folder, report } = world;
  const repo = await createRepo(world, "commits");
  using git = new GitClient();
  const own = git.init("alone", "nowhere", { "README.md": "one\n" });
  const times = { client: [] as number[], own: [] as number[], request: [] as number[], git: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    const from = join(folder, `commit-${round}`);
    writeMany(from, sizes.commitFiles, fileBytes, ".json");
    const operations = `[CommitOperationAdd(path_in_repo=f"r${round}/{d}/{f}", path_or_fileobj=os.path.join(${quoted(from)}, d, f)) for d in sorted(os.listdir(${quoted(from)})) for f in sorted(os.listdir(os.path.join(${quoted(from)}, d)))]`;
    const call = `api.create_commit(repo_id=${quoted(repo)}, operations=${operations}, commit_message="many")`;
    const byClient = await client.time({ url: up.url, token: alice.token }, "plain HTTP", call);
    times.client.push(byClient.seconds * 1_000);
    times.own.push(byClient.cpuSeconds * 1_000);
    times.request.push(await commitAlone(world, repo, round));
    times.git.push(await gitAlone(own, sizes.commitFiles));
    report(
      `commit: ${Math.round(byClient.seconds * 1_000)} ms (${Math.round(byClient.cpuSeconds * 1_000)} of the client's processor), one request ${Math.round(times.request.at(-1) ?? 0)} ms, git alone ${Math.round(times.git.at(-1) ?? 0)} ms`,
    );
    removed(from);
  }
  return [
    {
      ...figure(commitName, "ms", times.client),
      peers: [
        peerOf("the client's own processor time of it", times.own, times.client),
        peerOf("git add and git commit alone", times.git, times.client),
      ],
    },
    {
      ...figure("ms, commit of 1,000 files as one request", "ms", times.request),
      peers: [peerOf("git add and git commit alone", times.git, times.request)],
    },
  ];
}

async function commitAlone({ up, alice, sizes }: World, repo: string, round: number): Promise<number> {
  const line = (key: string, value: object): string => JSON.stringify({ key, value });
  const files = Array.from({ length: sizes.commitFiles }, (_, n) =>
    line("file", {
      path: `alone${round}/${n}.json`,
      content: Buffer.alloc(fileBytes, `${round} ${n} `).toString("base64"),
      encoding: "base64",
    }),
  );
  const body = [line("header", { summary: "many" }), ...files].join("\n");
  const since = performance.now();
  const answer = await fetch(`${up.url}/api/models/${repo}/commit/main`, {
    method: "POST",
    headers: { authorization: `Bearer ${alice.token}`, "content-type": "application/x-ndjson" },
    body,
  });
  if (!answer.ok) throw new Error(`a commit was answered ${answer.status}: ${await answer.text()}`);
  await answer.arrayBuffer();
  return performance.now() - since;
}

async function gitAlone(work: Work, count: number): Promise<number> {
  writeMany(join(work.path, `r${Date.now()}`), count, fileBytes, ".json");
  const since = performance.now();
  for (const args of [
    ["add", "--all"],
    ["commit", "--quiet", "--message", "many"],
  ]) {
    const { exitCode, says } = await work.run(...args);
    if (exitCode !== 0) throw new Error(says);
  }
  return performance.now() - since;
}

/** Page by page as clients ask, all of a tree's files. */
export async function listingFigures(world: PlainWorld): Promise<readonly Figure[]> {
  const { up, alice, sizes, report } = world;
  const repo = await createRepo(world, "listed");
  using git = new GitClient();
  const work = git.init("listed", pushAddress(world, repo), { "README.md": "one\n" });
  await importMany(work, sizes.listedFiles);
  await well(work.run("push", "--quiet", "--force", "origin", "main"));
  const pages: number[] = [];
  const wholes: number[] = [];
  const alone: number[] = [];
  for (let n = 0; n < listings; n++) {
    let seen = 0;
    const since = performance.now();
    for (let next = `${up.url}/api/models/${repo}/tree/main?recursive=true`; next !== "";) {
      const asked = performance.now();
      const answer = await fetch(next, { headers: { authorization: `Bearer ${alice.token}` } });
      seen += ((await answer.json()) as readonly { readonly type: string }[]).filter(
        ({ type }) => type === "file",
      ).length;
      pages.push(performance.now() - asked);
      next = /<([^>]+)>; rel="next"/.exec(answer.headers.get("link") ?? "")?.[1] ?? "";
    }
    wholes.push((performance.now() - since) / 1_000);
    if (seen !== sizes.listedFiles) throw new Error(`a listing has ${seen} of ${sizes.listedFiles} files`);
    const aloneSince = performance.now();
    work.git("ls-tree", "-r", "-t", "-l", "HEAD");
    alone.push((performance.now() - aloneSince) / 1_000);
  }
  const [p50, p99] = [quantile(pages, 0.5), quantile(pages, 0.99)];
  report(
    `a page of ${sizes.listedFiles} files: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, the first ${pages[0]?.toFixed(0)} ms`,
  );
  return [
    figure("page p50 ms, listing of a large tree", "ms", [p50]),
    figure("page p99 ms, listing of a large tree", "ms", [p99]),
    figure("first page ms, listing of a large tree", "ms", pages.slice(0, 1)),
    {
      ...figure("s, the whole listing of a large tree", "s", wholes),
      peers: [peerOf("git ls-tree alone", alone, wholes)],
    },
  ];
}

function importMany(work: Work, count: number): Promise<void> {
  const child = spawn("git", ["fast-import", "--quiet", "--force"], {
    cwd: work.path,
    stdio: ["pipe", "ignore", "inherit"],
  });
  const lines = ["commit refs/heads/main\ncommitter bench <bench@example.test> 1700000000 +0000\ndata 4\nmany\n"];
  for (let n = 0; n < count; n++) {
    const text = `file ${n}\n`;
    const path = `part-${String(Math.floor(n / 1_000)).padStart(3, "0")}/${String(n).padStart(6, "0")}.txt`;
    lines.push(`M 100644 inline ${path}\ndata ${text.length}\n${text}`);
  }
  child.stdin.end(lines.join(""));
  return once(child, "close").then(([code]) => {
    if (code !== 0) throw new Error(`git fast-import ended with ${code}`);
  });
}

/** The same content to and from ours and a plain server of git's own, in turn. */
export async function gitFigures(world: PlainWorld): Promise<readonly Figure[]> {
  const { sizes, folder, report } = world;
  await using plain = await PlainGit.start(join(folder, "plain"));
  using git = new GitClient();
  const work = git.init("pushed", "nowhere", { "README.md": "one\n" });
  writeMany(join(work.path, "files"), sizes.many, sizes.manyBytes, ".dat");
  work.commit({});
  const took = { push: [[], []] as [number[], number[]], clone: [[], []] as [number[], number[]] };
  const timed = async (ended: Promise<GitEnd>): Promise<number> => {
    const since = performance.now();
    await well(ended);
    return (performance.now() - since) / 1_000;
  };
  for (let round = 0; round < rounds; round++) {
    const addresses = [pushAddress(world, await createRepo(world, `git-${round}`)), plain.make(`git-${round}`)];
    for (const [side, address] of addresses.entries()) {
      took.push[side]?.push(await timed(work.run("push", "--quiet", "--force", address, "HEAD:refs/heads/main")));
      took.clone[side]?.push(await timed(git.clone(address, `clone-${round}-${side}`, "--quiet")));
      removed(join(git.folder, `clone-${round}-${side}`));
    }
    for (const [what, [ours, theirs]] of Object.entries(took))
      report(`git ${what}: ${ours.at(-1)?.toFixed(2)} s, git http-backend alone ${theirs.at(-1)?.toFixed(2)} s`);
  }
  const beside = (what: "push" | "clone"): Figure => ({
    ...figure(`s, git ${what} of many files`, "s", took[what][0]),
    peers: [peerOf("git http-backend alone", took[what][1], took[what][0])],
  });
  return [beside("push"), beside("clone")];
}

function pushAddress({ up, alice }: PlainWorld, repo: string): string {
  const address = new URL(`/${repo}.git`, up.url);
  address.username = "bench";
  address.password = alice.token;
  return address.href;
}

async function well(ended: Promise<GitEnd>): Promise<void> {
  const { exitCode, says } = await ended;
  if (exitCode !== 0) throw new Error(`git ended with ${exitCode}: ${says}`);
}

/** Undefined where there is no such program. */
export function versionOf(program: string): string | undefined {
  const { status, stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}
