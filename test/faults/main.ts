/**
 * `npm run faults`: causes each fault for real, with real processes, asks the platform what happened, and compares. Then it judges the
 * record of each once more, in every way of `ways.suite.ts`, and says what a plain table from outside names of the same cases.
 *
 *   npm run faults                   a line a case on standard error
 *   npm run faults -- --json         and one JSON document on standard output
 *   npm run faults -- --alone        each case once, without other work: without it, also beside noise
 *   npm run faults -- --only TEXT    the cases whose name holds TEXT
 *   npm run faults -- --keep FILE    and writes the records of what was caused to FILE, as the tests of `evidence` have them
 *
 * Exit code 0 only if none is wrong, no control is blamed, at least 97 % are right and 3 % unknown of those whose evidence was left
 * whole, and each code is caused or says why not.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { codes } from "../../src/evidence/codes.ts";
import type { Code } from "../../src/evidence/codes.ts";
import type { Explanation } from "../../src/evidence/verdict.ts";
import { needs } from "../support/needs.ts";
import type { Control, FaultCase, Injected, Stage, StageName } from "./case.ts";
import { faults, nameOf } from "./cases/all.ts";
import { egressCases } from "./cases/egress.ts";
import { controls } from "./controls.ts";
import type { CaseReport, ControlReport, FaultsDocument } from "./document.ts";
import { isWholeWay, lookAgain, lookAtControl } from "./looking.ts";
import type { Recorded } from "./looking.ts";
import { makeNoise } from "./noise.ts";
import { notCaused } from "./not-caused.ts";
import { Outside, seenOf, seenOfAnswer } from "./outside.ts";
import { linesOf, recordOf, requestOf } from "./recording.ts";
import { scoreCase, scoreControl } from "./score.ts";
import { lanes, withStage } from "./stages.ts";

const { values: options } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    alone: { type: "boolean", default: false },
    only: { type: "string" },
    keep: { type: "string" },
  },
});

const rightLeast = 0.97;
const unknownMost = 0.03;

const isAsked = (name: string): boolean => options.only === undefined || name.includes(options.only);

/** One pass over a platform of its own: its cases and controls, beside noise or alone. */
interface Pass {
  readonly noise: boolean;
  readonly faults: readonly { readonly name: string; readonly fault: FaultCase }[];
  readonly controls: readonly { readonly name: string; readonly control: Control }[];
}

/** Why the cases that need a sandbox cannot run here; false where they can. */
const { skip: noSandbox } = await needs("sandbox");
/** The same of those that build a Gradio app, and of those that make images. */
const { skip: noGradio } = await needs("gradio");
const { skip: noImages } = await needs("sandbox", "images");
const { skip: noVolumes } = await needs("sandbox", "volumes");
/** The same of those with another machine, which is one for whom the server's folder is covered. */
const { skip: noOtherMachine } = await needs("sandbox", "own-disk");

/** The same of those whose platform has a clock of its own. */
const { skip: noLibrary } = await needs("cc");

const began = performance.now();
const cases: CaseReport[] = [];
const controlCases: ControlReport[] = [];
const recorded: Recorded[] = [];
const outside = new Outside();
await Promise.all(lanes.map(lane));
if (options.keep !== undefined) writeFileSync(options.keep, linesOf(recorded));
lookAtAll();
const document = summary();
if (options.json) process.stdout.write(`${JSON.stringify(document)}\n`);
const { right, unknown, wrong, whole, controlsBlamed } = document;
const uncaused = Object.keys(codes).filter(
  (code) => !faults.some((fault) => fault.code === code) && notCaused[code as Code] === undefined,
);
if (uncaused.length > 0)
  say(`no case causes ${uncaused.join(", ")}: write one, or say why not in test/faults/not-caused.ts`);
const wholes = whole.right + whole.unknown + whole.wrong;
say(
  `${right} right, ${unknown} unknown, ${wrong} wrong of ${cases.length} (${document.verdicts} verdicts); ${controlsBlamed} of ${controlCases.length} controls blamed; from outside ${document.outside.right} of ${document.outside.of} are named rightly; ${(document.tookMs / 1000).toFixed(0)} s`,
);
process.exitCode =
  wrong === 0 &&
  controlsBlamed === 0 &&
  right >= rightLeast * cases.length &&
  whole.unknown <= unknownMost * wholes &&
  uncaused.length === 0
    ? 0
    : 1;

async function lane(names: readonly StageName[]): Promise<void> {
  for (const name of names)
    for (const pass of passesOver(name)) {
      if (name !== "boxed" || noSandbox === false) await onStage(name, pass);
      else for (const one of [...pass.faults, ...pass.controls]) say(`SKIPPED  ${one.name}: ${noSandbox}`);
    }
}

/** Every case alone and beside noise, which is none where its platform is its own; every control beside noise. */
function passesOver(stage: StageName): readonly Pass[] {
  const mine = faults.filter(({ on }) => on === stage).map((fault) => ({ name: nameOf(fault), fault }));
  const noisy = mine
    .filter(({ fault }) => !fault.apart)
    .map(({ name, fault }) => ({ name: `${name}, beside noise`, fault }));
  const healthy = controls
    .filter(({ on }) => on === stage)
    .map((control) => ({ name: `control: ${control.name}`, control }));
  const passes: readonly Pass[] = options.alone
    ? [{ noise: false, faults: mine, controls: healthy }]
    : [
        { noise: true, faults: noisy, controls: healthy },
        { noise: false, faults: mine, controls: [] },
      ];
  return passes
    .map((pass) => ({
      ...pass,
      faults: pass.faults.filter(({ name }) => isAsked(name)),
      controls: pass.controls.filter(({ name }) => isAsked(name)),
    }))
    .filter((pass) => pass.faults.length + pass.controls.length > 0);
}

