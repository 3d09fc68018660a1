/** A large file and many files, up and down by both ways of the same client, in turn; and what is sent of a file that has changed a little. */
import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import { until } from "../test/support/platform.ts";
import { figure, peerOf, type Figure } from "./document.ts";
import { quoted, ways, wordOf, type ClientServer, type Way } from "./hub-client.ts";
import { bytesIn, change, folderFiles, removed, writeLarge, writeMany } from "./hub-files.ts";
import { nginxRepo, startNginx } from "./hub-peers.ts";
import { createRepo, largeName, moved, movedFigures, type Moved, type World } from "./hub-world.ts";
import { cpuSeconds } from "./process-cpu.ts";

const changedShare = 0.01;
const changedPlaces = 5;

export async function largeFigures(world: World, children: ChildProcess[]): Promise<readonly Figure[]> {
  const { up, alice, client, sizes, folder, report, skipped } = world;
  const server = { url: up.url, token: alice.token };
  const gigabytes = sizes.largeBytes / 1e9;
  const file = join(folder, "large.bin");
  const sent: Record<Way, Moved[]> = { hf_xet: [], "plain HTTP": [] };
  const conversions: number[] = [];
  let sha256 = "";
  for (let round = 0; round < sizes.rounds; round++) {
    sha256 = writeLarge(file, sizes.largeBytes);
    for (const way of ways) {
      const repo = await createRepo(world, largeName(way, round));
      const times = await moved(up, () => client.time(server, way, uploadCall(repo, file)));
      sent[way].push(times);
      report(`upload by ${way}: ${said(times)}`);
      if (way === "plain HTTP") conversions.push((await converted(world, repo)) / gigabytes);
    }
  }
  const sentBy = (way: Way): string => `${alice.name}/${largeName(way, sizes.rounds - 1)}`;
  const nginx = await startNginx(folder, file, sha256, children);
  if ("why" in nginx) skipped.push(nginx);
  const from = (server_: ClientServer, way: Way, repo: string): Promise<Moved> => {
    const cache = join(client.folder, "downloaded");
    const call = `api.hf_hub_download(${quoted(repo)}, "w.bin", cache_dir=${quoted(cache)})`;
    return moved(up, () => client.time(server_, way, call)).finally(() => removed(cache));
  };
  const down = { xet: [] as Moved[], http: [] as Moved[], mixed: [] as Moved[], nginx: [] as Moved[] };
  for (let round = 0; round < sizes.rounds; round++) {
    down.http.push(await from(server, "plain HTTP", sentBy("plain HTTP")));
    if (!("why" in nginx))
      down.nginx.push(await from({ ...server, url: `http://127.0.0.1:${nginx.port}` }, "plain HTTP", nginxRepo));
    down.mixed.push(await from(server, "plain HTTP", sentBy("hf_xet")));
    down.xet.push(await from(server, "hf_xet", sentBy("hf_xet")));
    for (const [what, all] of Object.entries(down))
      for (const times of all.slice(round)) report(`download, ${what}: ${said(times)}`);
  }
  const speed = (all: readonly Moved[]): readonly number[] =>
    all.map(({ seconds }) => sizes.largeBytes / 1e6 / seconds);
  const besideNginx = (name: string, all: readonly Moved[]): Figure => ({
    ...figure(name, "MB/s", speed(all)),
    peers: "why" in nginx ? [] : [peerOf(nginx.name, speed(down.nginx), speed(all))],
  });
  return [
    ...movedFigures("upload by hf_xet", sent.hf_xet, gigabytes),
    ...movedFigures("upload by plain HTTP", sent["plain HTTP"], gigabytes),
    ...movedFigures("download by hf_xet", down.xet, gigabytes),
    ...movedFigures("download by plain HTTP", down.http, gigabytes),
    ...movedFigures("download by plain HTTP of what came by hf_xet", down.mixed, gigabytes),
    besideNginx("download by plain HTTP", down.http),
    besideNginx("download by plain HTTP of what came by hf_xet", down.mixed),
    figure("cpu s per GB, hash of Xet of what came by plain HTTP", "s", conversions),
    await changedFigure(world, file),
  ];
}

