/**
 * Signs programs in without a browser of theirs (RFC 8628), by the paths at which the Hub's clients ask. `POST /oauth/device`: a code.
 * `POST /oauth/token`: its token, once a person has approved. `GET`, `POST /login/device`: where a signed-in person answers.
 */
import { prefersHtml, problemOf } from "../../http/index.ts";
import { deviceCodeLivesMs, pollIntervalMs } from "../../identity/device-codes.ts";
import type { DeviceClient, PollError } from "../../identity/device-codes.ts";
import { tokenScopes } from "../../identity/token-resolver.ts";
import type { Scope } from "../../identity/token-resolver.ts";
import { iso } from "../../stdx/time.ts";
import { addressOf, originOf, refuse, inPerson } from "../api.ts";
import type { ApiContext, Route } from "../api.ts";
import { noteChange } from "../auditing.ts";
import { answeredPage, answerPage, askCodePage } from "../device-page.ts";
import { granted, nameOf } from "../device-sign-in.ts";
import { formBody, formFields } from "../form-body.ts";
import { pageHeaders } from "../pages.ts";
import type { Server } from "../server.ts";
import type { Refused } from "../spaces.ts";

/** `huggingface_hub` has one id for its device sign-in, whatever the server (`DEVICE_CODE_OAUTH_CLIENT_ID`). */
const clients: ReadonlyMap<string, DeviceClient> = new Map([
  ["waybill", "waybill"],
  ["26be6b09-91c5-47da-9861-d2d2bb7a7e36", "hf"],
]);
const grantType = "urn:ietf:params:oauth:grant-type:device_code";
/** What a program gets that names nothing: what a person's own token usually has. */
const usualScopes: readonly Scope[] = ["read", "write", "gpu"];
const machineMaxLength = 60;

export const deviceRoute: Route = (api, server) => {
  api.post("/oauth/device", (c) => begin(c, server));
  api.post("/oauth/token", (c) => token(c, server));
  api.get("/login/device", (c) => show(c, server));
  api.post("/login/device", (c) => answer(c, server));
};

async function begin(c: ApiContext, server: Server): Promise<Response> {
  const body = await formBody(c);
  if (body instanceof Response) return body;
  if ("wrong" in body) return oauthError(c, "invalid_request", body.wrong);
  const { client_id: id = "", scope, machine = "" } = body.fields;
  const client = clients.get(id);
  if (client === undefined) return unknownClient(c);
  const scopes = scope === undefined || scope.trim() === "" ? usualScopes : scopesOf(scope);
  if (scopes === undefined)
    return oauthError(c, "invalid_scope", `Write some of ${tokenScopes.join(" ")}, with spaces between them.`);
  const begun = await server.devices.begin({ client, scopes, machine: machineOf(machine), address: addressOf(c) });
  if (begun === undefined)
    return refuse(c, "capacity/rate-limited", {
      detail: "Too many sign-ins wait to be answered. Answer those that were started, or wait ten minutes.",
    });
  const at = `${originOf(c)}/login/device`;
  return oauthAnswer(c, {
    ...{ device_code: begun.deviceCode, user_code: begun.device.userCode, verification_uri: at },
    verification_uri_complete: `${at}?code=${begun.device.userCode}`,
    ...{ expires_in: deviceCodeLivesMs / 1_000, interval: pollIntervalMs / 1_000 },
  });
}

async function token(c: ApiContext, server: Server): Promise<Response> {
  const body = await formBody(c);
  if (body instanceof Response) return body;
  if ("wrong" in body) return oauthError(c, "invalid_request", body.wrong);
  const { grant_type: grant = "", device_code: code, client_id: id = "" } = body.fields;
  if (grant !== grantType) return oauthError(c, "unsupported_grant_type", `This takes ${grantType}.`);
  const client = clients.get(id);
  if (client === undefined) return unknownClient(c);
  if (code === undefined) return oauthError(c, "invalid_request", "device_code is missing.");
  const polled = await server.devices.poll(code, client);
  if ("error" in polled) return oauthError(c, polled.error, pollSays[polled.error]);
  return oauthAnswer(c, {
    ...{ access_token: polled.secret, token_type: "Bearer" },
    ...(polled.expiresAt === null
      ? {}
      : { expires_in: Math.max(0, Math.floor((polled.expiresAt - server.clock.wall()) / 1_000)) }),
  });
}

