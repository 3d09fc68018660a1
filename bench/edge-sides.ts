/** All that stands between the visitors and the app, one after the other: our edge in several forms, and the proxies that are found here. */
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { readShim } from "../src/runtime/folder.ts";
import { bench } from "../test/support/replicas.ts";
import type { Skipped } from "./document.ts";
import type { Asked, Told } from "./edge-roles.ts";
import { installed, startInstalled } from "./edge-peers.ts";

export interface Side {
  readonly name: string;
  readonly port: number;
  /** All whose work it is. */
  readonly pids: readonly number[];
  /** What is garbage in it goes, where it can be told to. */
  collect(): Promise<void>;
}

export type OursName = "edge" | "edge-without-identity" | "edge-without-evidence" | "edge-with-shim";

export interface Sides extends AsyncDisposable {
  readonly ours: Readonly<Record<OursName, Side>>;
  readonly peers: readonly Side[];
  /** The app's own port: nothing between. */
  readonly direct: number;
  load(asked: Asked): Promise<number>;
  /** What was not measured, and why; a run adds to it. */
  readonly skipped: Skipped[];
}

/** A child that has not answered by then is stuck, and the benchmark with it. */
const answerWithinMs = 60_000;
const endWithinMs = 5_000;
/** Started by a shim, as a Space's app is. */
export const appProgram = `import(${JSON.stringify(join(import.meta.dirname, "edge-app.ts"))})
  .then(({ openApp }) => openApp({ host: "127.0.0.1", port: Number(process.env.PORT) }));`;

/** `folder` is for sockets, so its path is short; `disk` for evidence and logs. */
export async function openSides(folder: string, disk: string): Promise<Sides> {
  const children: ChildProcess[] = [];
  const { start, node } = roles(folder, disk, children);
  const replicas = bench();
  const close = async (): Promise<void> => {
    for (const child of children) await ended(child);
    await replicas[Symbol.asyncDispose]();
  };
  try {
    const appSocket = join(folder, "in.sock");
    const { port: direct } = await start("app");
    const replica = await replicas.start({ "app.js": appProgram });
    await replica.untilPhase("ready");
    const { socket } = replica.link.status();
    const shim = readShim(replica.plan.folder)?.pid as number;
    const beforeShim = await start("edge", socket ?? "");
    const ours = {
      edge: await node("the edge", "edge"),
      "edge-without-identity": await node("the edge without identity", "edge-without-identity"),
      "edge-without-evidence": await node("the edge without evidence", "edge-without-evidence"),
      "edge-with-shim": {
        name: "the edge and the shim",
        port: beforeShim.port,
        pids: [beforeShim.child.pid as number, shim],
        collect: () => collected(beforeShim.child, "edge"),
      },
    };
    const nodePeers = [
      await node("http-proxy 1.18, keep-alive agent, no log", "http-proxy"),
      await node("undici 8 dispatch behind node:http, no log", "undici"),
    ];
    const found: Side[] = [];
    const skipped: Skipped[] = [];
    for (const peer of installed) {
      const side = await startInstalled(peer, { folder: disk, app: appSocket }, children);
      if ("why" in side) skipped.push(side);
      else found.push(side);
    }
    let load = (await start("load")).child;
    return {
      ours,
      peers: [...nodePeers, ...found],
      direct,
      load: async (asked) => {
        try {
          return (await ask(load, "load", asked)).value ?? 0;
        } catch (error) {
          // What it has open, and what it may still answer, belongs to what broke.
          load.kill("SIGKILL");
          load = (await start("load")).child;
          throw error;
        }
      },
      skipped,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Processes of `edge-roles.ts`; whoever opens them ends the children. */
export function roles(folder: string, disk: string, children: ChildProcess[]) {
  const appSocket = join(folder, "in.sock");
  const start = async (
    role: string,
    socket = appSocket,
  ): Promise<{ child: ChildProcess; port: number; spool: string }> => {
    const spool = join(disk, `${role}-${children.length}`);
    mkdirSync(spool);
    const child = fork(join(import.meta.dirname, "edge-roles.ts"), [role, socket, spool], {
      execArgv: ["--expose-gc"],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    children.push(child);
    const { port = 0 } = await answer(child, role);
    return { child, port, spool };
  };
  const node = async (name: string, role: string): Promise<Side> => {
    const { child, port } = await start(role);
    return { name, port, pids: [child.pid as number], collect: () => collected(child, role) };
  };
  return { start, node };
}

async function collected(child: ChildProcess, role: string): Promise<void> {
  await ask(child, role, { ask: "collect" });
}

export function ask(child: ChildProcess, role: string, question: Asked): Promise<Told> {
  child.send(question);
  return answer(child, role);
}

function answer(child: ChildProcess, role: string): Promise<Told> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${role} did not answer in ${answerWithinMs} ms`)), answerWithinMs);
    const exited = (code: number | null): void => reject(new Error(`${role} ended with ${code}`));
    child.once("exit", exited);
    child.once("message", (told: Told) => {
      clearTimeout(late);
      child.off("exit", exited);
      if (told.failed === undefined) resolve(told);
      else reject(new Error(`${role}: ${told.failed}`));
    });
  });
}

/** Node children end with their channel, so that a profile of them is written; others by a signal. */
export function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const late = setTimeout(() => child.kill("SIGKILL"), endWithinMs);
    child.once("exit", () => {
      clearTimeout(late);
      resolve();
    });
    if (child.connected) child.disconnect();
    else child.kill("SIGTERM");
  });
}
