/** What keeps a Space from running: of a folder its front matter and files, of one that is deployed also its build, its state and its address. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseFrontMatter } from "../../build/front-matter.ts";
import type { FrontMatter } from "../../build/front-matter.ts";
import type { BuildView, SpaceView } from "../../contract/api.ts";
import type { Row } from "../../doctor/checks.ts";
import type { Context } from "../context.ts";
import { exit } from "../exit.ts";
import { CliFailure } from "../failures.ts";

type Settings = Extract<FrontMatter, { ok: true }>["settings"];

const readmeMaxBytes = 1 << 20;
const answerWithinMs = 10_000;
/** States in which nothing is wrong. */
const wellStates: ReadonlySet<string> = new Set(["building", "starting", "running", "sleeping", "waking"]);

export async function examineSpace(context: Context, named: string): Promise<readonly Row[]> {
  if (isFolder(named)) return ofFolder(named);
  if (!/^[^/]+\/[^/]+$/.test(named))
    throw new CliFailure(exit.usage, {
      code: "space-invalid",
      says: `"${named}" is neither a Space nor a folder.`,
      next: "Write OWNER/NAME, or the path of a folder with a README.md.",
    });
  const client = await context.client();
  const space = await client.space(named, { signal: context.world.signal });
  return [stateRow(space), buildRow(space.build), ...replicaRows(space), await addressRow(space, context.world.signal)];
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

// ---- a folder

function ofFolder(folder: string): readonly Row[] {
  const path = join(folder, "README.md");
  const readme = existsSync(path) ? readFileSync(path).subarray(0, readmeMaxBytes).toString("utf8") : undefined;
  const read = parseFrontMatter(readme);
  return [...frontMatterRows(read), ...(read.ok ? [filesRow(folder, read.settings)] : [])];
}

function frontMatterRows(read: FrontMatter): readonly Row[] {
  const at = (line: number | null): string => (line === null ? "" : `line ${line}: `);
  const problems = read.ok ? [] : read.problems;
  const row = (level: Row["level"], says: string, remedy: string | null): Row => ({
    ...{ check: "front matter", level, says, try: remedy, facts: null },
  });
  return [
    ...problems.map(({ line, message }) =>
      row("fail", `${at(line)}${message}`, "correct README.md: docs/front-matter.md"),
    ),
    ...read.warnings.map(({ line, message }) => row("warn", `${at(line)}${message}`, null)),
    ...(read.ok
      ? [
          row(
            "ok",
            `sdk ${read.settings.sdk}${read.settings.sdkVersion === null ? "" : ` ${read.settings.sdkVersion}`}`,
            null,
          ),
        ]
      : []),
  ];
}

/** What each kind of Space is started by, where its front matter names nothing else: docs/front-matter.md. */
const startFiles: Readonly<Record<string, readonly string[]>> = {
  gradio: ["app.py"],
  streamlit: ["app.py", "streamlit_app.py", "src/streamlit_app.py"],
  static: ["index.html"],
  docker: ["Dockerfile"],
  node: ["package.json"],
};
const namable: ReadonlySet<string> = new Set(["gradio", "streamlit", "static"]);

function filesRow(folder: string, { sdk, appFile, staticFolder }: Settings): Row {
  const named = appFile !== null && namable.has(sdk) ? [appFile] : undefined;
  const wanted = named ?? (startFiles[sdk] ?? []).map((file) => (sdk === "static" ? join(staticFolder, file) : file));
  const common = { check: "files", facts: { wanted } };
  const found = wanted.find((file) => existsSync(join(folder, file)));
  if (found !== undefined) return { ...common, level: "ok", says: `${found} is there`, try: null };
  return {
    ...common,
    // A static Space's page may be made by its build.
    level: sdk === "static" ? "warn" : "fail",
    says: `${wanted.join(" or ")} is not there, and a ${sdk} Space starts with it`,
    try: namable.has(sdk) ? "add it, or name another in app_file" : "add it",
  };
}

// ---- one that is deployed

function stateRow({ id, state, says, ends }: SpaceView): Row {
  const isWell = wellStates.has(state);
  return {
    check: "state",
    level: isWell ? "ok" : "fail",
    says: `${state}: ${says}`,
    try: isWell ? null : `${ends} All of it: waybill explain ${id}`,
    facts: { state },
  };
}

function buildRow(build: BuildView | null): Row {
  if (build === null)
    return { check: "last build", level: "skip", says: "nothing was built yet", try: "waybill deploy", facts: null };
  const { id, outcome, code, says, because } = build;
  const facts = { id, outcome, code };
  if (outcome === "failed")
    return {
      check: "last build",
      level: "fail",
      says: [`${id} failed (${code}): ${says}`, ...because].join("\n"),
      try: `waybill explain ${id}`,
      facts,
    };
  return { check: "last build", level: "ok", says: `${id}: ${says}`, try: null, facts };
}

function replicaRows({ replicas }: SpaceView): readonly Row[] {
  return replicas.map(({ id, phase, says }) => ({
    ...{ check: "replica", level: phase === "failed" ? "fail" : "ok", says: `${id} ${phase}: ${says}` },
    ...{ try: phase === "failed" ? `waybill explain ${id}` : null, facts: { id, phase } },
  }));
}

/** By its last address, which needs no name where there is a numeric one. */
async function addressRow({ addresses, state }: SpaceView, signal: AbortSignal): Promise<Row> {
  const url = addresses.at(-1);
  if (url === undefined || state !== "running")
    return { check: "address", level: "skip", says: "it does not run, so it was not asked", try: null, facts: { url } };
  try {
    const within = AbortSignal.any([signal, AbortSignal.timeout(answerWithinMs)]);
    const { status, headers } = await fetch(url, { signal: within, redirect: "manual" });
    const by = headers.get("x-waybill-id");
    const isWell = status < 500;
    return {
      check: "address",
      level: isWell ? "ok" : "fail",
      says: `${url} answers ${status}`,
      try: isWell ? null : by === null ? "waybill logs" : `waybill explain ${by}`,
      facts: { url, status },
    };
  } catch (error) {
    const { message, cause } = error as Error;
    return {
      check: "address",
      level: "fail",
      says: `${url} does not answer: ${cause instanceof Error ? cause.message : message}`,
      try: "waybill doctor",
      facts: { url },
    };
  }
}