async function onStage(name: StageName, pass: Pass): Promise<void> {
  await withStage(name, noImages === false, async ({ stage, loud, noisy }) => {
    await using _noise = pass.noise ? makeNoise(loud, noisy) : null;
    for (const { name: title, control } of pass.controls) await runControl(title, control, stage);
    for (const { name: title, fault } of pass.faults) await causeAndScore(title, fault, stage);
  });
}

function lackingFor({ needs: need }: FaultCase): string | false {
  return need === undefined
    ? false
    : { gradio: noGradio, images: noImages, volumes: noVolumes, "own-disk": noOtherMachine, cc: noLibrary }[need];
}

async function causeAndScore(name: string, fault: FaultCase, stage: Stage): Promise<void> {
  const lacking = lackingFor(fault);
  if (lacking !== false) return say(`SKIPPED  ${name}: ${lacking}`);
  const since = performance.now();
  const [boundary = "", code = ""] = fault.code.split("/");
  let report: Omit<CaseReport, "tookMs">;
  try {
    const injected = await fault.inject(stage);
    try {
      const scored = await scoreCase(fault, name, injected, stage.alice.client);
      report = scored.report;
      await keep(name, fault, injected, scored.explanation, stage);
    } finally {
      await injected.done?.();
    }
  } catch (error) {
    // The fault could not be caused, or the platform did not answer: that is never right.
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const said = { boundary: "none", code: "none", certainty: "none" };
    const nothing = { id: null, sentence: "", way: null, looks: null };
    report = { name, injected: { boundary, code }, said, score: "wrong", why, ...nothing };
  }
  const tookMs = Math.round(performance.now() - since);
  cases.push({ ...report, tookMs });
  line(report.score, name, tookMs, report.why, report.id);
}

/** What is recorded of it, and what was seen of it from outside. */
async function keep(
  name: string,
  { code }: FaultCase,
  injected: Injected,
  explanation: Explanation | null,
  stage: Stage,
): Promise<void> {
  if ("told" in injected) return outside.add(code, seenOfAnswer(injected.told.status));
  if (explanation === null) return;
  const from = injected.of ?? stage.up;
  outside.add(code, seenOf(code, explanation, await requestOf(from, explanation)));
  const record = await recordOf(from, explanation);
  if (record) recorded.push({ name, code, record });
}

async function runControl(name: string, control: Control, stage: Stage): Promise<void> {
  const since = performance.now();
  let report: ControlReport;
  try {
    const scored = await scoreControl(name, await control.run(stage), stage.alice.client);
    report = scored.report;
    const record = await recordOf(stage.up, scored.explanation);
    if (record) recorded.push({ name, code: null, record });
  } catch (error) {
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    report = { name, blamed: true, why, id: null };
  }
  controlCases.push(report);
  line(report.blamed ? "BLAMED" : "well", name, Math.round(performance.now() - since), report.why, report.id);
}

/** All that was recorded, once more. */
function lookAtAll(): void {
  for (const one of recorded) {
    const control = controlCases.findIndex(({ name }) => name === one.name);
    if (control === -1) {
      const looks = lookAgain(one, recorded);
      for (const { name, score, tookMs, why, id } of looks) if (score !== "right") line(score, name, tookMs, why, id);
      cases.push(...looks);
    } else {
      const { blamed, why } = lookAtControl(one, recorded);
      if (!blamed) continue;
      line("BLAMED", one.name, 0, why, one.record.id);
      controlCases[control] = { ...(controlCases[control] as ControlReport), blamed, why };
    }
  }
}

function summary(): FaultsDocument {
  const count = (of: readonly CaseReport[], score: CaseReport["score"]): number =>
    of.filter((one) => one.score === score).length;
  const sums = (of: readonly CaseReport[]): FaultsDocument["whole"] => ({
    right: count(of, "right"),
    unknown: count(of, "unknown"),
    wrong: count(of, "wrong"),
  });
  const looks = cases.flatMap((one) => one.looks ?? []);
  return {
    cases,
    ...sums(cases),
    whole: sums(cases.filter(({ way }) => isWholeWay(way))),
    verdicts: looks.reduce(
      (sum, { same, weaker, unknown: not, wrong: bad }) => sum + same + weaker + not + bad,
      cases.filter(({ way }) => way === null).length,
    ),
    outside: outside.report(),
    controls: controlCases.length,
    controlsBlamed: controlCases.filter(({ blamed }) => blamed).length,
    controlCases,
    skipped: [
      ...Object.entries(notCaused).map(([what, why]) => ({ what, why })),
      ...(noSandbox === false ? [] : egressCases.map((fault) => ({ what: nameOf(fault), why: noSandbox }))),
      ...faults.flatMap((fault) => {
        const why = lackingFor(fault);
        return why === false ? [] : [{ what: nameOf(fault), why }];
      }),
    ],
    tookMs: Math.round(performance.now() - began),
  };
}

function line(score: string, name: string, tookMs: number, why: string | null, id: string | null): void {
  const shown = score === "right" || score === "well" ? score : score.toUpperCase();
  say(
    `${shown.padEnd(8)} ${name} (${(tookMs / 1000).toFixed(1)} s)${why === null ? "" : `\n         ${id ?? ""} ${why}`}`,
  );
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
