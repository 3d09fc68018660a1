/** What the server takes of memory while files move: many at once, and a large one beside a small one. */
import { createHash, randomBytes } from "node:crypto";
import { request, Agent } from "node:http";
import { join } from "node:path";
import { figure, type Figure } from "./document.ts";
import { quoted, ways } from "./hub-client.ts";
import { removed, writeLarge } from "./hub-files.ts";
import { createRepo, largeName, type World } from "./hub-world.ts";
import { peakMB, pssMB } from "./process-memory.ts";

const transfers = 32;
/** Each reader has had enough then. */
const readForMs = 5_000;
const uploadBytes = 16_000_000;
const smallShare = 10;

export const atTransfers = `MB at ${transfers} transfers`;

export async function memoryFigures(world: World): Promise<readonly Figure[]> {
  const { up, alice, client, sizes, folder, report } = world;
  const idle = pssMB(up.pid);
  const peaks: number[] = [];
  const peakOf = async (what: string, work: () => Promise<unknown>): Promise<number> => {
    const { mb } = await peakMB(up.pid, work);
    report(`memory, ${what}: ${Math.round(mb)} MB`);
    return mb;
  };
  const server = { url: up.url, token: alice.token };
  const byXet = async (what: "upload" | "download", bytes: number, at: number): Promise<number> => {
    const file = join(folder, "memory.bin");
    const cache = join(client.folder, "downloaded");
    const repo = await createRepo(world, `memory-${what}-${bytes}-${at}`);
    writeLarge(file, bytes);
    const sent = `api.upload_file(repo_id=${quoted(repo)}, path_in_repo="w.bin", path_or_fileobj=${quoted(file)})`;
    const got = `api.hf_hub_download(${quoted(repo)}, "w.bin", cache_dir=${quoted(cache)})`;
    const fixed = { HF_XET_FIXED_UPLOAD_CONCURRENCY: String(at), HF_XET_FIXED_DOWNLOAD_CONCURRENCY: String(at) };
    const send = (): Promise<unknown> => client.time(server, "hf_xet", sent, fixed);
    try {
      if (what === "upload") return await peakOf(`${what} of ${bytes / 1e6} MB by hf_xet, ${at} at once`, send);
      await send();
      return await peakOf(`${what} of ${bytes / 1e6} MB by hf_xet, ${at} at once`, () =>
        client.time(server, "hf_xet", got, fixed),
      );
    } finally {
      removed(file, cache);
    }
  };
  for (const way of ways) {
    const path = `/${alice.name}/${largeName(way, sizes.rounds - 1)}/resolve/main/w.bin`;
    const what = `${transfers} downloads by plain HTTP of what came by ${way}`;
    peaks.push(await peakOf(what, () => readers(up.url, path, alice.token)));
  }
  const lfs = await createRepo(world, "memory-lfs");
  peaks.push(await peakOf(`${transfers} uploads by plain HTTP`, () => writers(up.url, lfs, alice.token)));
  const flat: number[] = [];
  for (const what of ["upload", "download"] as const) {
    const small = await byXet(what, sizes.largeBytes / smallShare, transfers);
    const large = await byXet(what, sizes.largeBytes, transfers);
    peaks.push(small, large);
    flat.push(large - small);
  }
  return [
    figure("MB before them", "MB", [idle]),
    { ...figure(atTransfers, "MB", peaks), ours: Math.round(Math.max(...peaks)) },
    figure(`MB more while a file of ${smallShare} times the size moves`, "MB", flat),
  ];
}

/** Read as fast as they come, each until it has had enough. */
async function readers(url: string, path: string, token: string): Promise<void> {
  const agent = new Agent({ maxSockets: transfers });
  const one = (): Promise<void> =>
    new Promise((done, reject) => {
      const asked = request(new URL(path, url), { agent, headers: { authorization: `Bearer ${token}` } }, (answer) => {
        if (answer.statusCode !== 200) reject(new Error(`a download was answered ${answer.statusCode}`));
        answer.resume();
        const enough = setTimeout(() => answer.destroy(), readForMs);
        answer.once("close", () => {
          clearTimeout(enough);
          done();
        });
      });
      asked.once("error", reject).end();
    });
  await Promise.all(Array.from({ length: transfers }, one));
  agent.destroy();
}

/** Files of their own by git-lfs' way, all at once. */
async function writers(url: string, repo: string, token: string): Promise<void> {
  const bytes = randomBytes(uploadBytes);
  const files = Array.from({ length: transfers }, (_, n) => {
    const own = Buffer.from(bytes);
    own.writeUInt32LE(n);
    return { oid: createHash("sha256").update(own).digest("hex"), size: own.length, own };
  });
  const batch = await fetch(`${url}/${repo}.git/info/lfs/objects/batch`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify({
      operation: "upload",
      transfers: ["basic"],
      objects: files.map(({ oid, size }) => ({ oid, size })),
    }),
  });
  const { objects } = (await batch.json()) as {
    objects: readonly { readonly actions: { readonly upload: { readonly href: string } } }[];
  };
  await Promise.all(
    files.map(async ({ own }, n) => {
      const answer = await fetch(objects[n]?.actions.upload.href ?? "", { method: "PUT", body: own });
      if (!answer.ok) throw new Error(`an upload was answered ${answer.status}: ${await answer.text()}`);
    }),
  );
}
