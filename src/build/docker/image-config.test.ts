import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fullName, goArch, parseInspected, usersOf } from "./image-config.ts";

const id = "a".repeat(64);
const config = {
  Env: ["PATH=/bin", "A=b=c", "broken"],
  Entrypoint: ["/start"],
  Cmd: ["x"],
  WorkingDir: "/w",
  User: "app:app",
  ExposedPorts: { "80/tcp": {}, "53/udp": {}, "90": {} },
};

describe("what an engine says of an image", () => {
  const expected = {
    id,
    arch: "arm64",
    os: "linux",
    entrypoint: ["/start"],
    command: ["x"],
    env: { PATH: "/bin", A: "b=c" },
    workdir: "/w",
    user: "app:app",
    ports: [80, 90].toSorted((a, b) => b - a),
    dated: true,
  };

  test("is read the same from buildah and from podman", () => {
    const buildah = { FromImageID: id, Config: "{}", OCIv1: { architecture: "arm64", os: "linux", config } };
    const podman = [{ Id: id, Architecture: "arm64", Os: "linux", Config: config }];
    for (const said of [buildah, podman]) {
      const { ports, ...rest } = parseInspected(JSON.stringify(said));
      assert.deepEqual({ ...rest, ports: ports.toSorted((a, b) => b - a) }, expected);
    }
  });

  test("of an image that sets nothing is the usual PATH, and no command", () => {
    const bare = parseInspected(JSON.stringify([{ Id: id, Architecture: "amd64", Os: "linux", Config: null }]));
    assert.deepEqual([bare.entrypoint, bare.command, bare.workdir, bare.ports], [[], [], "/", []]);
    assert.match(bare.env["PATH"] ?? "", /\/usr\/bin/);
  });

  test("tells whether all of its history has times", () => {
    const isDated = (...history: readonly object[]): readonly boolean[] =>
      [{ FromImageID: id, OCIv1: { history } }, [{ Id: id, History: history }]].map(
        (said) => parseInspected(JSON.stringify(said)).dated,
      );
    const created = "2024-01-01T00:00:00Z";
    assert.deepEqual(isDated({ created }, { created }), [true, true]);
    assert.deepEqual(isDated({ created }, { created_by: "x" }), [false, false]);
  });

  test("without an id is no image", () => {
    assert.throws(() => parseInspected("{}"), SyntaxError);
  });
});

test("an image's name has its registry: without one it is Docker Hub's", () => {
  assert.equal(fullName("python:3.11"), "docker.io/library/python:3.11");
  assert.equal(fullName("team/app"), "docker.io/team/app");
  for (const name of ["ghcr.io/a/b:1", "localhost/x", "registry:5000/x"]) assert.equal(fullName(name), name);
});

test("an image's users are those with a number; a home that is no path is none", () => {
  assert.deepEqual(usersOf("root:x:0:0:root:/root:/bin/sh\nbad\nuser:x:1000:1000::relative:/bin/sh\n:::\n"), [
    { name: "root", uid: 0, home: "/root" },
    { name: "user", uid: 1000, home: "" },
  ]);
});

test("architectures have Go's names", () => {
  assert.deepEqual(["x64", "arm64"].map(goArch), ["amd64", "arm64"]);
});
