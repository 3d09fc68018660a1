import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bwrapOptions, etcOf, rlimits, type Recipe } from "./recipe.ts";

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
const options = bwrapOptions(recipe);
/** The option's place; fails where these words do not stand together. */
const at = (...words: string[]): number => {
  const found = options.findIndex((_, index) => words.every((word, offset) => options[index + offset] === word));
  assert.notEqual(found, -1, words.join(" "));
  return found;
};

describe("a sandbox's options", () => {
  test("every namespace is its own, no further one can be made, and no capability is left", () => {
    for (const kind of ["user", "pid", "ipc", "uts", "cgroup"]) at(`--unshare-${kind}`);
    for (const option of ["--disable-userns", "--new-session", "--die-with-parent"]) at(option);
    at("--cap-drop", "ALL");
    at("--seccomp", "3", "--json-status-fd", "4");
    assert.ok(!options.includes("--share-net") && !options.includes("--unshare-net"), "the network is the shim's");
  });

  test("nothing is mounted after the root is made read-only, and the environment is only what is set", () => {
    const closed = at("--remount-ro", "/");
    for (const [index, option] of options.entries())
      if (/^--(?:ro-bind|bind|dev-bind|tmpfs|dir|symlink|proc|dev)/.test(option)) assert.ok(index < closed, option);
    assert.ok(at("--clearenv") < at("--setenv", "TOKEN", "secret"));
  });

  test("what an app gets is bound after what every sandbox has, so that it may lie within it", () => {
    assert.ok(at("--size", "4096", "--tmpfs", "/tmp") < at("--ro-bind", "/srv/python", "/srv/python"));
    assert.ok(at("--ro-bind", "/srv/python", "/srv/python") < at("--bind", "/srv/space/data", "/data"));
    assert.ok(at("--dev", "/dev") < at("--dev-bind", "/dev/nvidia0", "/dev/nvidia0"));
    at("--size", "8192", "--tmpfs", "/dev/shm");
    at("--size", "16384", "--tmpfs", "/home/app");
  });

  test("names are asked of the sandbox's own resolver, and the app's user has a name", () => {
    const etc = etcOf("app");
    assert.match(etc["resolv.conf"], /^nameserver 127\.0\.0\.1$/m);
    assert.match(etc.hosts, /^127\.0\.0\.1 localhost app$/m);
    assert.match(etc.passwd, /^app:x:1000:1000:app:\/home\/app:/m);
    assert.deepEqual(rlimits(recipe.limits), ["--core=0", "--nproc=64:64", "--nofile=128:128"]);
  });
});
