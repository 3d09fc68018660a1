/** Apps whose builds do not come to a release, or try what a build must not. */
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { brokenApps, node, scripts, serves, type BrokenApp } from "../support/broken-apps.ts";
import { needs } from "../support/needs.ts";

const { skip } = await needs("sandbox");
const { skip: skipGradio } = await needs("sandbox", "gradio");

const readme = (...lines: readonly string[]): string => `---\n${lines.join("\n")}\n---\n`;
const script = (code: string): string => `node -e ${JSON.stringify(code)}`;
const gradio = (app: string, requirements = "", settings = "python_version: 3.10"): BrokenApp["files"] => ({
  "README.md": readme("sdk: gradio", "sdk_version: 6.31.0", settings),
  "app.py": app,
  "requirements.txt": requirements,
});

const settings: readonly BrokenApp[] = [
  {
    name: "front matter that is no YAML",
    files: { ...node(serves()), "README.md": readme("sdk: node", "title: [unclosed") },
    ends: "build/config-invalid",
    says: /README\.md line \d/,
  },
  {
    name: "front matter with wrong values, all of them told",
    files: { ...node(serves()), "README.md": readme("sdk: node", "app_port: seven", "startup_duration_timeout: soon") },
    ends: "build/config-invalid",
    says: /app_port is .*seven(.|\n)*startup_duration_timeout is .*soon/,
  },
  {
    name: "an sdk that does not exist",
    files: { ...node(serves()), "README.md": readme("sdk: nodejs") },
    ends: "build/config-invalid",
    says: /nodejs/,
  },
  { name: "no README", files: { "server.js": serves() }, ends: "build/config-invalid", says: /there is no README\.md/ },
  {
    name: "a README of 2 MB",
    files: { ...node(serves()), "README.md": `${readme("sdk: node")}${"long ".repeat(400_000)}` },
    ends: "build/config-invalid",
    says: /README\.md has more than 1048576 bytes/,
  },
  {
    name: "a package.json that is no JSON",
    files: { ...node(serves()), "package.json": "{ start: node }" },
    ends: "build/config-invalid",
    says: /package\.json is not JSON/,
  },
  { name: "no start script", files: scripts({ start: "" }), ends: "build/config-invalid", says: /no `start` script/ },
  {
    name: "an app_file that the commit does not have",
    files: { "README.md": readme("sdk: gradio", "app_file: main.py"), "app.py": "" },
    ends: "build/config-invalid",
    says: /app_file is main\.py, and the commit has no such file/,
  },
  {
    name: "a static folder that a link leads out of the app",
    files: {
      "README.md": readme("sdk: static", "app_build_command: ln -s /etc site", "static_folder: site"),
      "index.html": "x",
    },
    ends: "build/config-invalid",
    says: /leads out of the app's folder|there is no site\/index\.html/,
  },
];

const steps: readonly BrokenApp[] = [
  {
    name: "a build script that fails",
    files: scripts({ build: script("console.error('no such compiler'); process.exit(9)") }),
    ends: "build/step-failed",
    says: /build ended with exit code 9(.|\n)*no such compiler|no such compiler(.|\n)*exit code 9/,
  },
  {
    name: "a build script that waits for somebody's answer",
    files: scripts({
      build: script(
        "process.stdin.on('end', () => { console.error('no answer to: continue?'); process.exit(1); }).resume()",
      ),
    }),
    ends: "build/step-failed",
    says: /no answer to: continue\?/,
  },
  {
    name: "more memory than a build may have",
    files: scripts({ build: script("const held = []; for (;;) held.push(Buffer.alloc(50 << 20, 1))") }),
    ends: "build/out-of-memory",
    says: /more memory than it may/,
  },
  {
    name: "a fork bomb",
    files: scripts({ build: "bomb() { bomb | bomb & }; bomb; sleep 1; echo survived > made; exit 3" }),
    ends: "build/step-failed",
    says: /build ended with|ended \d+ process/,
  },
  {
    name: "its home filled",
    files: scripts({ build: "cat /dev/zero > /home/app/full" }),
    ends: "build/step-failed",
    says: /No space left on device/,
  },
  {
    name: "60 MB of output: the end is in the log, and what was left out is counted",
    files: scripts({
      build: script(
        "const block = ('x'.repeat(999) + '\\n').repeat(1000); let n = 0; (function more() { if (n++ < 60) process.stdout.write(block, more); else { console.error('the reason'); process.exitCode = 4; } })()",
      ),
    }),
    ends: "build/step-failed",
    says: /left out|not kept|clipped/,
  },
  {
    name: "binary output",
    files: scripts({ build: "head -c 100000 /dev/urandom; echo; echo the reason >&2; exit 4" }),
    ends: "build/step-failed",
    says: /the reason/,
  },
  {
    name: "a dependency that is a folder nobody has",
    files: node(serves(), "", {
      "package.json": JSON.stringify({
        name: "app",
        scripts: { start: "node server.js" },
        dependencies: { missing: "file:./missing" },
      }),
      ".npmrc": "fetch-retries=0\nfund=false\n",
    }),
    ends: "runs", // npm links it, and nobody asks for it
  },
  {
    name: "an index that cannot be reached",
    files: node(serves(), "", {
      "package.json": JSON.stringify({
        name: "app",
        scripts: { start: "node server.js" },
        dependencies: { "left-pad": "1.3.0" },
      }),
      ".npmrc": "registry=https://packages.invalid/\nfetch-retries=0\n",
    }),
    ends: "build/step-failed",
    says: /packages\.invalid/,
  },
];