/** What {@link largeFigures} leaves, for who needs that alone: a large file by each way. */
export async function bringLarge(world: World): Promise<void> {
  const { up, alice, client, sizes, folder } = world;
  const file = join(folder, "large.bin");
  writeLarge(file, sizes.largeBytes);
  for (const way of ways) {
    const repo = await createRepo(world, largeName(way, sizes.rounds - 1));
    await client.time({ url: up.url, token: alice.token }, way, uploadCall(repo, file));
  }
  removed(file);
}

const uploadCall = (repo: string, file: string): string =>
  `api.upload_file(repo_id=${quoted(repo)}, path_in_repo="w.bin", path_or_fileobj=${quoted(file)})`;

/** Waits until the file that git-lfs brought is known by its hash of Xet, which is worked out once; gives the processor's seconds. */
async function converted({ up, alice }: World, repo: string): Promise<number> {
  const before = cpuSeconds(up.pid);
  const head = async (): Promise<boolean> => {
    const headers = { authorization: `Bearer ${alice.token}` };
    const answer = await fetch(`${up.url}/${repo}/resolve/main/w.bin`, { method: "HEAD", headers });
    return answer.headers.has("x-xet-hash");
  };
  await until("the file is known by its hash of Xet", head);
  return cpuSeconds(up.pid) - before;
}

/** The file of the last round with one part in a hundred changed, sent by a client that remembers nothing. */
async function changedFigure({ up, alice, client, sizes, report }: World, file: string): Promise<Figure> {
  const repo = `${alice.name}/${largeName("hf_xet", sizes.rounds - 1)}`;
  change(file, changedShare, changedPlaces);
  const stored = (): number => bytesIn(join(up.data, "blobs"));
  const before = stored();
  await client.time({ url: up.url, token: alice.token }, "hf_xet", uploadCall(repo, file));
  const percent = (100 * (stored() - before)) / sizes.largeBytes;
  report(`of a file with 1 % changed ${percent.toFixed(2)} % is sent`);
  return figure("% sent of a file with 1 % changed", "%", [percent]);
}

export async function manyFigures(world: World, way: Way): Promise<readonly Figure[]> {
  const { up, alice, client, sizes, folder, report } = world;
  const server = { url: up.url, token: alice.token };
  const from = join(folder, "many-up");
  // Others each time: what one way brought is nothing new to the other.
  writeMany(from, sizes.many, sizes.manyBytes, ".bin");
  const repo = await createRepo(world, `many-${wordOf[way]}`);
  const call = `api.upload_folder(repo_id=${quoted(repo)}, folder_path=${quoted(from)})`;
  const upload = await moved(up, () => client.time(server, way, call));
  report(`upload of many by ${way}: ${said(upload)}`);
  const into = join(client.folder, "many-down");
  const folders = Array.from(
    { length: sizes.manyFetched / folderFiles },
    (_, n) => `part-${String(n).padStart(4, "0")}/*`,
  );
  const got = `api.snapshot_download(${quoted(repo)}, allow_patterns=${JSON.stringify(folders)}, cache_dir=${quoted(into)})`;
  const download = await moved(up, () => client.time(server, way, got));
  report(`download of many by ${way}: ${said(download)}`);
  removed(from, into);
  return [
    ...movedFigures(`upload of many files by ${way}`, [upload], null),
    ...movedFigures(`download of some of many files by ${way}`, [download], null),
  ];
}

function said({ seconds, cpuSeconds: client, serverSeconds }: Moved): string {
  return `${seconds.toFixed(1)} s; processor: server ${serverSeconds.toFixed(1)} s, client ${client.toFixed(1)} s`;
}
