/** Proxies of the machine's own, where they are installed: one worker each, with an access log, as their documentation sets them up for streams. */
import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";

import { freePort } from "../test/support/free-port.ts";
import { until } from "../test/support/replicas.ts";
import type { Skipped } from "./document.ts";
import type { Side } from "./edge-sides.ts";
import { familyOf } from "./process-cpu.ts";

interface Place {
  /** The app's unix socket. */
  readonly app: string;
  readonly port: number;
  /** Where its files lie. */
  readonly folder: string;
}

interface InstalledProxy {
  readonly program: string;
  /** How its version is asked for; the first number of the answer is taken. */
  readonly version: readonly string[];
  readonly package: string;
  readonly configuration: (place: Place) => string;
  readonly argv: (file: string, place: Place) => readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const startWithinMs = 20_000;
/** Two for each of a thousand streams, and room. */
const filesMax = 8_192;

/** nginx, which asks for nothing outside of its folder; `http`: what it is to do. */
export const nginxWith = (http: (place: Place) => string): InstalledProxy => ({
  program: "nginx",
  version: ["-v"],
  package: "nginx",
  argv: (file, { folder }) => ["-p", folder, "-c", file, "-e", join(folder, "error.log")],
  configuration: (place) => `
daemon off;
worker_processes 1;
worker_rlimit_nofile ${filesMax};
${process.getuid?.() === 0 ? "user root;" : ""}
pid ${place.folder}/nginx.pid;
error_log ${place.folder}/error.log;
events { worker_connections ${filesMax}; }
http {
  access_log ${place.folder}/access.log combined;
  client_body_temp_path ${place.folder}/body;
  proxy_temp_path ${place.folder}/proxy;
  fastcgi_temp_path ${place.folder}/fastcgi;
  uwsgi_temp_path ${place.folder}/uwsgi;
  scgi_temp_path ${place.folder}/scgi;
${http(place)}
}
`,
});

export const installed: readonly InstalledProxy[] = [
  nginxWith(
    ({ app, port }) => `
  client_max_body_size 0;
  keepalive_requests 1000000;
  keepalive_timeout 600s;
  map $http_upgrade $passed_connection { default upgrade; "" ""; }
  upstream app { server unix:${app}; keepalive 64; keepalive_requests 1000000; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $passed_connection;
      proxy_buffering off;
      proxy_request_buffering off;
      proxy_read_timeout 600s;
    }
  }`,
  ),
  {
    program: "haproxy",
    version: ["-v"],
    package: "haproxy",
    argv: (file) => ["-db", "-f", file],
    configuration: ({ app, port }) => `
global
  nbthread 1
  maxconn ${filesMax / 2}
  log stdout format raw local0
defaults
  mode http
  log global
  option httplog
  option forwardfor
  http-reuse always
  timeout connect 10s
  timeout client 600s
  timeout server 600s
  timeout tunnel 600s
frontend visitors
  bind 127.0.0.1:${port} backlog 4096
  default_backend apps
backend apps
  server app unix@${app}
`,
  },
  {
    program: "caddy",
    version: ["version"],
    package: "caddy",
    argv: (file) => ["run", "--adapter", "caddyfile", "--config", file],
    // One processor, as the others have.
    env: { GOMAXPROCS: "1" },
    configuration: ({ app, port, folder }) => `
{
  admin off
  auto_https off
  storage file_system ${folder}/caddy
}
http://:${port} {
  bind 127.0.0.1
  log {
    output file ${folder}/access.log
  }
  reverse_proxy unix/${app} {
    flush_interval -1
  }
}
`,
  },
];

/** Skipped where the program is not installed, or does not start by the configuration that we know. */
export async function startInstalled(
  proxy: InstalledProxy,
  place: Omit<Place, "port">,
  children: ChildProcess[],
): Promise<Side | Skipped> {
  const version = versionOf(proxy);
  if (version === undefined)
    return { what: proxy.program, why: `not installed; on Debian: apt-get install ${proxy.package}` };
  const port = await freePort();
  const file = join(place.folder, `${proxy.program}.conf`);
  writeFileSync(file, proxy.configuration({ ...place, port }));
  const outFile = join(place.folder, `${proxy.program}.out`);
  const out = openSync(outFile, "w");
  const child = spawn(proxy.program, proxy.argv(file, { ...place, port }), {
    stdio: ["ignore", out, out],
    env: {
      ...process.env,
      HOME: place.folder,
      XDG_CONFIG_HOME: place.folder,
      XDG_DATA_HOME: place.folder,
      ...proxy.env,
    },
  });
  closeSync(out);
  children.push(child);
  await until(`${proxy.program} listens`, () => child.exitCode !== null || isListening(port), startWithinMs);
  if (child.exitCode !== null) {
    const says = readFileSync(outFile, "utf8").trim().split("\n").at(-1) ?? "";
    return { what: `${proxy.program} ${version}`, why: `it did not start: ${says}` };
  }
  return {
    name: `${proxy.program} ${version}, one worker, access log`,
    port,
    pids: familyOf(child.pid as number),
    collect: async () => {},
  };
}

/** Undefined where there is no such program. */
function versionOf({ program, version }: InstalledProxy): string | undefined {
  try {
    // Some say it on standard error.
    const said = execFileSync("sh", ["-c", `exec "$0" "$@" 2>&1`, program, ...version], { encoding: "utf8" });
    return /\d+\.\d+(\.\d+)?/.exec(said)?.[0] ?? "";
  } catch (error) {
    if ((error as { status?: number }).status === 127) return undefined;
    throw error;
  }
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.on("connect", () => resolve(true)).on("error", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });
}
