/** `POST /api/backups`: a copy of the running platform, in a folder of the server's machine. For administrators. */
import { isAbsolute } from "node:path";
import { z } from "zod";
import { BackupFailed } from "../../journal/index.ts";
import type { Route } from "../api.ts";
import { administrator, refuse } from "../api.ts";
import { jsonBody } from "../json-body.ts";

/** Linux takes no longer path. */
const pathMaxChars = 4096;
const body = z.strictObject({
  folder: z.string().max(pathMaxChars).refine(isAbsolute, "write an absolute path of the server's machine"),
});

export const backupsRoute: Route = (api, server) => {
  api.post("/api/backups", async (c) => {
    const caller = administrator(c);
    if (caller instanceof Response) return caller;
    const wished = await jsonBody(c, body);
    if (wished instanceof Response) return wished;
    try {
      return c.json(await server.backup(wished.folder));
    } catch (error) {
      if (!(error instanceof BackupFailed)) throw error;
      return refuse(c, "control/conflict", { detail: error.message });
    }
  });
};
