/** Which of an app's functions a request asks for, as it says itself, in gradio 4.44 to 6.31: `routes.py`. Pure. */
import { objectOf } from "./messages.ts";

/** Whether that stands in its body alone: as `fn_index`. */
export function numbersFunction(method: string, target: string): boolean {
  return method === "POST" && pathOf(target).endsWith("/queue/join");
}

/** Its name after a slash, `/render`; or its number among the app's functions, `3`. Undefined where it names none. */
export function functionIn(method: string, target: string, body: string | undefined): string | undefined {
  if (method !== "POST") return undefined;
  const name = /\/(?:call|run)\/(?:v2\/)?([\w.-]{1,100})\/?$/.exec(pathOf(target))?.[1];
  if (name !== undefined) return `/${name}`;
  const number = body === undefined ? undefined : objectOf(body)?.["fn_index"];
  return Number.isSafeInteger(number) && (number as number) >= 0 ? String(number) : undefined;
}

function pathOf(target: string): string {
  const query = target.indexOf("?");
  return query < 0 ? target : target.slice(0, query);
}
