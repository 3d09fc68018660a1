/** `GET /api/gpu/queue` and `GET /api/gpu/board`: who waits for what, and who has the slots. Names are for administrators. */
import type { BoardView, QueueView } from "../../contract/api.ts";
import type { Route } from "../api.ts";
import type { Caller } from "../caller.ts";
import { refuse, signedIn } from "../api.ts";

export const gpuRoute: Route = (api, server) => {
  api.get("/api/gpu/queue", async (c) => {
    const caller = signedIn(c);
    if (caller instanceof Response) return caller;
    const pool = c.req.query("pool") ?? "main";
    const view = await server.queue(pool);
    return view
      ? c.json(queueFor(view, caller))
      : refuse(c, "control/not-found", { detail: `There is no pool ${pool}.` });
  });
  api.get("/api/gpu/board", async (c) => {
    const caller = signedIn(c);
    return caller instanceof Response ? caller : c.json(boardFor(await server.board(), caller));
  });
};

/** Others' calls keep their place and lose their names. */
function queueFor(view: QueueView, caller: Caller): QueueView {
  if (caller.admin) return view;
  return {
    ...view,
    calls: view.calls.map((call) =>
      call.account === caller.account ? call : { ...call, account: "another", space: "another", call: "-" },
    ),
  };
}

function boardFor(view: BoardView, caller: Caller): BoardView {
  if (caller.admin) return view;
  return {
    slots: view.slots.map((slot) =>
      slot.account === caller.account ? slot : { ...slot, account: null, space: null, call: null },
    ),
  };
}
