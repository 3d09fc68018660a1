/** A Gradio app's functions, as it tells everybody at `/config`, in gradio 4.44 to 6.31: so a GPU call is known by its function's name. */
import { get } from "../../http/node-http.ts";

/** Names by the functions' numbers. */
export type Functions = Readonly<Record<string, string>>;

/** An app of a hundred components tells some hundred kilobytes. */
const configMaxBytes = 4 << 20;
/** It has just come up, and a visitor goes first. */
const answerWithinMs = 10_000;
const functionsMax = 1_000;
const nameFits = /^[\w.-]{1,100}$/;

/** Empty where it does not tell: behind a sign-in of its own, mounted elsewhere, no Gradio app at all. */
export async function askFunctions(host: string, port: number): Promise<Functions> {
  const text = await textOf(host, port);
  return text === undefined ? {} : functionsIn(text);
}

/** What such an answer names; nothing of what is not one. */
export function functionsIn(text: string): Functions {
  const named: Record<string, string> = {};
  for (const [at, dependency] of dependenciesOf(text).slice(0, functionsMax).entries()) {
    const { id = at, api_name: name } = dependency ?? {};
    if (Number.isSafeInteger(id) && typeof name === "string" && nameFits.test(name)) named[String(id)] = name;
  }
  return named;
}

/** `id` is their number since Gradio 5; before it was their place. */
type Dependency = { readonly id?: unknown; readonly api_name?: unknown } | null;

function dependenciesOf(text: string): readonly Dependency[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
  const { dependencies } = (value ?? {}) as { readonly dependencies?: unknown };
  return Array.isArray(dependencies) ? (dependencies as Dependency[]) : [];
}

/** Undefined where it is not had: nothing depends on it but how well calls are told apart. */
function textOf(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const headers = { host: "localhost", "user-agent": "waybill", connection: "close" };
    const request = get({ host, port, path: "/config", headers, agent: false }, (response) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      if (response.statusCode !== 200) return void request.destroy();
      response.on("data", (part: Buffer) => {
        parts.push(part);
        bytes += part.length;
        if (bytes > configMaxBytes) request.destroy();
      });
      response.on("end", () => resolve(Buffer.concat(parts).toString("utf8")));
      response.on("error", () => resolve(undefined));
    });
    const late = setTimeout(() => request.destroy(), answerWithinMs);
    request.on("error", () => resolve(undefined));
    request.on("close", () => {
      clearTimeout(late);
      resolve(undefined);
    });
  });
}
