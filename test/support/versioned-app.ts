/** A Node app whose answers say which version and process they come from; files of the test's own make it slow or silent. */

/** `marks`: a folder; with `slow` in it the app takes 3 s to listen, with `silent` it never does, with `ends` it ends. */
export function versionedApp(version: string, marks: string): Record<string, string> {
  return {
    "README.md": "---\nsdk: node\nstartup_duration_timeout: 20s\n---\n",
    "package.json": JSON.stringify({ name: "versioned", scripts: { start: "node server.js" } }),
    "server.js": [
      'import { existsSync } from "node:fs";',
      'import { createServer } from "node:http";',
      `const has = (name) => existsSync(${JSON.stringify(marks)} + "/" + name);`,
      "let requests = 0;",
      "const server = createServer((request, response) => {",
      "  requests += 1;",
      `  const body = JSON.stringify({ version: ${JSON.stringify(version)}, pid: process.pid, requests });`,
      '  request.resume().on("end", () => response.end(body));',
      "});",
      'const listen = () => server.listen(Number(process.env.PORT), "127.0.0.1");',
      'if (has("ends")) process.exit(3);',
      'if (has("silent")) setInterval(() => {}, 1000);',
      'else setTimeout(listen, has("slow") ? 3000 : 0);',
      "",
    ].join("\n"),
    "work.js": "",
  };
}
