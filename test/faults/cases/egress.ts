/** What a sandboxed app reaches, or does not; and its limits. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { until, visit } from "../../support/platform.ts";
import { proved, type FaultCase, type Stage } from "../case.ts";

/** The platform of these cases denies this name and takes this machine's loopback for a public address. */
export const boxedEnv = {
  WAYBILL_EGRESS_DENY: "denied.example.com",
  WAYBILL_EGRESS_ADDRESSES: "127.0.0.2/32",
  WAYBILL_EGRESS_PORTS: "80,443,4197,4198,4199",
  WAYBILL_APP_MEMORY_MB: "256",
  WAYBILL_APP_DATA_MB: "32",
} as const;

/** An app that connects where it is told, and eats memory when it is told. */
const app = {
  "README.md": "---\ntitle: Reaches out\nsdk: node\n---\n",
  "package.json": JSON.stringify({
    name: "reach",
    version: "1.0.0",
    type: "module",
    scripts: { start: "node server.js" },
  }),
  "server.js": `
import { createServer } from "node:http";
import { connect } from "node:net";
import { Resolver } from "node:dns/promises";
const names = new Resolver();
names.setServers(["127.0.0.1"]);
async function reach(host, port, literal) {
  const address = literal ? host : (await names.resolve4(host))[0];
  return new Promise((done) => {
    const socket = connect({ host: address, port });
    let got = "";
    socket.on("data", (bytes) => (got += bytes));
    socket.on("error", (error) => done(error.code));
    socket.on("close", () => done("closed " + got));
    socket.on("connect", () => socket.write("hello\\n"));
  });
}
const eaten = [];
createServer(async (request, response) => {
  const query = new URL(request.url, "http://app").searchParams;
  if (request.url.startsWith("/eat")) {
    response.end("eating");
    for (;;) eaten.push(Buffer.alloc(1 << 20, 7));
  }
  if (!query.has("host")) return response.end("ok");
  try {
    response.end(await reach(query.get("host"), Number(query.get("port")), query.has("literal")));
  } catch (error) {
    response.end(String(error.code ?? error));
  }
}).listen(Number(process.env.PORT), "0.0.0.0");
`,
  "work.js": "",
};

/** Has an app try, and gives the id that its log names. */
export async function tried(stage: Stage, query: string): Promise<string> {
  const { space, url } = await stage.fresh(app);
  await visit(`${url}/?${query}`, stage.alice);
  return until("the app's log, or its replica's waybill, names the connection", async () => {
    const replica = (await stage.up.admin.space(space)).replicas.at(-1)?.id ?? "";
    const linked = (await stage.up.admin.explain(replica)).links.find(({ id }) => id.startsWith("x_"));
    if (linked) return linked.id;
    for await (const { source, text } of stage.up.admin.logs(space))
      if (source === "egress") return /\((x_[0-9a-z]+)\)/.exec(text)?.[1];
    return undefined;
  });
}

export async function listening(port: number, take: (socket: Socket) => void): Promise<AsyncDisposable> {
  const listener: Server = createServer(take);
  listener.listen(port, "127.0.0.2");
  await once(listener, "listening");
  return { [Symbol.asyncDispose]: async () => void listener.close() };
}

/** A stopped listener whose queue is full: the kernel drops whoever asks for a connection, as a network that swallows packets does. */
async function deaf(port: number): Promise<AsyncDisposable> {
  const program = `require("node:net").createServer().listen({ port: ${port}, host: "127.0.0.2", backlog: 1 }, () => {
    console.log("listening");
    process.kill(process.pid, "SIGSTOP");
  })`;
  const listener = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  await once(listener.stdout, "data");
  // One more than its backlog has room.
  const queued = Array.from({ length: 3 }, () => connect({ host: "127.0.0.2", port }));
  for (const socket of queued) socket.on("error", () => undefined); // The third is still asking when we leave.
  await Promise.all(queued.slice(0, 2).map((socket) => once(socket, "connect")));
  return {
    [Symbol.asyncDispose]: async () => {
      for (const socket of queued) socket.destroy();
      listener.kill("SIGKILL");
      await once(listener, "exit");
    },
  };
}

