/**
 * `npm run faults`: causes each fault for real, with real processes, asks the platform what happened, and compares.
 *
 *   npm run faults                   a line a case on standard error
 *   npm run faults -- --json         and one JSON document on standard output
 *   npm run faults -- --only TEXT    the cases whose name holds TEXT
 *
 * Exit code 0 only if none is wrong, no control is blamed, at least 97 % are right, each code is caused or says why not,
 * and those of the boundaries that carry all work are caused without other work too.
 */
import { parseArgs } from "node:util";
import { codes, splitCode } from "../../src/evidence/codes.ts";
import type { Code } from "../../src/evidence/codes.ts";
import { needs } from "../support/needs.ts";
import { StandInSmi } from "../support/nvidia-smi.ts";
import { Platform } from "../support/platform.ts";
import type { UpOptions } from "../support/platform.ts";
import type { Control, FaultCase, Stage, StageName } from "./case.ts";
import { buildCases } from "./cases/build.ts";
import { cardCases } from "./cases/cards.ts";
import { diskCases } from "./cases/disk.ts";
import { boxedEnv, egressCases } from "./cases/egress.ts";
import { gpuCases } from "./cases/gpu.ts";
import { gradioCases } from "./cases/gradio.ts";
import { identityCases } from "./cases/identity.ts";
import { Archives, imageCases } from "./cases/images.ts";
import { lostCases } from "./cases/lost.ts";
import { nodeCases } from "./cases/nodes.ts";
import { pythonCases } from "./cases/python.ts";
import { replicaCases } from "./cases/replicas.ts";
import { routeCases } from "./cases/route.ts";
import { Doors, signInCases } from "./cases/sign-in.ts";
import { spaceCases } from "./cases/spaces.ts";
import { tellCases } from "./cases/tells.ts";
import { transferCases } from "./cases/transfers.ts";
import { controls } from "./controls.ts";
import type { CaseReport, ControlReport, FaultsDocument } from "./document.ts";
import { makeNoise } from "./noise.ts";
import { notCaused } from "./not-caused.ts";
import { scoreCase, scoreControl } from "./score.ts";

const { values: options } = parseArgs({
  options: { json: { type: "boolean", default: false }, only: { type: "string" } },
});

const stages: Readonly<Record<StageName, UpOptions>> = {
  main: { env: { WAYBILL_HEALTH_SECONDS: "1" } },
  kills: {},
  // Long enough for what shall succeed there on a slow machine.
  tight: {
    gpus: "1x1",
    env: {
      WAYBILL_BUILD_SECONDS: "24",
      WAYBILL_BUILD_QUEUE_SECONDS: "3",
      WAYBILL_RESPONSE_SECONDS: "3",
      WAYBILL_LFS_REPOSITORY_MB: "30",
      WAYBILL_TRANSFER_PATIENCE_SECONDS: "3",
    },
  },
  bare: {
    gpus: null,
    env: {
      WAYBILL_BUILDS_WAITING_OWNER: "1",
      WAYBILL_BUILD_DISK_MB: "256",
      // Of addresses that a proxy tells; this machine's own has no limit.
      WAYBILL_TRUSTED_PROXIES: "127.0.0.1",
      WAYBILL_ADDRESS_REQUESTS_PER_SECOND: "1",
    },
  },
  cards: { gpus: null },
  sleepy: { gpus: null, env: { WAYBILL_WAKE_SECONDS: "1" } },
  boxed: { sandbox: "bubblewrap", env: boxedEnv },
  doors: { gpus: null },
};
/** Two platforms at a time: what one waits for, the other works in. */
const lanes: readonly (readonly StageName[])[] = [
  ["main"],
  ["kills", "tight", "bare", "cards", "sleepy", "doors", "boxed"],
];
const rightLeast = 0.97;
/** Boundaries of which each code is caused without noise too. */
const aloneToo: readonly string[] = ["gpu", "capacity", "route"];

const faults = [
  ...gpuCases,
  ...cardCases,
  ...gradioCases,
  ...identityCases,
  ...signInCases,
  ...routeCases,
  ...tellCases,
  ...buildCases,
  ...pythonCases,
  ...imageCases,
  ...replicaCases,
  ...lostCases,
  ...nodeCases,
  ...spaceCases,
  ...egressCases,
  ...diskCases,
  ...transferCases,
];
const nameOf = ({ code, how }: FaultCase): string => `${code}: ${how}`;
const isAsked = (name: string): boolean => options.only === undefined || name.includes(options.only);

