/** `POST /api/spaces/OWNER/NAME/commit/main`: the Hub's commit form. Makes the Space if it is absent, and starts the build of the commit, or says why there is none. */
import type { CommitView } from "../../contract/api.ts";
import type { Route } from "../api.ts";
import { originOf, refuse, spaceOwnerOf } from "../api.ts";
import { noteChange } from "../auditing.ts";
import { boundedBody } from "../json-body.ts";

/** Base64 of 64 MiB of files, and room for their names. */
export const commitMaxBytes = 92 * 1024 * 1024;

export const commitRoute: Route = (api, server) => {
  api.post("/api/spaces/:owner/:name/commit/:branch", async (c) => {
    const startedAt = server.clock.wall();
    const { owner, name, branch } = c.req.param();
    const caller = spaceOwnerOf(c);
    if (caller instanceof Response) return caller;
    if (branch !== "main")
      return refuse(c, "control/invalid", { detail: `Commits go to the branch main; this one is for ${branch}.` });
    const bytes = await boundedBody(c, commitMaxBytes);
    if (bytes instanceof Response) return bytes;
    const done =
      (await server.madeCommit()) ?? (await server.commits.commit({ owner, name, bytes, author: caller.account }));
    if (!done.ok) {
      const { says, errors, waybill } = done;
      return refuse(c, done.code, { detail: says, ...(errors ? { errors } : {}), ...(waybill ? { waybill } : {}) });
    }
    noteChange(c, { commit: done.commit, build: done.build });
    const led = done.build ?? done.noBuild?.id;
    server.commits.record({
      request: c.get("requestId"),
      method: "POST",
      path: c.req.path,
      account: caller.account,
      startedAt,
      link: led === undefined ? [] : [led],
    });
    const answer: CommitView = {
      success: true,
      commitOid: done.commit,
      commitUrl: `${originOf(c)}/spaces/${owner}/${name}/commit/${done.commit}`,
      hookOutput: done.noBuild?.says ?? "",
      pullRequestUrl: null,
      build: done.build,
      noBuild: done.noBuild,
    };
    return c.json(answer);
  });
};
