/** Writes and reads the `Proxy-Status` field (RFC 9209) with the structured-fields library. */
import { parseList, serializeList, Token } from "structured-headers";
import type { BareItem, Item, List } from "structured-headers";

import { proxyErrors } from "../contract/proxy-status.ts";
import type { ProxyError, ProxyStatusMember } from "../contract/proxy-status.ts";

/** The deployment's name on the wire where the configuration gives none. */
export const defaultDeploymentName = "waybill";

/** The field's value; the first member is nearest the app, the last nearest the visitor (RFC 9209 §2). */
export function serializeProxyStatus(members: readonly ProxyStatusMember[]): string {
  return serializeList(members.map(memberItem));
}

/** The members of a field value; undefined where it is not valid (RFC 9651 §4.2: an invalid field is ignored whole). */
export function parseProxyStatus(value: string): ProxyStatusMember[] | undefined {
  const list = listOf(value);
  if (list === undefined) return undefined;
  const members: ProxyStatusMember[] = [];
  for (const member of list) {
    const [name, parameters] = member;
    if (Array.isArray(name)) return undefined;
    const deployment = textOf(name);
    if (deployment === undefined) return undefined;
    const error = textOf(parameters.get("error"));
    const receivedStatus = parameters.get("received-status");
    const details = parameters.get("details");
    members.push({
      deployment,
      ...(error !== undefined && isProxyError(error) ? { error } : {}),
      ...(typeof receivedStatus === "number" ? { receivedStatus } : {}),
      ...(typeof details === "string" ? { details } : {}),
    });
  }
  return members;
}

/** The value that an app's own answers bear, for each status serialised once. */
export function receivedStatusValues(deployment: string): (status: number) => string {
  const values = new Map<number, string>();
  return (status) => {
    let value = values.get(status);
    if (value === undefined) {
      value = serializeProxyStatus([{ deployment, receivedStatus: status }]);
      values.set(status, value);
    }
    return value;
  };
}

function memberItem({ deployment, error, receivedStatus, details }: ProxyStatusMember): Item {
  const parameters = new Map<string, BareItem>();
  if (error !== undefined) parameters.set("error", new Token(error));
  if (receivedStatus !== undefined) parameters.set("received-status", receivedStatus);
  if (details !== undefined) parameters.set("details", details);
  return [isToken(deployment) ? new Token(deployment) : deployment, parameters];
}

// RFC 9651 §3.3.4: a token starts with a letter or "*"; any other name is sent as a string.
function isToken(text: string): boolean {
  return /^[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*$/.test(text);
}

function isProxyError(text: string): text is ProxyError {
  return Object.hasOwn(proxyErrors, text);
}

function textOf(item: BareItem | undefined): string | undefined {
  return typeof item === "string" ? item : item instanceof Token ? item.toString() : undefined;
}

function listOf(value: string): List | undefined {
  try {
    return parseList(value);
  } catch (error) {
    // The library throws for nothing but a value outside the grammar.
    if (error instanceof Error) return undefined;
    throw error;
  }
}