/** Of a platform with a short limit: a slow machine may need longer for any of the others. */
const pastTheLimit: readonly BrokenApp[] = [
  {
    name: "a loop that outlives the step's limit, and ignores SIGTERM",
    files: scripts({ build: "trap '' TERM; echo begun; while :; do sleep 1; done" }),
    ends: "build/step-timeout",
    says: /begun(.|\n)*was ended/,
  },
];

const tricks: readonly BrokenApp[] = [
  {
    name: "an install script that leaves a daemon",
    files: scripts({ postinstall: "setsid sleep 7778 > /dev/null 2>&1 & echo left" }),
    ends: "runs",
    says: /^left$/m,
  },
  {
    name: "a package whose archive names files outside of it",
    files: node(serves(), "", {
      "package.json": JSON.stringify({
        name: "app",
        scripts: { start: "node server.js" },
        dependencies: { evil: "file:evil.tgz" },
      }),
      "evil.tgz": gzipSync(
        tar({
          "package/package.json": '{"name":"evil","version":"1.0.0"}',
          "package/../../../../evil.txt": "out",
          "../../server.js": "process.exit(66)",
        }),
      ),
    }),
    ends: "runs",
  },
  {
    name: "a build that deletes the app",
    files: scripts({ build: "cd / && rm -rf /app/* /app/.[!.]* 2>/dev/null; true" }),
    ends: "app/exit",
    says: /Cannot find module '\/app\/server\.js'/,
  },
  {
    name: "a build that replaces package.json by a link to a secret of the machine",
    files: scripts({ build: "rm package.json && ln -s /etc/shadow package.json" }),
    ends: "runs",
  },
  {
    name: "a build that makes 100 000 files",
    files: scripts({
      build: script(
        "const fs = require('fs'); for (let d = 0; d < 100; d++) { fs.mkdirSync('many/' + d, { recursive: true }); for (let n = 0; n < 1000; n++) fs.writeFileSync('many/' + d + '/' + n, '') }",
      ),
    }),
    ends: "runs",
  },
  {
    name: "no file but its README",
    files: { "README.md": readme("sdk: node") },
    ends: "build/config-invalid",
    says: /there is no package\.json/,
  },
];

const python: readonly BrokenApp[] = [
  {
    name: "Python: a syntax error",
    files: gradio("def broken(:\n    pass\n"),
    ends: "build/step-failed",
    says: /SyntaxError: invalid syntax/,
  },
  {
    name: "Python: a coroutine under the GPU decorator",
    files: gradio("import spaces\n\n@spaces.GPU\nasync def draw():\n    return 1\n"),
    ends: "build/step-failed",
    says: /app\.py line 4: async def draw stands under the GPU decorator/,
  },
  {
    name: "Python: a package that is not among its requirements",
    files: gradio("import torchvision\n"),
    ends: "app/exit",
    says: /ModuleNotFoundError: No module named 'torchvision'/,
  },
  {
    name: "Python: requirements that no set of packages meets",
    files: gradio("import gradio\n", "numpy==1.26.4\nnumpy==1.21.0\n"),
    ends: "build/step-failed",
    says: /you require numpy==1\.26\.4 and numpy==1\.21\.0/,
  },
  {
    name: "Python: a wheel for another machine",
    files: gradio("import gradio\n", "./thing-1.0-cp27-none-win_amd64.whl\n"),
    ends: "build/step-failed",
    says: /thing/,
  },
  {
    name: "Python: an index that cannot be reached",
    files: gradio("import gradio\n", "--index-url https://packages.invalid/simple\nnumpy\n"),
    ends: "build/step-failed",
    says: /packages\.invalid/,
  },
  {
    name: "Python: a segmentation fault",
    files: gradio("import ctypes\nctypes.string_at(0)\n"),
    ends: "app/exit",
    says: /SIGSEGV/,
  },
];

const limits = { WAYBILL_APP_MEMORY_MB: "600", WAYBILL_APP_PROCESSES: "128" };

brokenApps("a build", [...settings, ...steps, ...tricks], {
  skip,
  gpus: null,
  env: limits,
});

brokenApps("a build past its limit", pastTheLimit, {
  skip,
  gpus: null,
  env: { ...limits, WAYBILL_BUILD_SECONDS: "15" },
});

brokenApps("a Python Space", python, {
  skip: skipGradio,
  gpus: null,
  env: { WAYBILL_APP_MEMORY_MB: "2000", WAYBILL_APP_PROCESSES: "256" },
});

/** A USTAR archive of small text files, whatever their names are. */
function tar(files: Readonly<Record<string, string>>): Buffer {
  const blocks = Object.entries(files).flatMap(([name, text]) => {
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write(["0000644", "0000000", "0000000", ""].join("\0"), 100);
    header.write(`${text.length.toString(8).padStart(11, "0")}\0`, 124);
    header.write(`${"0".repeat(11)}\0        0`, 136);
    header.write(["ustar", "00"].join("\0"), 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    assert.ok(text.length <= 512);
    return [header, Buffer.concat([Buffer.from(text)], 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}