const on = "boxed" as const;

/** A build that runs this; the fixture's own app beside it. */
async function buildThat(stage: Stage, script: string): Promise<string> {
  const manifest = { name: "built", type: "module", scripts: { start: "node server.js", build: "node build.mjs" } };
  const { deployed } = await stage.fresh({ "package.json": JSON.stringify(manifest), "build.mjs": script });
  if (!deployed.build) throw new Error("there was no build");
  return deployed.build.id;
}

export const egressCases: readonly FaultCase[] = [
  {
    code: "egress/name-denied",
    how: "a name that the operator denies",
    on,
    certainty: proved,
    inject: async (stage) => ({ id: await tried(stage, "host=denied.example.com&port=443") }),
  },
  {
    code: "egress/address-denied",
    how: "the metadata service, by its address",
    on,
    certainty: proved,
    inject: async (stage) => ({ id: await tried(stage, "host=169.254.169.254&port=80&literal=1") }),
  },
  {
    code: "egress/address-denied",
    how: "a name that resolves to a private address",
    on,
    certainty: proved,
    inject: async (stage) => ({ id: await tried(stage, "host=127.0.0.1&port=80") }),
  },
  {
    code: "egress/port-denied",
    how: "a port that is on no list",
    on,
    certainty: proved,
    inject: async (stage) => ({ id: await tried(stage, "host=127.0.0.2&port=2525") }),
  },
  {
    code: "egress/dns-failed",
    how: "a name that does not exist",
    on,
    certainty: proved,
    inject: async (stage) => ({ id: await tried(stage, "host=nowhere.invalid&port=443") }),
  },
  {
    code: "egress/dial-refused",
    how: "nobody listens there",
    on,
    certainty: proved,
    inject: async (stage) => ({ id: await tried(stage, "host=127.0.0.2&port=4199") }),
  },
  {
    code: "egress/dial-timeout",
    how: "the other side answers no packet",
    on,
    certainty: proved,
    async inject(stage) {
      await using _deaf = await deaf(4197);
      return { id: await tried(stage, "host=127.0.0.2&port=4197") };
    },
  },
  {
    code: "egress/remote-refused",
    how: "the other side resets what it had accepted",
    on,
    certainty: proved,
    async inject(stage) {
      await using _resets = await listening(4198, (socket) => {
        socket.on("error", () => undefined);
        socket.resetAndDestroy();
      });
      return { id: await tried(stage, "host=127.0.0.2&port=4198") };
    },
  },
  {
    code: "egress/name-denied",
    how: "a build fetches from a name that the operator denies",
    on,
    certainty: proved,
    async inject(stage) {
      const build = await buildThat(stage, 'await fetch("https://denied.example.com/tool.tgz");');
      return until("the build's waybill names the connection", async () =>
        (await stage.up.admin.explain(build)).links.find(({ id }) => id.startsWith("x_")),
      );
    },
  },
  {
    code: "build/out-of-memory",
    how: "the build script takes more memory than its group may",
    on,
    certainty: proved,
    inject: async (stage) => ({
      id: await buildThat(stage, "const held = []; for (;;) held.push(Buffer.alloc(1 << 20, 7));"),
    }),
  },
  {
    code: "app/out-of-memory",
    how: "an app that takes more memory than its group may",
    on,
    certainty: proved,
    async inject(stage) {
      const { space, url } = await stage.fresh(app);
      const before = await stage.up.replica(space);
      await visit(`${url}/eat`, stage.alice);
      await until("the replica has ended", async () =>
        (await stage.up.admin.space(space)).replicas.find(({ id, phase }) => id === before.id && phase === "exited"),
      );
      return { id: before.id };
    },
  },
];
