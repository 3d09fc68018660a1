/** What stands outside of a probed sandbox, waiting to be found: servers, sockets and files of the host, and who came. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readlinkSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo, type ListenOptions, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { linuxProcesses } from "../processes.ts";
import { baitName, type HostFacts } from "./inside/facts.ts";

export interface Bait extends AsyncDisposable {
  readonly facts: HostFacts;
  /** Connections and datagrams that arrived. */
  readonly visits: () => number;
}

const kinds = ["user", "mnt", "pid", "ipc", "uts", "net", "cgroup"] as const;
/** A kernel without IPv6 has no ::1. */
const withoutIpv6 = ["EADDRNOTAVAIL", "EAFNOSUPPORT"];

/** `folder` is the agent's own; `name` makes what is put out in public places this run's. */
export async function putBait(folder: string, name: string): Promise<Bait> {
  await using stack = new AsyncDisposableStack();
  let visits = 0;
  const serve = async (place: ListenOptions): Promise<Server> => {
    const server = createServer((socket) => {
      visits += 1;
      socket.on("error", () => socket.destroy());
      socket.end("bait");
    });
    server.listen(place);
    await once(server, "listening");
    stack.defer(() => void server.close());
    return server;
  };
  const first = await serve({ host: "127.0.0.1", port: 0 });
  const tcpPort = (first.address() as AddressInfo).port;
  const hasIpv6 = await serve({ host: "::1", port: tcpPort }).then(() => true, withoutThat);
  const socket = join(tmpdir(), `${baitName}-${name}.sock`);
  await serve({ path: socket, writableAll: true });
  const abstract = `${baitName}-${name}`;
  await serve({ path: `\0${abstract}` });
  const datagrams = createSocket("udp4", (message, from) => {
    visits += 1;
    if (message.toString() === "probe") datagrams.send("bait", from.port, from.address);
  });
  datagrams.bind(0, "127.0.0.1");
  await once(datagrams, "listening");
  stack.defer(() => void datagrams.close());
  const files = [...new Set([tmpdir(), "/dev/shm"])].map((place) => join(place, `${baitName}-${name}`));
  for (const file of files) {
    writeFileSync(file, "bait", { mode: 0o644 });
    stack.defer(() => rmSync(file, { force: true }));
  }
  const { pid, start } = linuxProcesses().stat(process.pid) ?? { pid: process.pid, start: "" };
  const facts: HostFacts = {
    agent: { pid, start },
    files,
    folder,
    tcpPort,
    udpPort: datagrams.address().port,
    addresses: ["127.0.0.1", ...(hasIpv6 ? ["::1"] : [])],
    abstract,
    socket,
    namespaces: Object.fromEntries(kinds.map((kind) => [kind, readlinkSync(`/proc/self/ns/${kind}`)])),
  };
  const owned = stack.move();
  return { facts, visits: () => visits, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** The port may also be another's there: then the host is looked for at its other address only. */
function withoutThat(error: NodeJS.ErrnoException): false {
  if (![...withoutIpv6, "EADDRINUSE"].includes(error.code ?? "")) throw error;
  return false;
}
