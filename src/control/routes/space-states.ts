/**
 * What people do with a Space, in the Hub's form where it has one: `POST /api/spaces/OWNER/NAME/…` restart[?factory=true], pause,
 * resume, stop, rollback, sleeptime, hardware. Each answers the Space's runtime, and says no with the reason and who can lift it.
 */
import { z } from "zod";
import type { OwnerSettings } from "../../contract/api.ts";
import { spaceOwner } from "../../contract/space.ts";
import type { Actor } from "../../core/spaces/model.ts";
import type { Api, ApiContext, Route } from "../api.ts";
import { administrator, refuse } from "../api.ts";
import type { Caller } from "../caller.ts";
import { jsonBody, optionalBody } from "../json-body.ts";
import { plainText } from "../plain-text.ts";
import type { Server } from "../server.ts";
import { lengthFrom } from "../space-settings.ts";
import type { Done, Refused } from "../spaces.ts";
import { askedSpace } from "./asked-space.ts";

/** Who asks, of which Space. */
interface Asked {
  readonly space: string;
  readonly actor: Actor;
  readonly caller: Caller;
}

const reasonMax = 300;

/** `by`: the rule that an operator sees to, with what it is about as the reason. */
export const pauseBody = z
  .strictObject({
    reason: plainText(reasonMax).exactOptional(),
    by: z.enum(["budget", "abuse-rule"]).exactOptional(),
  })
  .refine(({ reason, by }) => by === undefined || reason !== undefined, {
    path: ["reason"],
    message: "a pause by a rule says what it is about",
  });
export const rollbackBody = z.strictObject({ release: z.string().min(1).exactOptional() });
const seconds = z.number().int().min(-1).max(31_536_000);
export const sleeptimeBody = z.object({ seconds });
export const hardwareBody = z.object({ flavor: z.string().min(1), sleepTimeSeconds: seconds.exactOptional() });

export const spaceStatesRoute: Route = (api, server) => {
  on(api, server, "restart", async (c, { space, actor }) => {
    const factory = c.req.query("factory") ?? "false";
    if (factory !== "true" && factory !== "false")
      return refuse(c, "control/invalid", { detail: `factory is "${factory}"; write true or false, or leave it out.` });
    return server.restart(space, { factory: factory === "true", actor });
  });
  on(api, server, "pause", async (c, { space, actor, caller }) => {
    const said = await optionalBody(c, pauseBody);
    if (said instanceof Response) return said;
    const { by, reason = null } = said;
    const own = caller.admin && caller.account !== spaceOwner(space) ? "operator" : "owner";
    const operator = by === undefined ? caller : administrator(c);
    if (operator instanceof Response) return operator;
    return server.spaces.pause(space, { actor, by: by ?? own, why: reason });
  });
  on(api, server, "resume", async (_, { space, actor, caller }) => {
    const done = await server.spaces.resume(space, actor);
    if (done.ok) await server.commits.catchUp(space, caller.account);
    return done;
  });
  on(api, server, "stop", (_, { space, actor }) => server.spaces.stop(space, actor));
  on(api, server, "rollback", async (c, { space, actor }) => {
    const said = await optionalBody(c, rollbackBody);
    return said instanceof Response ? said : server.spaces.rollBack(space, actor, said.release);
  });
  on(api, server, "sleeptime", async (c, { space, actor }) => {
    const said = await jsonBody(c, sleeptimeBody);
    return said instanceof Response ? said : set(server, space, actor, sleepAfter(said.seconds));
  });
  on(api, server, "hardware", async (c, { space, actor }) => {
    const said = await jsonBody(c, hardwareBody);
    if (said instanceof Response) return said;
    const { flavor, sleepTimeSeconds } = said;
    const sleep = sleepTimeSeconds === undefined ? {} : sleepAfter(sleepTimeSeconds);
    return set(server, space, actor, { hardware: flavor, ...sleep });
  });
  api.get("/api/spaces/hardware", (c) => c.json(server.hardware.list));
};

/** The one who asks, as a Space's machine knows people: an administrator is one also for Spaces of their own. */
export function actorOf({ account, admin }: Caller): Actor {
  return { kind: admin ? "operator" : "owner", account };
}

function on(
  api: Api,
  server: Server,
  name: string,
  act: (c: ApiContext, asked: Asked) => Promise<Done | Response>,
): void {
  api.post(`/api/spaces/:owner/:name/${name}`, async (c) => {
    const named = askedSpace(c, server);
    if (named instanceof Response) return named;
    const asked = { ...named, actor: actorOf(named.caller) };
    const done = server.effects.made ? ({ ok: true } as const) : await act(c, asked);
    if (done instanceof Response) return done;
    if (!done.ok) return refuse(c, done.code, { detail: done.says });
    return c.json(server.spaces.hubView(named.space, { inside: false })?.runtime);
  });
}

async function set(server: Server, space: string, actor: Actor, change: Partial<OwnerSettings>): Promise<Done> {
  const changed = await server.spaces.set(space, change, actor);
  return changed !== undefined && isRefused(changed) ? changed : { ok: true };
}

export function isRefused(answer: Refused | OwnerSettings): answer is Refused {
  return "ok" in answer;
}

/** The Hub's seconds as our setting; 0 there is a Space that never ran, and means nothing here. */
export function sleepAfter(forSeconds: number): Pick<OwnerSettings, "sleep-after"> {
  return { "sleep-after": lengthFrom(forSeconds === 0 ? -1 : forSeconds) };
}
