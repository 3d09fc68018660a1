/** A Dockerfile as it is read before an image builder has it: its instructions with their lines, and the images that it begins with. Pure. */
import { DockerfileParser } from "dockerfile-ast";

export interface Instruction {
  /** From 1. */
  readonly line: number;
  readonly keyword: string;
  readonly text: string;
  /** From 0; -1 for an ARG before the first FROM. */
  readonly stage: number;
}

/** An image that comes from elsewhere, and the line that names it. */
export interface BaseImage {
  readonly line: number;
  readonly name: string;
}

export type Dockerfile =
  | { readonly ok: true; readonly instructions: readonly Instruction[]; readonly bases: readonly BaseImage[] }
  | { readonly ok: false; readonly problems: readonly string[] };

/** A step as buildah and podman announce it: `[2/3] STEP 4/7: RUN make`, both numbers from 1. */
export interface Step {
  readonly stage: number;
  readonly number: number;
  readonly keyword: string;
}

/** Docker's reference of the Dockerfile, "Overview". */
const keywords: ReadonlySet<string> = new Set(
  "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER VOLUME WORKDIR".split(
    " ",
  ),
);

/** Reads it; `variables` are the build arguments that will be given. What an engine would find wrong later is left to it. */
export function readDockerfile(text: string, variables: Readonly<Record<string, string>>): Dockerfile {
  const instructions = instructionsOf(text);
  const problems = instructions
    .filter(({ keyword }) => !keywords.has(keyword))
    .map(({ line, keyword }) => `Dockerfile line ${line}: there is no instruction ${keyword.slice(0, keywordShown)}`);
  const first = instructions.find(({ keyword }) => keyword !== "ARG");
  if (first === undefined) problems.push("Dockerfile: it has no FROM, with which an image begins");
  else if (first.keyword !== "FROM" && keywords.has(first.keyword))
    problems.push(`Dockerfile line ${first.line}: an image begins with FROM, not with ${first.keyword}`);
  const bases = basesOf(instructions, variables);
  const long = bases.filter(({ name }) => name.length > wordMax);
  problems.push(...undeclared(instructions), ...lateEscape(text));
  problems.push(
    ...long.map(({ line }) => `Dockerfile line ${line}: an image's name has at most ${wordMax} characters`),
  );
  return problems.length > 0 ? { ok: false, problems } : { ok: true, instructions, bases };
}

