/**
 * `GET R/xet-read-token/REVISION` and `…/xet-write-token/…` (R: `/api/{models,datasets,spaces}/OWNER/NAME`): a token of the Xet protocol for
 * one repository, for a quarter of an hour, and where to go with it.
 */
import { casPath } from "../../../hub/xet/face.ts";
import { pullOf } from "../../../hub/pull-ref.ts";
import { signToken, type XetToken } from "../../../hub/xet/tickets.ts";
import { notFor, originOf, refuse, type ApiContext, type Route } from "../../api.ts";
import type { Server } from "../../server.ts";
import { holderOf } from "../../../catalog/large-files.ts";
import { anyRepo, changeableRepo, readableRepo } from "./asked-repo.ts";
import { noFiles } from "./gate.ts";
import { noRoomFor, roomOwner } from "./room.ts";
import { asksPull } from "./upload.ts";

export const xetRoute: Route = (api, server) => {
  const { hub } = server;

  api.get(`${anyRepo}/xet-read-token/:revision{.+}`, async (c) => {
    const repo = readableRepo(c, server);
    if (repo instanceof Response) return repo;
    const gated = await noFiles(c, server, repo);
    if (gated) return gated;
    const { owner } = repo;
    const account = c.get("caller")?.account ?? "";
    return given(c, server, { right: "read", repository: holderOf(repo), owner, account, whole: false });
  });

  api.get(`${anyRepo}/xet-write-token/:revision{.+}`, async (c) => {
    const isPull = asksPull(c) || pullOf(c.req.param("revision")) !== undefined;
    const found = await changeableRepo(c, server, isPull);
    if (found instanceof Response) return found;
    const { repo, caller, by } = found;
    const { key, stored } = repo;
    if (!caller.grants("write", key)) return notFor(c, "write");
    const owner = roomOwner(repo, by);
    const full = await noRoomFor(c, server, owner, 1);
    if (full) return full;
    // A Space that nothing was pushed to has none yet; one that is deleted meanwhile gets none again.
    if (!(await hub.store.exists(stored))) await hub.changing(repo, () => hub.store.createRepository(stored));
    return given(c, server, {
      ...{ right: by.mayWrite ? "write" : "propose", repository: holderOf(repo), owner, account: caller.account },
      // One that is good for some repositories reads and reuses nothing of the account's others.
      whole: caller.grants("read") && caller.grants("write"),
    });
  });
};

function given(c: ApiContext, { xet, clock }: Server, of: XetToken): Response {
  if (xet === undefined) return refuse(c, "control/not-found", { detail: "Nothing is given by Xet here." });
  const { token, expires } = signToken(xet.key, of, clock.wall());
  const casUrl = `${originOf(c)}${casPath(xet.instance, of.account)}`;
  // Some clients read the headers, and some the body.
  return c.json({ accessToken: token, exp: expires, casUrl }, 200, {
    "cache-control": "no-store",
    "x-xet-access-token": token,
    "x-xet-token-expiration": String(expires),
    "x-xet-cas-url": casUrl,
  });
}
