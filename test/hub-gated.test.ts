/** A gated model behind a real platform: its bytes by each way that there is, for who has access and who has not, and what is told of a refusal. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import * as js from "@huggingface/hub";
import { GitClient } from "./support/git-client.ts";
import { Platform, until, type Account } from "./support/platform.ts";
import { pointerTo } from "./support/sha256.ts";

const large = Buffer.concat([Buffer.alloc(1), randomBytes(1 << 20)]);
const name = "alice/gated";
const packs = { "content-type": "application/x-git-upload-pack-request" };

interface Way {
  readonly status: number;
  readonly code: string | null;
  readonly work: string;
}

describe("the files of a gated model", () => {
  let up: Platform;
  let alice: Account;
  let bob: Account;
  const repo = { type: "model", name } as const;
  before(async () => {
    up = await Platform.start({ gpus: null });
    [alice, bob] = [await up.account("alice"), await up.account("bob")];
    const asked = { repo, hubUrl: up.url, accessToken: alice.token };
    await js.createRepo(asked);
    await js.uploadFiles({
      ...asked,
      useXet: true,
      files: [
        { path: "w.safetensors", content: new Blob([large]) },
        { path: "config.json", content: new Blob(["{}"]) },
      ],
    });
    await api("PUT", "/settings", { gated: "manual" });
  });
  after(() => up?.[Symbol.asyncDispose]());

  const api = async (method: string, path: string, body?: object, token = alice.token): Promise<Response> => {
    const answer = await fetch(`${up.url}/api/models/${name}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(body && { body: JSON.stringify(body) }),
    });
    return answer;
  };
  const decide = async (status: string): Promise<void> => {
    const done = await api("POST", "/user-access-request/handle", { user: "bob", status });
    assert.equal(done.status, 200, await done.text());
  };

  const wayOf = async (answer: Response): Promise<Way> => {
    await answer.arrayBuffer();
    const { status, headers } = answer;
    return { status, code: headers.get("x-error-code"), work: headers.get("x-waybill-id") ?? "" };
  };
  const headersOf = (token: string | null): Record<string, string> =>
    token === null ? {} : { authorization: `Bearer ${token}` };
  const fetched = async (path: string, token: string | null, init: RequestInit = {}): Promise<Way> =>
    wayOf(await fetch(`${up.url}${path}`, { ...init, headers: { ...init.headers, ...headersOf(token) } }));
  const batch = async (token: string | null): Promise<Response> =>
    fetch(`${up.url}/${name}.git/info/lfs/objects/batch`, {
      method: "POST",
      headers: headersOf(token),
      body: JSON.stringify({ operation: "download", objects: [pointerTo(large)] }),
    });
  const xetToken = async (token: string): Promise<{ readonly casUrl: string; readonly accessToken: string }> => {
    const answer = await api("GET", "/xet-read-token/main", undefined, token);
    assert.equal(answer.status, 200);
    return (await answer.json()) as { casUrl: string; accessToken: string };
  };

  /** By name, each way to a byte of it. */
  const ways = async (token: string | null): Promise<ReadonlyMap<string, Way>> => {
    const found = new Map<string, Way>();
    for (const file of ["config.json", "w.safetensors", "README.md", "none"])
      for (const how of ["resolve", "raw"]) {
        found.set(`${how} ${file}`, await fetched(`/${name}/${how}/main/${file}`, token));
        found.set(`HEAD ${how} ${file}`, await fetched(`/${name}/${how}/main/${file}`, token, { method: "HEAD" }));
      }
    found.set("another revision", await fetched(`/${name}/resolve/none/config.json`, token));
    found.set("git", await fetched(`/${name}.git/info/refs?service=git-upload-pack`, token));
    found.set(
      "a pack",
      await fetched(`/${name}/git-upload-pack`, token, { method: "POST", body: "0000", headers: packs }),
    );
    found.set("git-lfs", await wayOf(await batch(token)));
    found.set("xet", await fetched(`/api/models/${name}/xet-read-token/main`, token));
    return found;
  };

  test("are refused by every way, in the form that clients know, and explain says why and what to do", async () => {
    for (const [token, status] of [
      [null, 401],
      [bob.token, 403],
    ] as const) {
      for (const [way, { status: found, code }] of await ways(token)) {
        // git's own addresses answer in plain text.
        const isGit = way === "git" || way === "a pack";
        assert.deepEqual([found, code], [status, isGit ? null : "GatedRepo"], way);
      }
    }
    const asked = await ways(bob.token);
    for (const way of ["resolve w.safetensors", "HEAD raw config.json", "git", "git-lfs"]) {
      const { work } = asked.get(way) as Way;
      assert.match(work, /^tr_/, way);
      const told = await until(`${way} is told`, async () => {
        const { verdict } = await bob.client.explain(work);
        return verdict;
      });
      const { boundary, code, owner, certainty, next, sentence } = told;
      assert.deepEqual([boundary, code, owner, certainty], ["identity", "gated", "visitor", "proved"], way);
      assert.match(next, /waybill access ask/);
      assert.match(
        sentence,
        /^Access to model alice\/gated is restricted and you are not in the authorized list: it is gated\. bob has to ask for it, at \/alice\/gated or with `waybill access ask alice\/gated`\.$/,
      );
    }
    // Strangers are counted, and not written down one by one.
    const stranger = await fetched(`/${name}/resolve/main/config.json`, null);
    assert.match(stranger.work, /^n_/);
    const counted = await until(
      "a stranger's is told",
      async () => (await alice.client.explain(stranger.work)).verdict,
    );
    assert.deepEqual([counted.boundary, counted.code], ["identity", "missing"]);
  });

  test("are known by name to all: the metadata is a public model's", async () => {
    for (const token of [undefined, bob.token]) {
      const asked = { repo, hubUrl: up.url, ...(token !== undefined && { accessToken: token }) };
      const info = await js.modelInfo({ name, hubUrl: up.url, ...(token !== undefined && { accessToken: token }) });
      assert.equal(info.gated, "manual");
      const paths: string[] = [];
      for await (const { path } of js.listFiles(asked)) paths.push(path);
      assert.deepEqual(paths.toSorted(), [".gitattributes", "config.json", "w.safetensors"]);
      assert.equal(await js.repoExists(asked), true);
    }
  });

  test("come to who has access by every way, and no longer by any, addresses and tokens of before among them, once it is taken", async () => {
    using git = new GitClient();
    const remote = `${up.url.replace("://", `://bob:${bob.token}@`)}/${name}`;
    assert.equal((await api("POST", "/user-access-request", undefined, bob.token)).status, 200);
    const refusedClone = await git.clone(remote, "refused");
    assert.notEqual(refusedClone.exitCode, 0);
    assert.match(refusedClone.says, /is gated.*bob has asked for it, and alice has not decided yet/s);
    await decide("accepted");
    const allowed = await ways(bob.token);
    for (const [way, { status }] of allowed) assert.equal(status, /none|README|another/.test(way) ? 404 : 200, way);
    const clone = await git.clone(remote, "work");
    assert.equal(clone.exitCode, 0, clone.says);
    const work = git.work(join(git.folder, "work"));
    const asked = { repo, hubUrl: up.url, accessToken: bob.token, path: "w.safetensors" };
    const byXet = await js.downloadFile({ ...asked, xet: true });
    assert.ok(Buffer.from(await (byXet as Blob).arrayBuffer()).equals(large));

    const { objects } = (await (await batch(bob.token)).json()) as {
      objects: [{ actions: { download: { href: string } } }];
    };
    const signed = objects[0].actions.download.href;
    assert.equal((await wayOf(await fetch(signed))).status, 200);
    const { casUrl, accessToken } = await xetToken(bob.token);
    const hash = (
      await fetch(`${up.url}/${name}/resolve/main/w.safetensors`, { method: "HEAD", headers: headersOf(bob.token) })
    ).headers.get("x-xet-hash");
    const plan = (): Promise<Response> =>
      fetch(`${casUrl}/v1/reconstructions/${hash}`, { headers: headersOf(accessToken) });
    const { fetch_info: infos } = (await (await plan()).json()) as {
      fetch_info: Record<string, [{ url: string; url_range: { start: number; end: number } }]>;
    };
    const [[xorb]] = Object.values(infos) as [[{ url: string; url_range: { start: number; end: number } }]];
    const range = { range: `bytes=${xorb.url_range.start}-${xorb.url_range.end}` };
    assert.equal((await wayOf(await fetch(xorb.url, { headers: range }))).status, 206);

    await decide("pending");
    for (const [way, { status }] of await ways(bob.token)) assert.equal(status, 403, way);
    assert.equal((await wayOf(await fetch(signed))).status, 403);
    assert.equal((await wayOf(await fetch(xorb.url, { headers: range }))).status, 403);
    const again = await wayOf(await plan());
    assert.deepEqual([again.status, again.code], [403, "GatedRepo"]);
    const { verdict } = await until("it is told", async () => {
      const told = await bob.client.explain(again.work);
      return told.verdict && told;
    });
    assert.equal(verdict?.code, "gated");
    assert.notEqual((await work.run("fetch")).exitCode, 0);
    await assert.rejects(async () => (await js.downloadFile({ ...asked, xet: false }))?.text(), { statusCode: 403 });
    // Whoever may write reads it all the time, and pushes.
    assert.equal((await fetched(`/${name}/resolve/main/config.json`, alice.token)).status, 200);
  });

  test("and who has access outlive a SIGKILL of the platform", async () => {
    await decide("accepted");
    await up.restart();
    assert.equal((await fetched(`/${name}/resolve/main/config.json`, bob.token)).status, 200);
    await decide("rejected");
    await up.restart();
    assert.equal((await fetched(`/${name}/resolve/main/config.json`, bob.token)).status, 403);
  });
});
