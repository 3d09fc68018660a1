/** What is written down of a request's target: path and query, without what whoever reads them could use. Pure. */
import { pathFactMaxLength, queryFactMaxLength } from "./limits.ts";

/** Stands in the place of what was taken out. */
export const hidden = "***";

export interface TargetFacts {
  readonly path: string;
  /** Without its question mark; undefined where there is none. */
  readonly query: string | undefined;
}

export function targetFacts(target: string): TargetFacts {
  const mark = target.indexOf("?");
  if (mark < 0) return { path: pathFact(target), query: undefined };
  return { path: pathFact(target.slice(0, mark)), query: queryFact(target.slice(mark + 1)) };
}

function pathFact(path: string): string {
  if (path.length <= pathFactMaxLength && !mayHide.test(path)) return path;
  return bounded(path, pathFactMaxLength, (text) => text.split("/").map(withoutSecret).join("/"));
}

function queryFact(query: string): string {
  if (query.length <= queryFactMaxLength && !mayName.test(query) && !mayHide.test(query)) return query;
  return bounded(query, queryFactMaxLength, (text) => text.replaceAll(/[^&;]+/g, redactedParameter));
}

/** Looked at with what follows the bound, so that no secret is shown because it was cut. */
function bounded(text: string, max: number, redact: (text: string) => string): string {
  const shown = redact(text.slice(0, max + lookAhead));
  return shown.length > max || text.length > max + lookAhead ? `${shown.slice(0, max)}…` : shown;
}

/** Longer than what of a token is needed to know it as one. */
const lookAhead = 200;

function redactedParameter(parameter: string): string {
  const equals = parameter.indexOf("=");
  if (equals < 0) return withoutSecret(parameter);
  const name = parameter.slice(0, equals);
  if (isSecretName(name)) return `${withoutSecret(name)}=${hidden}`;
  return `${withoutSecret(name)}=${withoutSecret(parameter.slice(equals + 1))}`;
}

/** The text, or {@link hidden} where it looks like a secret or holds what does. */
export function withoutSecret(text: string): string {
  return text.length >= shortestSecret && secretShapes.test(decoded(text)) ? hidden : text;
}

const shortestSecret = 8;

/** Tokens of the platform and of the Hub, JSON Web Tokens, keys of well-known services, and a password in a URL. */
const shapes = [
  String.raw`hf_\w{8}`,
  String.raw`eyJ[\w-]{8,}\.[\w-]{4,}`,
  // At the start of a word alone: there are tasks, risks and works.
  String.raw`\b(?:sk|pk|rk)[-_][\w-]{12}`,
  String.raw`gh[a-z]_\w{12}|github_pat_\w{12}`,
  String.raw`\bxox[a-z]-[\w-]{10}`,
  String.raw`(?:AKIA|ASIA)[0-9A-Z]{12}`,
  String.raw`\/\/[^/@\s:]*:[^/@\s]+@`,
];
const secretShapes = new RegExp(shapes.join("|"));
/** Of a whole path or query: nothing of one that has nothing like this, and nothing encoded, is taken out. */
const mayHide = new RegExp(["%", ...shapes].join("|"));

const secretWords: ReadonlySet<string> = new Set(
  "token key sign sig signature password passwd pwd pass passphrase secret code state auth authorization credential credentials jwt session sid otp pin nonce ticket assertion verifier cookie bearer".split(
    " ",
  ),
);
/** Of a whole query: every name that is a secret's has one of those words in it. */
const mayName = new RegExp([...secretWords].join("|"), "i");
const secretEndings = /(?:token|secret|password|passwd|signature|credentials?|apikey|sessionid)$/;

/** By its words: `access_token`, `X-Amz-Signature`, `apiKey`, `__sign`, `user[password]`. */
function isSecretName(name: string): boolean {
  const words = decoded(name)
    .replaceAll(/([a-z\d])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z]+/);
  return words.some((word) => secretWords.has(word) || secretEndings.test(word));
}

/** As an app may read it; twice, since a URL within a URL is encoded twice. What is no valid encoding is looked at as it is. */
function decoded(text: string): string {
  let plain = text;
  for (let round = 0; round < 2 && plain.includes("%"); round += 1) {
    try {
      plain = decodeURIComponent(plain);
    } catch (error) {
      if (error instanceof URIError) return plain.replaceAll(/%([0-7][0-9a-f])/gi, byteOf);
      throw error;
    }
  }
  return plain;
}

const byteOf = (_all: string, hex: string): string => String.fromCodePoint(Number.parseInt(hex, 16));
