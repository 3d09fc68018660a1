import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { crunWay } from "./crun.ts";
import type { Recipe } from "./recipe.ts";
import { seccompFilter } from "./seccomp.ts";

const recipe: Recipe = {
  argv: ["python3", "app.py"],
  cwd: "/app",
  env: { PATH: "/usr/bin", TOKEN: "secret" },
  readOnly: [{ from: "/srv/python", to: "/srv/python" }],
  writable: [{ from: "/srv/space/data", to: "/data" }],
  etc: "/srv/replica/etc",
  hostname: "app",
  limits: { memoryBytes: 1, processes: 64, openFiles: 128, tmpBytes: 4_096, shmBytes: 8_192, homeBytes: 16_384 },
  devices: ["/dev/nvidia0"],
};
const filter = seccompFilter("x64");

interface Config {
  readonly process: {
    readonly args: readonly string[];
    readonly user: { readonly uid: number };
    readonly capabilities: Readonly<Record<string, readonly string[]>>;
    readonly noNewPrivileges: boolean;
  };
  readonly root: { readonly readonly: boolean };
  readonly mounts: readonly { readonly destination: string; readonly options: readonly string[] }[];
  readonly linux: { readonly namespaces: readonly { readonly type: string }[] };
  readonly annotations: Readonly<Record<string, string>>;
}

const way = crunWay(recipe, { filter, at: "/srv/replica/bundle" });
const config = JSON.parse(way.options) as Config;
const optionsOf = (path: string): readonly string[] =>
  config.mounts.find(({ destination }) => destination === path)?.options ?? assert.fail(path);

describe("a bundle for crun", () => {
  test("every namespace is its own but the network, which is the shim's", () => {
    const kinds = config.linux.namespaces.map(({ type }) => type);
    assert.deepEqual(kinds.toSorted(), ["cgroup", "ipc", "mount", "pid", "user", "uts"]);
  });

  test("the app is user 1000 below an init, with no capability and no way to gain one", () => {
    assert.equal(config.process.user.uid, 1000);
    assert.deepEqual(Object.values(config.process.capabilities).flat(), []);
    assert.equal(Object.keys(config.process.capabilities).length, 5);
    assert.equal(config.process.noNewPrivileges, true);
    assert.deepEqual(config.process.args.slice(1), ["--", "python3", "app.py"]);
  });

  test("the filter is the very one that bubblewrap loads", () => {
    const loaded = config.annotations["run.oci.seccomp_bpf_data"] ?? "";
    assert.deepEqual(Buffer.from(loaded, "base64"), Buffer.from(filter));
  });

  test("its root and what it is given to read cannot be written, and nothing in it is set-user-ID", () => {
    assert.equal(config.root.readonly, true);
    assert.deepEqual(optionsOf("/usr"), ["rbind", "rnosuid", "rnodev", "rro"]);
    assert.deepEqual(optionsOf("/data"), ["rbind", "rnosuid", "rnodev"]);
    for (const { destination, options } of config.mounts)
      assert.ok(options.includes("nosuid") || options.includes("rnosuid"), destination);
    assert.ok(optionsOf("/tmp").includes("size=4096") && optionsOf("/home/app").includes("size=16384"));
  });

  test("an image's files are its root, writable where they are a layer of its own", () => {
    const root = { from: "/srv/it's/root", writable: true };
    const { argv, options } = crunWay({ ...recipe, root }, { filter, at: "/srv/bundle" });
    assert.equal((JSON.parse(options) as Config).root.readonly, false);
    assert.match(argv.at(-1) ?? "", /^mount --rbind '\/srv\/it'\\''s\/root' root$/m);
  });

  test("its variables show in no command line, and it ends with whoever started it", () => {
    assert.ok(!way.argv.join(" ").includes("secret"));
    assert.match(way.argv.join(" "), /setpriv --pdeathsig KILL -- .*unshare .*--pid --fork --kill-child /);
  });

  test("what crun complains of is why there is no sandbox; what its init says is why there is no command", () => {
    const complaint = '{"msg": "mount `/nowhere`: No such file", "level": "error", "time": "x"}';
    assert.equal(way.began("begins\n"), true);
    assert.equal(way.began(`begins\n${complaint}\n`), false);
    assert.equal(way.complaint(`begins\n${complaint}\n`), "mount `/nowhere`: No such file");
    assert.equal(way.complaint(`begins\n${complaint.slice(0, 20)}`), complaint.slice(0, 20), "it was cut");
    assert.equal(way.began(""), false);
    const words = "ERROR (catatonit:2): failed to exec pid1: No such file or directory";
    assert.equal(way.notFound("begins\n", words), "python3: No such file or directory");
    assert.equal(way.notFound("begins\n", "some other line"), undefined);
  });
});