function show(c: ApiContext, server: Server): Response {
  const code = c.req.query("code");
  const caller = inPerson(c);
  if (caller instanceof Response) {
    if (c.get("caller") !== null || !prefersHtml(c.req.header("accept"))) return caller;
    const here = `/login/device${code ? `?${new URLSearchParams({ code })}` : ""}`;
    return c.redirect(`/login?${new URLSearchParams({ next: here })}`, 303);
  }
  if (code === undefined || code === "") return html(askCodePage());
  const found = server.devices.find(code, caller);
  if (!found.ok) return again(found);
  const { device } = found;
  return html(answerPage(device, { account: caller.account, granted: granted(device, caller) }));
}

async function answer(c: ApiContext, server: Server): Promise<Response> {
  const caller = inPerson(c);
  if (caller instanceof Response) return caller;
  const fields = await formFields(c);
  if (fields instanceof Response) return fields;
  const { code = "", answer: word } = fields;
  if (word !== "approve" && word !== "deny")
    return refuse(c, "control/invalid", { detail: "answer: write approve or deny" });
  noteChange(c, { account: caller.account, answer: word });
  if (word === "deny") {
    const denied = server.devices.deny(code, caller);
    if (!denied.ok) return again(denied);
    noteChange(c, { name: nameOf(denied.device), from: denied.device.address });
    return html(answeredPage("Denied", "The program has been told so, and got nothing."));
  }
  const approved = await server.devices.approve(code, caller);
  if (!approved.ok) return again(approved);
  const { device, scopes, token: id, expiresAt } = approved;
  const until = expiresAt === null ? "without end" : `until ${iso(expiresAt).slice(0, 10)}`;
  noteChange(c, { name: nameOf(device), from: device.address, token: id, scopes });
  return html(
    answeredPage(
      "Approved",
      `Go back to the program: it is signed in as ${caller.account} in some seconds, by the token ${id} (${nameOf(device)}). It may ${scopes.join(", ")}, ${until}; waybill token revoke ${id} takes that back.`,
    ),
  );
}

const pollSays: Readonly<Record<PollError, string>> = {
  authorization_pending: "Nobody has answered yet.",
  slow_down: "Asked too soon: wait five seconds longer each time.",
  access_denied: "The person said no.",
  expired_token: "Nobody answered in time. Start again.",
  invalid_grant: "That code was given to nobody who asks so, or its token has been fetched. Start again.",
};

function oauthAnswer(c: ApiContext, body: object, status: 200 | 400 | 401 = 200): Response {
  return c.json(body, status, { "cache-control": "no-store", pragma: "no-cache" });
}

/** RFC 6749 §5.2. */
function oauthError(c: ApiContext, error: string, says: string): Response {
  return oauthAnswer(c, { error, error_description: says }, 400);
}

function unknownClient(c: ApiContext): Response {
  return oauthAnswer(
    c,
    { error: "invalid_client", error_description: "client_id is to be waybill, or the one of huggingface_hub." },
    401,
  );
}

function html(text: string, status = 200): Response {
  return new Response(text, { status, headers: pageHeaders });
}

/** The refusal as a page on which another code can be typed. */
function again({ code, says }: Refused): Response {
  return html(askCodePage(says), problemOf(code).status);
}

function scopesOf(text: string): readonly Scope[] | undefined {
  const named = text
    .trim()
    .split(/ +/)
    .map((name) => tokenScopes.find((scope) => scope === name));
  return named.includes(undefined) ? undefined : [...new Set(named as Scope[])];
}

/** As it is shown and stored: one short line of plain characters, since hosts are named so and lists are drawn of it. */
function machineOf(text: string): string | null {
  const plain = text
    .replace(/[^A-Za-z0-9._ -]+/g, "")
    .trim()
    .slice(0, machineMaxLength);
  return plain === "" ? null : plain;
}
