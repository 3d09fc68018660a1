/** A real edge before the real shim's door before a recording app, as the judge needs it. */
import { rmSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { appHost, edgeWorld } from "../edge-world.ts";
import type { EdgeWorld } from "../edge-world.ts";
import { shimDoor } from "../shim-door.ts";
import { sendRaw } from "./judge.ts";
import type { Judged } from "./judge.ts";
import { recorder } from "./recorder.ts";
import type { RecordingApp } from "./recorder.ts";

export interface JudgedWorld extends Judged, AsyncDisposable {
  readonly edge: EdgeWorld;
}

/** The edge before the app that is reached at this path of a replica's `in.sock`. */
export async function judgedEdge(path: string, app: RecordingApp): Promise<JudgedWorld> {
  const edge = await edgeWorld((_, response) => response.end());
  edge.directory.set(appHost, {
    space: "alice/demo",
    owner: "alice",
    state: { kind: "running", replicas: [{ id: "r_1", socket: path }] },
  });
  const { port } = edge.edge;
  return {
    edge,
    app,
    malformed: () =>
      edge.counted.filter(({ code }) => code === "route/malformed").length +
      edge.emitter.entries.filter(({ facts }) => facts["code"] === "route/malformed").length,
    other: (target) => sendRaw(port, [`GET ${target} HTTP/1.1\r\nHost: ${appHost}\r\nConnection: close\r\n\r\n`]),
    send: (bytes, ends) => sendRaw(port, bytes, { ends }),
    [Symbol.asyncDispose]: () => edge.close(),
  };
}

/** Edge, the shim's door in this process, and the recorder. */
export async function recordedEdge(): Promise<JudgedWorld> {
  const folder = mkdtempSync(join(tmpdir(), "waybill-requests-"));
  const path = join(folder, "in.sock");
  const app = await recorder();
  const door = await shimDoor(path, app.port);
  const world = await judgedEdge(path, app);
  return {
    ...world,
    async [Symbol.asyncDispose]() {
      await world[Symbol.asyncDispose]();
      await app[Symbol.asyncDispose]();
      door.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