interface Work {
  readonly name: string;
  readonly noise: boolean;
  readonly fault?: FaultCase;
  readonly control?: Control;
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
await Promise.all(lanes.map(lane));
const document = summary();
if (options.json) process.stdout.write(`${JSON.stringify(document)}\n`);
const { right, unknown, wrong, controlsBlamed } = document;
const uncaused = Object.keys(codes).filter(
  (code) => !faults.some((fault) => fault.code === code) && notCaused[code as Code] === undefined,
);
if (uncaused.length > 0)
  say(`no case causes ${uncaused.join(", ")}: write one, or say why not in test/faults/not-caused.ts`);
const neverAlone = [...new Set(faults.map(({ code }) => code))].filter(
  (code) =>
    aloneToo.includes(splitCode(code)[0]) && !faults.some((one) => one.code === code && (one.twice || one.apart)),
);
if (neverAlone.length > 0)
  say(`only beside noise are caused ${neverAlone.join(", ")}: run a case of each \`twice\`, or \`apart\``);
say(
  `${right} right, ${unknown} unknown, ${wrong} wrong of ${cases.length}; ${controlsBlamed} of ${controlCases.length} controls blamed; ${(document.tookMs / 1000).toFixed(0)} s`,
);
process.exitCode =
  wrong === 0 &&
  controlsBlamed === 0 &&
  right >= rightLeast * cases.length &&
  uncaused.length === 0 &&
  neverAlone.length === 0
    ? 0
    : 1;

async function lane(names: readonly StageName[]): Promise<void> {
  for (const name of names) {
    const work = workOf(name);
    if (name === "boxed" && noSandbox !== false) {
      for (const one of work) say(`SKIPPED  ${one.name}: ${noSandbox}`);
      continue;
    }
    if (work.length > 0) await onStage(name, work);
  }
}

/** Every case beside noise, some once more without; on a platform of its own there is none. */
function workOf(stage: StageName): readonly Work[] {
  const mine = faults.filter(({ on }) => on === stage);
  const beside = ({ apart = false }: FaultCase): string => (apart ? "" : ", beside noise");
  const noisy = mine.map((fault) => ({ name: `${nameOf(fault)}${beside(fault)}`, noise: true, fault }));
  const alone = mine.filter(({ twice }) => twice).map((fault) => ({ name: nameOf(fault), noise: false, fault }));
  const healthy = controls
    .filter(({ on }) => on === stage)
    .map((control) => ({ name: `control: ${control.name}`, noise: true, control }));
  return [...healthy, ...noisy, ...alone].filter(({ name }) => isAsked(name));
}

async function onStage(name: StageName, work: readonly Work[]): Promise<void> {
  using smi = new StandInSmi();
  const own =
    name === "cards"
      ? {
          env: {
            WAYBILL_NVIDIA_SMI: smi.command,
            WAYBILL_CARDS_SECONDS: "1",
            WAYBILL_CARD_SLOTS: "2",
            WAYBILL_KERNEL_LOG: smi.kernelLog,
          },
        }
      : {};
  using archives = name === "boxed" && noImages === false ? await Archives.make() : null;
  const images = archives === null ? {} : { WAYBILL_IMAGES: archives.folder };
  await using doors = await Doors.open();
  const { env = {}, ...options } = { ...stages[name], ...own };
  const signIn = name === "doors" ? doors.env : {};
  await using up = await Platform.start({ ...options, env: { ...env, ...images, ...signIn } });
  const alice = await up.account("alice");
  const crowd = await up.account("crowd", "unlimited");
  const loud = await up.account("loud", "unlimited");
  const app = await up.deploy(alice, "fixture");
  const noisy = await up.deploy(loud, "noise");
  for (const { space, deployed } of [app, noisy])
    if (!deployed.ok) throw new Error(`${space} does not run: ${deployed.says}`);
  let made = 0;
  const stage: Stage = {
    up,
    smi,
    doors,
    alice,
    crowd,
    app,
    fresh: (files, onEvent) => up.deploy(alice, `fresh${++made}`, files, onEvent),
  };
  for (const one of [true, false]) {
    const mine = work.filter(({ noise }) => noise === one);
    if (mine.length === 0) continue;
    await using _noise = one ? makeNoise(loud, noisy) : { [Symbol.asyncDispose]: async () => undefined };
    for (const item of mine)
      await (item.fault
        ? causeAndScore(item.name, item.fault, stage)
        : runControl(item.name, item.control as Control, stage));
  }
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
      report = await scoreCase(fault, name, injected, stage.alice.client);
    } finally {
      await injected.done?.();
    }
  } catch (error) {
    // The fault could not be caused, or the platform did not answer: that is never right.
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    report = {
      name,
      injected: { boundary, code },
      said: { boundary: "none", code: "none", certainty: "none" },
      score: "wrong",
      why,
      id: null,
      sentence: "",
    };
  }
  const tookMs = Math.round(performance.now() - since);
  cases.push({ ...report, tookMs });
  line(report.score, name, tookMs, report.why, report.id);
}

async function runControl(name: string, control: Control, stage: Stage): Promise<void> {
  const since = performance.now();
  let report: ControlReport;
  try {
    report = await scoreControl(name, await control.run(stage), stage.alice.client);
  } catch (error) {
    report = {
      name,
      blamed: true,
      why: error instanceof Error ? (error.stack ?? error.message) : String(error),
      id: null,
    };
  }
  controlCases.push(report);
  line(report.blamed ? "BLAMED" : "well", name, Math.round(performance.now() - since), report.why, report.id);
}

function summary(): FaultsDocument {
  const count = (score: CaseReport["score"]): number => cases.filter((one) => one.score === score).length;
  return {
    cases,
    right: count("right"),
    unknown: count("unknown"),
    wrong: count("wrong"),
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
