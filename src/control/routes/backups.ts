/** `POST /api/backups`, `GET /api/backups/ID`: a copy of the running platform, in a folder of the server's machine. For administrators. */
import { isAbsolute } from "node:path";
import { z } from "zod";
import { BackupFailed } from "../../journal/index.ts";
import type { Route } from "../api.ts";
import { administrator, refuse } from "../api.ts";
import { jsonBody } from "../json-body.ts";

/** Linux takes no longer path. */
const pathMaxChars = 4096;
export const backupBody = z.strictObject({
  folder: z.string().max(pathMaxChars).refine(isAbsolute, "write an absolute path of the server's machine"),
  wait: z.boolean().optional(),
});

export const backupsRoute: Route = (api, { backups }) => {
  api.post("/api/backups", async (c) => {
    const caller = administrator(c);
    if (caller instanceof Response) return caller;
    const wished = await jsonBody(c, backupBody);
    if (wished instanceof Response) return wished;
    try {
      const id = backups.begin(wished.folder);
      return wished.wait === false ? c.json(await backups.view(id), 202) : c.json(await backups.end(id));
    } catch (error) {
      if (!(error instanceof BackupFailed)) throw error;
      return refuse(c, "control/conflict", { detail: error.message });
    }
  });

  api.get("/api/backups/:id", async (c) => {
    const caller = administrator(c);
    if (caller instanceof Response) return caller;
    const id = c.req.param("id");
    const view = await backups.view(id);
    if (view) return c.json(view);
    return refuse(c, "control/not-found", {
      detail: `There is no backup ${id}: it was not begun since the server was started. A folder with backup.json is a whole one.`,
    });
  });
};
