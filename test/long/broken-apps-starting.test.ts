/** Apps that do not come up, and why: each says it in its log. */
import { brokenApps, node, serves, type BrokenApp } from "../support/broken-apps.ts";
import { needs } from "../support/needs.ts";

const { skip } = await needs("sandbox", "python3");
/** How long those that never listen are waited for. */
const soon = "startup_duration_timeout: 3s";
const prints = (text: string): string => `console.log(${JSON.stringify(text)});`;

const ending: readonly BrokenApp[] = [
  { name: "a syntax error", files: node("const = 1;\n"), ends: "app/exit", says: /SyntaxError: Unexpected token/ },
  {
    name: "a module that does not exist",
    files: node('import "./model.js";\n'),
    ends: "app/exit",
    says: /Cannot find module '\/app\/model\.js'/,
  },
  {
    name: "a package that is not among its dependencies",
    files: node('import "express";\n'),
    ends: "app/exit",
    says: /Cannot find package 'express'/,
  },
  {
    name: "an error while it starts",
    files: node('throw new RangeError("no model for this language");\n'),
    ends: "app/exit",
    says: /RangeError: no model for this language/,
  },
  {
    name: "a start script whose program does not exist",
    files: node("", "", {
      "package.json": JSON.stringify({ name: "app", scripts: { start: "gunicorn app:app" } }),
    }),
    ends: "app/exit",
    says: /exit code 127.*gunicorn: not found/s,
  },
  {
    name: "it exits with 0 at once",
    files: node("process.exit(0);\n"),
    ends: "app/exit",
    says: /exit code 0.*printed nothing/s,
  },
  {
    name: "it exits with 1 at once",
    files: node(`${prints("no licence")} process.exit(1);\n`),
    ends: "app/exit",
    says: /exit code 1\. Its last output: no licence/,
  },
  {
    name: "a segmentation fault",
    files: node('process.kill(process.pid, "SIGSEGV"); setTimeout(() => {}, 5000);\n'),
    ends: "app/exit",
    says: /ended by SIGSEGV/,
  },
  { name: "an abort", files: node("process.abort();\n"), ends: "app/exit", says: /ended by SIGABRT/ },
  {
    name: "kill -9 of itself, which is not called a lack of memory",
    files: node('process.kill(process.pid, "SIGKILL"); setTimeout(() => {}, 5000);\n'),
    ends: "app/exit",
    says: /ended by SIGKILL/,
  },
  {
    name: "it leaves a daemon that serves, and exits",
    files: node(
      'import { spawn } from "node:child_process"; spawn(process.execPath, ["served.js"], { detached: true, stdio: "ignore" }).unref();\n',
      "",
      { "served.js": serves() },
    ),
    ends: "app/exit",
    says: /exit code 0/,
  },
  {
    name: "its own port is taken by itself",
    files: node(
      serves(
        "",
        `const held = spawn("python3", ["-c", "import os, socket, time; s = socket.socket(); s.bind(('0.0.0.0', int(os.environ['PORT']))); print('held', flush=True); time.sleep(60)"]);
await new Promise((done) => held.stdout.once("data", done));`,
      ),
    ),
    ends: "app/exit",
    says: /Its last output: Error: listen EADDRINUSE: address already in use/,
  },
  {
    name: "it writes where nobody may",
    files: node(serves("", 'fs.writeFileSync("/usr/lib/plugin.so", "");')),
    ends: "app/exit",
    says: /EROFS|EACCES/,
  },
  {
    name: "more memory at its start than it may have",
    files: node("const held = []; for (;;) held.push(Buffer.alloc(50 << 20, 1));\n"),
    ends: "app/out-of-memory",
    says: /more than the 600 MiB/,
  },
  {
    name: "a child with more memory than both may have, and what it needs is gone",
    files: node(
      'import { spawnSync } from "node:child_process";\nconst { signal } = spawnSync(process.execPath, ["-e", "const held = []; for (;;) held.push(Buffer.alloc(50 << 20, 1));"]);\nthrow new Error(`the model loader ended by ${signal}`);\n',
    ),
    ends: "app/exit",
    says: /the model loader ended by SIGKILL/,
  },
];

const silent: readonly BrokenApp[] = [
  {
    name: "it never listens",
    files: node("setInterval(() => {}, 1000);\n", soon),
    ends: "app/not-listening",
    says: /did not listen on PORT=7860 within 3 s; it listens nowhere/,
  },
  {
    name: "a hang while it imports",
    files: node('console.log("loading"); setInterval(() => {}, 1000); await new Promise(() => {});\n', soon),
    ends: "app/not-listening",
    says: /listens nowhere/,
  },
  {
    name: "a loop while it imports",
    files: node('console.log("loading"); for (;;);\n', soon),
    ends: "app/not-listening",
    says: /listens nowhere/,
  },
  {
    name: "it listens on another port than its settings name",
    files: node(serves().replace("process.env.PORT", "8000"), `app_port: 7861\n${soon}`),
    ends: "app/not-listening",
    says: /listens on 8000, not on PORT=7861|listens on 8000, expected 7861/,
  },
  {
    name: "it waits for an answer on its standard input",
    files: node(
      'process.stdin.once("end", () => { console.error("nobody answered: continue?"); process.exit(4); }).resume();\n',
      soon,
    ),
    ends: "app/exit",
    says: /nobody answered: continue\?/,
  },
];

brokenApps("an app that does not come up", [...ending, ...silent], {
  skip,
  gpus: null,
  env: { WAYBILL_APP_MEMORY_MB: "600", WAYBILL_APP_PROCESSES: "96" },
});
