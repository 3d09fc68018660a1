import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { alternativesIn, blamedPackages, parsePackagesFile } from "./debian.ts";

describe("parsePackagesFile", () => {
  test("takes names between white space, with architectures and versions, and no comments", () => {
    const parsed = parsePackagesFile("ffmpeg libgl1:amd64 # for cv2\r\n\n# fonts\ng++=4:12.2.0-3\n");
    assert.deepEqual(parsed.ok && parsed.packages, [
      { name: "ffmpeg", line: 1 },
      { name: "libgl1:amd64", line: 1 },
      { name: "g++=4:12.2.0-3", line: 4 },
    ]);
  });

  test("says every name that is none, so that none is an option of apt", () => {
    const parsed = parsePackagesFile("ffmpeg\n-o Dir=/\n$(id)\n");
    assert.deepEqual(!parsed.ok && parsed.problems, [
      "packages.txt line 2: -o is no name of a Debian package",
      "packages.txt line 2: Dir=/ is no name of a Debian package",
      "packages.txt line 3: $(id) is no name of a Debian package",
    ]);
  });
});

test("a failure is put down to the lines whose packages apt names", () => {
  const parsed = parsePackagesFile("ffmpeg\nlibnothing9\ngit=9\n");
  assert.ok(parsed.ok);
  const said = ["E: Unable to locate package libnothing9", "E: Version '9' for 'git' was not found"];
  assert.deepEqual(blamedPackages(said, parsed.packages), [
    "packages.txt line 2: libnothing9",
    "packages.txt line 3: git=9",
  ]);
});

describe("alternativesIn", () => {
  test("reads what scripts install, over continued lines, with what goes along with it", () => {
    const script = `if [ "$1" = configure ]; then
  update-alternatives --install /usr/bin/figlet figlet \\
        /usr/bin/figlet-figlet 30 --slave /usr/share/man/man6/figlet.6.gz \\
\tfiglet.6.gz /usr/share/man/man6/figlet-figlet.6.gz
fi
`;
    assert.deepEqual(alternativesIn(script), [
      { link: "/usr/bin/figlet", target: "/usr/bin/figlet-figlet", priority: 30 },
      { link: "/usr/share/man/man6/figlet.6.gz", target: "/usr/share/man/man6/figlet-figlet.6.gz", priority: 30 },
    ]);
  });

  test("the highest priority wins, whatever its order", () => {
    const install = (target: string, priority: number): string =>
      `update-alternatives --quiet --install /usr/lib/libblas.so.3 libblas.so.3 ${target} ${priority}\n`;
    const scripts = install("/usr/lib/openblas/libblas.so.3", 100) + install("/usr/lib/blas/libblas.so.3", 10);
    assert.deepEqual(
      alternativesIn(scripts).map(({ target }) => target),
      ["/usr/lib/openblas/libblas.so.3"],
    );
  });

  test("what a script computes, or what leads elsewhere, is left out", () => {
    const scripts =
      "update-alternatives --install $LINK x /usr/bin/x 1\nupdate-alternatives --install /usr/../etc/x x /usr/x 1\n";
    assert.deepEqual(alternativesIn(scripts), []);
  });
});
