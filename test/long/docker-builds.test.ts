/** Builds of Docker Spaces by the real engine, in real benches, from a small image that is made on the spot: what each Dockerfile comes to. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  globSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createBuilder, runBuild, type BuildOutcome } from "../../src/build/builder.ts";
import { findEngine } from "../../src/build/docker/engine.ts";
import { goArch } from "../../src/build/docker/image-config.ts";
import { readRelease } from "../../src/build/release.ts";
import { stepLimits, type BuildTools, type ImageTools } from "../../src/build/workshop.ts";
import type { BuildSpec } from "../../src/contract/agent.ts";
import type { ReleaseManifest } from "../../src/contract/release.ts";
import { newId } from "../../src/stdx/ids.ts";
import { durationMs } from "../../src/stdx/time.ts";
import { testBenches, type TestBenches } from "../support/benches.ts";
import { random, testWorkshop, type Files, type TestWorkshop } from "../support/commits.ts";
import { tinyLayer, writeArchive } from "../support/images.ts";
import { needs } from "../support/needs.ts";

const { skip } = await needs("sandbox", "images");
const isRoot = process.getuid?.() === 0;
const mib = 1 << 20;
const secret = "a-secret-that-stays-in-memory";
const other = process.arch === "arm64" ? { go: "amd64", machine: 62 } : { go: "arm64", machine: 183 };
const podman = "/usr/bin/podman";
/** How much longer than a quiet machine a busy one takes. */
const slack = 10;
const from = "FROM localhost/tiny\n";
const runs = 'CMD ["cat"]\n';

