/** What is answered of repositories beside the Hub's API: git's own protocol, git-lfs, Xet, and files by their addresses. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import type { PushDesk } from "../control/push-desk.ts";
import type { Server } from "../control/server.ts";
import { XetRepositories } from "../control/xet-desk.ts";
import { GitFace } from "../hub/git-face.ts";
import { LfsFace } from "../hub/lfs-face.ts";
import { ResolveFace } from "../hub/resolve-face.ts";
import { Transfers, type TransfersOptions } from "../hub/transfers.ts";
import { XetFace } from "../hub/xet/face.ts";
import type { PlatformConfig } from "./config.ts";
import type { OpenedLargeFiles } from "./large-files.ts";

export interface HubFacesParts extends TransfersOptions {
  readonly config: Pick<PlatformConfig, "data" | "git" | "pace">;
  readonly server: Server;
  readonly desk: PushDesk;
  readonly large: OpenedLargeFiles;
  /** Signs the addresses of git-lfs. */
  readonly key: Uint8Array;
}

/** Says whether the request is for one of them; then it is answered. */
export type ServeHub = (request: IncomingMessage, response: ServerResponse) => boolean;

export async function openHubFaces(
  stack: AsyncDisposableStack,
  { config, server, desk, large, key, ...told }: HubFacesParts,
): Promise<ServeHub> {
  const { repositories, lfs: store, files, xet, service } = large;
  const { pace } = config;
  const { clock, random } = told;
  const transfers = new Transfers(told);
  const common = { desk, repositories, transfers, random, limits: { pace } };
  const faces = [
    stack.use(
      await GitFace.open({
        ...{ repositories, desk, transfers, clock, random },
        ...{ folder: join(config.data, "git"), limits: { ...config.git, pace } },
      }),
    ),
    new LfsFace({
      ...{ ...common, store, large: files, storage: service.storage, xet: service, key, clock },
      proposers: server.catalog.largeFiles,
    }),
    new XetFace({ ...common, store: xet, ...service, clock, desk: new XetRepositories(server) }),
    new ResolveFace({ ...common, reader: server.hub.reader, large: files, instance: service.instance }),
  ];
  return (request, response) => faces.some((face) => face.serve(request, response));
}