/** Docker reads all directives above the first other line; buildah and podman take another escape character from the first line. */
function lateEscape(text: string): readonly string[] {
  const lines = text.split("\n");
  const end = lines.findIndex((line) => !/^\s*#\s*\w+\s*=/.test(line));
  const at = lines.slice(0, end === -1 ? lines.length : end).findIndex((line) => /^\s*#\s*escape\s*=/i.test(line));
  return at > 0 ? [`Dockerfile line ${at + 1}: # escape= is read on the first line alone: move it there`] : [];
}

/** Docker knows the platform's arguments in a FROM without an ARG; buildah and podman put nothing there. */
function undeclared(instructions: readonly Instruction[]): readonly string[] {
  const known = new Set(
    instructions
      .filter(({ keyword, stage }) => keyword === "ARG" && stage === -1)
      .flatMap(declared)
      .map(([name]) => name),
  );
  return instructions
    .filter(({ keyword }) => keyword === "FROM")
    .flatMap(({ line, text }) => {
      const image = text.split(/\s+/).find((word) => !word.startsWith("--")) ?? "";
      const name = /\$\{?((?:TARGET|BUILD)(?:PLATFORM|OS|ARCH))\b/.exec(image)?.[1];
      if (name === undefined || known.has(name)) return [];
      return [`Dockerfile line ${line}: FROM names ${name}: write ARG ${name} before the first FROM`];
    });
}

/** "Automatic platform ARGs in the global scope": a node builds for itself. */
export function platformArguments(arch: string): Readonly<Record<string, string>> {
  const of = (which: string): Record<string, string> => ({
    [`${which}PLATFORM`]: `linux/${arch}`,
    [`${which}OS`]: "linux",
    [`${which}ARCH`]: arch,
  });
  return { ...of("TARGET"), ...of("BUILD") };
}

/** The names that an ARG declares, with what they are where nothing is given: `ARG A B=1 C="two words"`. */
export function declared({ text }: Instruction): readonly (readonly [name: string, value: string | undefined])[] {
  return [...text.matchAll(declaration)].map(([, name = "", value]) => [name, value && unquoted(value)]);
}

const declaration = /(?<=^|\s)([A-Za-z_]\w*)(?:=("(?:[^"\\]|\\.)*"|'[^']*'|\S*))?(?=\s|$)/g;

/** The first instruction with a here-document, which engines before {@link hereDocumentsSince} take for a command of that name. */
export function hereDocument(instructions: readonly Instruction[]): Instruction | undefined {
  return instructions.find(({ keyword, text }) => copying.has(keyword) && /(?:^|\s)<<-?["']?[A-Za-z_]\w*/.test(text));
}

const copying: ReadonlySet<string> = new Set(["RUN", "COPY", "ADD"]);

/** The line of an announced step; null where it is none of these instructions. */
export function lineOfStep(instructions: readonly Instruction[], { stage, number, keyword }: Step): number | null {
  const found = instructions.filter((one) => one.stage === stage - 1)[number - 1];
  return found?.keyword === keyword ? found.line : null;
}

/** The step that a line of output announces. */
export function stepIn(line: string): Step | undefined {
  const match = /^(?:\[(\d+)\/\d+\] )?STEP (\d+)(?:\/\d+)?: ([A-Za-z]+)/.exec(line);
  if (!match) return undefined;
  return { stage: Number(match[1] ?? 1), number: Number(match[2]), keyword: (match[3] ?? "").toUpperCase() };
}

const keywordShown = 40;
const longComment = /^([ \t]*#.{0,200}).*/gm;

function instructionsOf(text: string): readonly Instruction[] {
  let stage = -1;
  const lines = text.split("\n");
  // Only lines are asked of the parser, whose time grows with the square of a comment's length.
  return DockerfileParser.parse(text.replace(longComment, "$1"))
    .getInstructions()
    .map((one) => {
      const keyword = one.getKeyword();
      if (keyword === "FROM") stage += 1;
      const { start, end } = one.getRange();
      const whole = lines
        .slice(start.line, end.line + 1)
        .join(" ")
        .trim();
      return { line: start.line + 1, keyword, text: whole.slice(keyword.length).trim(), stage };
    });
}

/** Of FROM, and of `COPY --from=` what is no stage; an image that RUN mounts from is looked up by the engine alone. */
function basesOf(instructions: readonly Instruction[], given: Readonly<Record<string, string>>): readonly BaseImage[] {
  const args = new Map<string, string>();
  const stages = new Set<string>(["scratch"]);
  const bases: BaseImage[] = [];
  for (const instruction of instructions) {
    const { line, keyword, text, stage } = instruction;
    const words = text.split(/\s+/).filter((word) => !word.startsWith("--"));
    if (keyword === "ARG" && stage === -1) {
      for (const [name, value] of declared(instruction)) {
        args.set(name, given[name]?.slice(0, wordMax + 1) ?? expanded(value ?? "", args));
      }
    } else if (keyword === "FROM") {
      const name = expanded(words[0] ?? "", args);
      if (!stages.has(name.toLowerCase())) bases.push({ line, name });
      if (words[1]?.toUpperCase() === "AS" && words[2] !== undefined) stages.add(words[2].toLowerCase());
    } else if (keyword === "COPY") {
      const from = /(?:^|\s)--from=(\S+)/.exec(text)?.[1];
      const isStage = from === undefined || /^\d+$/.test(from) || stages.has(from.toLowerCase());
      if (!isStage && from !== undefined) bases.push({ line, name: from });
    }
  }
  return bases.filter(({ name }, at) => bases.findIndex((other) => other.name === name) === at);
}

/** Characters of a word with variables, before and after they are replaced. An image's name is shorter. */
const wordMax = 1_024;

/**
 * `$NAME`, `${NAME}`, `${NAME:-otherwise}`, `${NAME:+instead}`, and both without the colon ("Environment replacement"). What is longer
 * than {@link wordMax} is cut to one more.
 */
function expanded(text: string, args: ReadonlyMap<string, string>): string {
  if (text.length > wordMax) return text.slice(0, wordMax + 1);
  const whole = unquoted(text).replaceAll(
    /\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?)([-+])([^}]*))?\})/g,
    (_, plain?: string, braced?: string, colon?: string, sign?: string, word = "") => {
      const value = args.get(plain ?? braced ?? "");
      const isSet = value !== undefined && (colon === "" || value !== "");
      if (sign === "+") return isSet ? word : "";
      return isSet ? value : sign === "-" ? word : (value ?? "");
    },
  );
  return whole.slice(0, wordMax + 1);
}

function unquoted(text: string): string {
  return text.replace(/^(["'])(.*)\1$/, "$2");
}