describe(
  "a Dockerfile",
  { skip: skip || (isRoot ? false : "without root an image builder needs a range of users of its own") },
  () => {
    let shop: TestWorkshop;
    let benches: TestBenches;
    let images: ImageTools;
    let archives: string;

    before(async () => {
      shop = await testWorkshop();
      benches = await testBenches(shop.folder);
      archives = mkdtempSync(join(tmpdir(), "wb-images-"));
      chmodSync(archives, 0o755);
      const layer = tinyLayer(archives);
      await writeArchive(join(archives, "tiny.tar"), { layer });
      await writeArchive(join(archives, "dated.tar"), { layer, created: "2024-01-01T00:00:00Z" });
      await writeArchive(join(archives, `tiny-${goArch(process.arch)}.tar`), { layer });
      await writeArchive(join(archives, "other.tar"), { layer, arch: other.go });
      await writeArchive(join(archives, "example.test_team_base-1.tar"), { layer });
      images = { engine: findEngine(), archives, maxBytes: 1 << 30, known: { users: new Map() }, hasDriver: false };
    });
    after(async () => {
      await benches[Symbol.asyncDispose]();
      await shop[Symbol.asyncDispose]();
      rmSync(archives, { recursive: true });
    });

    interface Built {
      readonly outcome: BuildOutcome;
      readonly log: string;
      readonly troubles: readonly string[];
      readonly tookMs: number;
    }

    async function build(
      dockerfile: string | null,
      {
        files = {},
        spec = {},
        tools = {},
        onLine = () => undefined,
      }: {
        files?: Files;
        spec?: Partial<BuildSpec>;
        tools?: Partial<BuildTools>;
        onLine?: (text: string) => void;
      } = {},
    ): Promise<Built> {
      const committed = {
        "README.md": "---\nsdk: docker\n---\n",
        ...(dockerfile === null ? {} : { Dockerfile: dockerfile }),
        ...files,
      };
      const lines: string[] = [];
      const troubles: string[] = [];
      const whole = {
        ...{ build: newId("b", random), space: "alice/app", limitMs: durationMs(600_000) },
        ...(await shop.commit(committed)),
        ...spec,
      };
      const since = performance.now();
      const outcome = await runBuild(
        whole,
        { ...shop.tools, benches: benches.benches, images, ...tools },
        {
          log: ({ text }) => {
            lines.push(text);
            onLine(text);
          },
          step: () => undefined,
          trouble: (says) => void troubles.push(says),
        },
      );
      return { outcome, log: lines.join("\n"), troubles, tookMs: performance.now() - since };
    }

    type Whole = Built & { manifest: ReleaseManifest; root: string };

    async function built(...given: Parameters<typeof build>): Promise<Whole> {
      const one = await build(...given);
      assert.ok(one.outcome.ok, one.log);
      const manifest = await readRelease(shop.tools.folder, one.outcome.release);
      assert.ok(manifest?.image);
      return { ...one, manifest, root: manifest.image.root };
    }

    async function refused(
      ...given: Parameters<typeof build>
    ): Promise<Extract<BuildOutcome, { ok: false }> & { log: string }> {
      const { outcome, log } = await build(...given);
      assert.ok(!outcome.ok, log);
      return { ...outcome, log };
    }

    test("becomes a release with the image's command, variables, folder and exposed port", async () => {
      const { manifest, log } = await built(
        `${from}RUN mkdir /work\nWORKDIR /work\nENV A=b HOME=/home/x\nCOPY . .\nEXPOSE 8123\nENTRYPOINT ["cat"]\nCMD ["README.md"]\n`,
      );
      assert.deepEqual(manifest.argv, ["cat", "README.md"]);
      assert.deepEqual([manifest.image?.workdir, manifest.appPort, manifest.sdk], ["/work", 8123, "docker"]);
      assert.deepEqual([manifest.env?.["A"], manifest.env?.["HOME"]], ["b", "/home/x"]);
      assert.match(log, /^STEP 5\/8: COPY \. \.$/m);
      assert.match(log, /listens on port 8123 \(EXPOSE\)/);
    });

    test("may be written in each of these forms, and runs as Docker would run it", async (t) => {
      const said = (root: string, name = "said"): string =>
        execFileSync("cat", [join(root, name)], { encoding: "utf8" });
      const arch = goArch(process.arch);
      for (const [what, text, check] of [
        [
          "ARGs of one another's before FROM, two on a line",
          `ARG A=localhost B=tiny\nARG BASE=$A/$B\nFROM $BASE\nARG C=1 D="2 3"\nRUN echo $C $D > /said\n${runs}`,
          ({ root }) => assert.equal(said(root), "1 2 3\n"),
        ],
        [
          "the platform in FROM",
          `ARG TARGETARCH\nFROM localhost/tiny-\${TARGETARCH}\nARG TARGETARCH\nRUN echo $TARGETARCH > /said\n${runs}`,
          ({ root }) => assert.equal(said(root), `${arch}\n`),
        ],
        [
          "# escape",
          `# escape=\`\n${from}RUN echo a \`\n b > /said\n${runs}`,
          ({ root }) => assert.equal(said(root), "a b\n"),
        ],
        [
          "stages by name and by number",
          `FROM localhost/tiny AS one\nRUN echo 1 > /one\n${from}COPY --from=one /one /said\nCOPY --from=0 /one /two\n${runs}`,
          ({ root }) => assert.equal(said(root) + said(root, "two"), "1\n1\n"),
        ],
        [
          "# syntax, which changes nothing, and SHELL, for RUN",
          `# syntax=docker/dockerfile:1\n${from}SHELL ["/bin/sh", "-ec"]\nRUN echo $- > /said\nHEALTHCHECK CMD true\nVOLUME /v\nSTOPSIGNAL SIGTERM\nLABEL a=b\n${runs}`,
          ({ root, log }) => {
            assert.match(said(root), /e/);
            assert.doesNotMatch(log, /will be ignored/);
          },
        ],
        [
          "ONBUILD, which is for images that begin with this one",
          `${from}ONBUILD RUN touch /said\n${runs}`,
          ({ root }) => assert.ok(!existsSync(join(root, "said"))),
        ],
        [
          "WORKDIR with a variable, USER by number",
          `${from}ENV W=work\nWORKDIR /a/$W\nRUN mkdir -m 777 /w\nUSER 1000\nRUN id -u > /w/said\n${runs}`,
          ({ root, manifest }) => {
            assert.equal(said(root, "w/said"), "1000\n");
            assert.equal(manifest.image?.workdir, "/a/work");
          },
        ],
        [
          "ENTRYPOINT for a shell, with CMD",
          `${from}ENTRYPOINT cat\nCMD ["x"]\n`,
          ({ manifest }) => assert.deepEqual(manifest.argv, ["/bin/sh", "-c", "cat", "x"]),
        ],
        [
          "EXPOSE by an ARG",
          `${from}ARG P=8080\nEXPOSE $P/tcp\n${runs}`,
          ({ manifest }) => assert.equal(manifest.appPort, 8080),
        ],
      ] as readonly (readonly [string, string, (built: Whole) => void])[])
        await t.test(what, async () => check(await built(text)));
    });

    test("has steps whose root owns files and is other users, and has no capability to leave its place", async () => {
      const { log } = await built(
        `${from}RUN grep CapBnd /proc/self/status; touch /f; chown 33:33 /f; stat -c %u /f\n${runs}`,
      );
      // CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETFCAP (capability.h).
      assert.match(log, /^CapBnd:\t00000000800000fb\n33$/m);
    });

    test("that is unchanged is built again in 2 s, and its image is not unpacked again", async (t) => {
      const text = `${from}RUN echo 1 > /once\nCOPY . /app\n${runs}`;
      const first = await built(text);
      const again = await built(text);
      t.diagnostic(`first ${Math.round(first.tookMs)} ms, again ${Math.round(again.tookMs)} ms`);
      assert.equal(again.root, first.root);
      assert.match(again.log, /nothing to unpack/);
      assert.ok(again.tookMs < slack * 2_000, `${again.tookMs} ms`);
    });

    test("that is unchanged is not unpacked again whether or not its base says when it was made", async () => {
      for (const base of ["tiny", "dated"]) {
        const text = `FROM localhost/${base}\nRUN echo of ${base} > /once\n${runs}`;
        const first = await built(text);
        assert.equal((await built(text)).root, first.root, base);
      }
    });

    test("gets the variables that it asks for, and secrets in memory alone: in no log, no layer, no file of the disk", async () => {
      const { log, root } = await built(
        `${from}ARG GREETING\nARG OTHER=unset\nRUN --mount=type=secret,id=TOKEN,mode=0444,required=true cat /run/secrets/TOKEN | grep -c stays && stat -f -c %T /run/secrets/TOKEN\nRUN echo "$GREETING $OTHER" > /said\n${runs}`,
        {
          spec: {
            variables: { GREETING: "hello", LD_PRELOAD: "/x.so" },
            secrets: { TOKEN: secret, PATH: "/nowhere" },
          },
        },
      );
      assert.match(log, /^1\ntmpfs$/m);
      assert.equal(execFileSync("cat", [join(root, "said")], { encoding: "utf8" }), "hello unset\n");
      assert.ok(!log.includes(secret));
      const found = execFileSync("sh", ["-c", 'grep -rl -- "$1" "$2" || true', "sh", secret, shop.tools.folder], {
        encoding: "utf8",
      });
      assert.equal(found, "");
    });

    test("whose required secret the Space does not have fails, and names its line", async () => {
      const { code, says } = await refused(
        `${from}RUN --mount=type=secret,id=NONE,required=true cat /run/secrets/NONE\n${runs}`,
      );
      assert.equal(code, "build/step-failed");
      assert.match(says, /^Dockerfile line 2: RUN .*NONE/);
    });

    test("whose image has Python packages is compared with the pool's cards, and a wheel that fits none is a warning", async () => {
      const packages = "usr/lib/python3.11/site-packages";
      const files = {
        [`${packages}/torch/version.py`]: "__version__ = '2.6.0'\ncuda = '12.4'\n",
        [`${packages}/torch/lib/libtorch_python.so`]: "\0sm_80 sm_90\0",
        "app.py": "import spaces\n@spaces.GPU\nasync def draw(): ...\n",
      };
      const cards = [
        { name: "RTX PRO 6000 (stand-in)", simulated: false, computeCapability: "12.0", driver: "580.65" },
      ];
      const text = `${from}COPY usr /usr\nCOPY app.py /\nRUN ln -s /proc/1 /host && ln -s /host/root /usr/lib/python3.11/a.so\nCMD ["cat", "/app.py"]\n`;
      const { manifest, log } = await built(text, { files, spec: { space: "alice/wheel", cards } });
      const says =
        /torch 2\.6\.0, CUDA 12\.4, .* has no code for RTX PRO 6000 \(stand-in\).*: name torch 2\.7 or later of PyTorch's index cu128/;
      assert.match(log, new RegExp(`^warning: ${says.source}`, "m"));
      assert.match(log, /^warning: this node has no driver libraries .* \(libcuda\.so\.1/m);
      assert.match(manifest.runtime?.warnings?.[0] ?? "", says);
      assert.match(manifest.runtime?.warnings?.[1] ?? "", /^\/app\.py line 3: async def draw stands under the GPU/);
      assert.equal(manifest.runtime?.python, "3.11");
    });

    test("begins with an archive of the node's where there is one of that name, before a registry is asked", async () => {
      const { log } = await built(`FROM example.test/team/base:1\n${runs}`);
      assert.match(log, /loads image example\.test\/team\/base:1 from the node's example\.test_team_base-1\.tar/);
      assert.doesNotMatch((await built(`FROM example.test/team/base:1\n${runs}`)).log, /loads image/);
    });

    test("built for two owners and for two Spaces of one at the same time comes to whole images", async () => {
      const spaces = ["alice/one", "alice/two", "bob/one", "carol/one"];
      const text = `${from}COPY . /app\nRUN seq 1 20000 > /numbers\n${runs}`;
      const all = await Promise.all(
        spaces.map((space) => built(text, { spec: { space }, files: { "space.txt": space } })),
      );
      for (const [index, { root }] of all.entries()) {
        assert.equal(execFileSync("cat", [join(root, "app/space.txt")], { encoding: "utf8" }), spaces[index]);
        assert.equal(statSync(join(root, "numbers")).size, 108_894);
      }
      assert.equal(new Set(all.map(({ root }) => root)).size, spaces.length);
    });

    const broken: readonly (readonly [
      name: string,
      dockerfile: string | null,
      code: string,
      says: RegExp,
      files?: Files,
    ])[] = [
      ["that is not there", null, "build/config-invalid", /the commit has no Dockerfile/],
      [
        "with an instruction that does not exist",
        `${from}RUM ls\n`,
        "build/config-invalid",
        /^Dockerfile line 2: there is no instruction RUM$/,
      ],
      [
        "whose FROM names the platform without an ARG",
        `FROM localhost/tiny-\${TARGETARCH}\n${runs}`,
        "build/config-invalid",
        /^Dockerfile line 1: FROM names TARGETARCH: write ARG TARGETARCH before the first FROM$/,
      ],
      [
        "whose escape character is named too late for the engine",
        `# syntax=docker/dockerfile:1\n# escape=\`\n${from}${runs}`,
        "build/config-invalid",
        /^Dockerfile line 2: # escape= is read on the first line alone: move it there$/,
      ],
      [
        "that adds what the gateway refuses",
        `${from}ADD http://10.0.0.1/x /x\n${runs}`,
        "build/step-failed",
        /^Dockerfile line 2: ADD http:\/\/10\.0\.0\.1\/x \/x: /,
      ],
      [
        "whose USER the image does not have",
        `${from}USER nobody-here\nRUN ls\n${runs}`,
        "build/step-failed",
        /^Dockerfile line 3: RUN ls: .*unknown user/,
      ],
      [
        "that copies a file which is not there",
        `${from}\nCOPY nope /x\n${runs}`,
        "build/step-failed",
        /^Dockerfile line 3: COPY nope \/x: .*"\/nope": no such file/,
      ],
      [
        "whose command fails",
        `${from}RUN ls\nRUN echo oh >&2; \\\n  exit 7\n${runs}`,
        "build/step-failed",
        /^Dockerfile line 3: RUN echo oh .*: exit status 7$/,
      ],
      [
        "whose second stage fails",
        `FROM localhost/tiny AS a\nRUN ls\nFROM localhost/tiny\nCOPY --from=a /etc /etc2\nRUN exit 3\n`,
        "build/step-failed",
        /^Dockerfile line 5: RUN exit 3: exit status 3$/,
      ],
      [
        "that begins with an image which the node does not have",
        `FROM localhost/nothing\n${runs}`,
        "build/base-missing",
        /^Dockerfile line 1: this node has no image localhost\/nothing: there is no nothing\.tar/,
      ],
      [
        "that begins with an image of a registry which cannot be reached",
        `FROM registry.example.test/x:1\n${runs}`,
        "build/registry-unreachable",
        /^Dockerfile line 1: image registry\.example\.test\/x:1 could not be fetched: /,
      ],
      [
        "that begins with an image for another architecture",
        `FROM localhost/other\n${runs}`,
        "runtime/image-arch",
        new RegExp(`^Dockerfile line 1: image localhost/other is for linux/${other.go}, and this node is linux/`),
      ],
      [
        "that runs a program for another architecture",
        `${from}COPY --chmod=0755 alien /alien\nRUN ["/alien"]\n${runs}`,
        "runtime/image-arch",
        /^Dockerfile line 3: RUN \["\/alien"\]/,
        alien(),
      ],
      [
        "whose command is a program for another architecture",
        `${from}COPY alien /alien\nRUN chmod 755 /alien\nCMD ["/alien"]\n`,
        "runtime/image-arch",
        new RegExp(`^/alien in the image is a program for ${other.go}, and this node is`),
        alien(),
      ],
      ["that names no command", from, "build/config-invalid", /the image has no command: end the Dockerfile with CMD/],
      [
        "whose command is not in the image",
        `${from}CMD ["python9"]\n`,
        "build/config-invalid",
        /^the image has no python9 in its PATH/,
      ],
      [
        "whose command is not executable",
        `${from}COPY run /run.d/\nENTRYPOINT ["/run.d/run"]\n`,
        "build/config-invalid",
        /^\/run\.d\/run in the image is not executable/,
        { run: "#!/bin/sh\n" },
      ],
      [
        "whose script needs what the image does not have",
        `${from}COPY run /go\nRUN chmod 755 /go\nCMD ["/go"]\n`,
        "build/config-invalid",
        /^\/go begins with #!\/usr\/bin\/perl, which the image does not have$/,
        { run: "#!/usr/bin/perl\n" },
      ],
      [
        "without a shell whose command needs one",
        "FROM scratch\nCOPY README.md /\nCMD echo hi\n",
        "build/config-invalid",
        /^the image has no \/bin\/sh/,
      ],
      [
        "that makes a device node",
        `${from}RUN mknod /disk b 8 0\n${runs}`,
        "build/step-failed",
        /^Dockerfile line 2: RUN mknod/,
      ],
    ];
    for (const [name, dockerfile, code, says, files = {}] of broken)
      test(`${name} ends in ${code}`, async () => {
        const ended = await refused(dockerfile, { files });
        assert.equal(ended.code, code, ended.log);
        assert.match(ended.says, says);
        assert.ok(ended.log.includes(ended.says), ended.log);
      });

    test("with a here-document is built by an engine that reads those, and is refused with its line by another", async () => {
      const { outcome, log } = await build(`${from}RUN <<EOF\necho 1 > /said\nEOF\n${runs}`);
      if (outcome.ok) return;
      assert.equal(outcome.code, "build/config-invalid", log);
      assert.match(outcome.says, /^Dockerfile line 2: a here-document \(<<\) takes (buildah|podman) \d\S+ or later/);
    });

    test("whose step runs past its deadline is ended with all that it started", async () => {
      const limits = { ...stepLimits, buildMs: 2_500 };
      const { code, says } = await refused(`${from}RUN sleep 4321 & sleep 4322\n${runs}`, { tools: { limits } });
      assert.deepEqual(
        [code, says],
        [
          "build/step-timeout",
          "Dockerfile line 2: RUN sleep 4321 & sleep 4322: build ran past its limit of 2.5 s and was ended",
        ],
      );
      assert.equal(
        execFileSync("sh", ["-c", "ps -eo args | grep -c '^sleep 432[12]' || true"], { encoding: "utf8" }),
        "0\n",
      );
    });

    test("whose step uses more memory than it may is told so", async () => {
      const { code, says } = await refused(`${from}RUN tail /dev/zero\n${runs}`);
      assert.equal(code, "build/out-of-memory");
      assert.match(says, /^Dockerfile line 2: RUN tail/);
    });

    test("whose step fills the disk is ended when it has written what it may", async () => {
      const { code, says } = await refused(`${from}RUN dd if=/dev/zero of=/big bs=1M count=3000; sleep 30\n${runs}`, {
        tools: { diskBytes: 400 * mib },
      });
      assert.equal(code, "build/disk-full");
      assert.match(
        says,
        /^Dockerfile line 2: RUN dd .*the build wrote \d+ MiB to the disk, may write 400 MiB, and was ended$/,
      );
    });

    test("with 100,000 files is built", async () => {
      const { root } = await built(
        `${from}RUN mkdir /many; cd /many; for i in $(seq 100000); do : > $i; done\n${runs}`,
      );
      assert.equal(readdirSync(join(root, "many")).length, 100_000);
    });

    test("that puts links where a sandbox mounts comes to folders there, and nothing outside is touched", async () => {
      const tricks =
        "ln -s / /data; ln -s /proc/1/root /scratch; ln -s ../../../../../../etc /run; ln -s /etc/shadow /etc/hosts2";
      const { root } = await built(`${from}RUN ${tricks}\n${runs}`);
      for (const at of ["data", "scratch", "run", "tmp", "etc", "proc", "dev", "sys"])
        assert.ok(lstatSync(join(root, at)).isDirectory(), at);
      assert.ok(lstatSync(join(root, "etc/resolv.conf")).isFile());
    });

    test("that sets user and group IDs comes to files without", async () => {
      const { root } = await built(`${from}RUN chmod 6755 /usr/bin/dash\n${runs}`);
      assert.equal(statSync(join(root, "usr/bin/dash")).mode & 0o7777, 0o755);
    });

    test("of USER root is built, and the log says that it runs as user 1000", async () => {
      const { log } = await built(`${from}USER root\n${runs}`);
      assert.match(log, /as user 1000, whom the image's USER \(root\) does not name/);
    });

    test("leaves its unpacked image until no release names it", async () => {
      const space = "dora/app";
      const first = await built(`${from}RUN echo first > /it\n${runs}`, { spec: { space } });
      const second = await built(`${from}RUN echo second > /it\n${runs}`, { spec: { space } });
      assert.ok(existsSync(first.root), "a roll-back needs it");
      rmSync(join(shop.tools.folder, "releases", first.manifest.release), { recursive: true });
      const builder = createBuilder({ ...shop.tools, benches: benches.benches, images });
      assert.deepEqual(await builder.tidy("dora"), ["removed 1 unpacked image(s) that no release needs"]);
      assert.deepEqual([existsSync(first.root), existsSync(second.root)], [false, true]);
    });

    test("leaves no more layers than its owner may keep, also where it fails, and nothing of a removal that was cut off", async () => {
      const spec = { space: "lea/app" };
      const stores = join(shop.tools.folder, "images", "lea", "stores");
      const tools = { images: { ...images, maxBytes: 1 << 10 } };
      const good = await built(`${from}RUN echo good > /it\n${runs}`, { spec, tools });
      assert.match(good.log, /layers of this owner's builds have \d+ MiB: the next one makes its own anew/);
      assert.ok(existsSync(join(good.root, "it")));
      assert.deepEqual([readdirSync(stores), good.troubles], [[], []]);
      const { uid } = statSync(stores);
      for (const left of [join(stores, "overlay.gone-7"), join(stores, "overlay.gone-7", "half")]) {
        mkdirSync(left, { mode: 0o700 });
        chownSync(left, uid, uid);
      }
      const { log } = await refused(`${from}RUN echo made > /layer\nRUN exit 3\n`, { spec, tools });
      assert.match(log, /the next one makes its own anew/);
      assert.deepEqual(readdirSync(stores), []);
      assert.doesNotMatch((await built(`${from}RUN echo kept > /it\n${runs}`, { spec })).log, /makes its own anew/);
      assert.equal(readdirSync(stores).length, 1);
    });

    test("is not failed by layers that cannot be removed: the operator is told", async () => {
      const spec = { space: "max/app" };
      const stores = join(shop.tools.folder, "images", "max", "stores");
      // Of a user that the bench does not have.
      const foreign = join(stores, ".trial-foreign");
      const { outcome, troubles } = await build(`${from}RUN echo good > /it\n${runs}`, {
        spec,
        onLine: (text) => {
          if (text.startsWith("STEP ")) mkdirSync(join(foreign, "file"), { recursive: true, mode: 0o700 });
        },
      });
      assert.ok(outcome.ok);
      assert.match(
        troubles.join("\n"),
        /^the layers of this owner's builds could not be held to their bound: .*Permission denied/,
      );
      rmSync(foreign, { recursive: true });
    });

    test(
      "comes to the same by podman, where that is what the node has",
      { skip: existsSync(podman) ? false : "no podman" },
      async () => {
        const engine = { name: "podman", path: podman } as const;
        const { root, manifest, log } = await built(
          `${from}ARG GREETING\nRUN --mount=type=secret,id=TOKEN cat /run/secrets/TOKEN | grep -c stays && echo "$GREETING" > /said\nEXPOSE 8123\n${runs}`,
          {
            spec: { space: "pat/app", variables: { GREETING: "hello" }, secrets: { TOKEN: secret } },
            tools: { images: { ...images, engine } },
          },
        );
        assert.match(log, /^podman, layers by /m);
        assert.deepEqual([manifest.appPort, manifest.argv], [8123, ["cat"]]);
        assert.equal(execFileSync("cat", [join(root, "said")], { encoding: "utf8" }), "hello\n");
        const { code, says } = await refused(`${from}RUN exit 5\n`, {
          spec: { space: "pat/app" },
          tools: { images: { ...images, engine } },
        });
        assert.equal(code, "build/step-failed");
        assert.match(says, /^Dockerfile line 2: RUN exit 5: .*exit status 5$/);
      },
    );

    test("leaves no mounts, no benches and no working folders behind", () => {
      const { folder } = shop.tools;
      assert.deepEqual(globSync(join(folder, "releases", ".building-*")), []);
      assert.deepEqual(globSync(join(shop.folder, "benches", "*")), []);
      assert.ok(!execFileSync("cat", ["/proc/mounts"], { encoding: "utf8" }).includes(folder));
    });
  },
);

/** The head of an ELF program for another machine. */
function alien(): Files {
  const header = Buffer.alloc(64);
  header.write("\x7fELF", "latin1");
  header.set([2, 1, 1], 4);
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(other.machine, 18);
  return { alien: header };
}
