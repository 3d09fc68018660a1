/**
 * Whether packages that were compiled for CUDA can run on a pool's cards: said when an app is built, and asked again before a call
 * is charged. Pure. What neither side says forbids nothing.
 */
import type { DeviceFacts } from "../contract/agent.ts";
import type { CudaPackage, RuntimeFacts } from "../contract/release.ts";
import { isOlder, oldestDriverOf, ptxDriverOf, torchIndexes } from "./cuda/toolkits.ts";

export type TorchFacts = NonNullable<RuntimeFacts["torch"]>;
/** What of a release is compared. */
export type PackageFacts = Pick<RuntimeFacts, "torch" | "packages">;
/** What of a card is compared. */
export type CardFacts = Pick<DeviceFacts, "name" | "simulated" | "computeCapability" | "driver">;

/** Why a card cannot run it, and what would. */
export interface Misfit {
  readonly code: "runtime/arch-mismatch" | "runtime/driver-too-old";
  readonly says: string;
}

/** The packages that none of the cards can run. */
export interface Comparison {
  /** The app cannot use a card: its torch, or, where it has none, all that it has. */
  readonly misfit: Misfit | undefined;
  /** The others: an app may do without them. */
  readonly doubts: readonly Misfit[];
}

/** Compares what a release has with the cards; where there are no real ones, nothing is wrong. */
export function compare({ torch, packages = [] }: PackageFacts, cards: readonly CardFacts[]): Comparison {
  const misfits = packages.flatMap((one) => misfitOf(one, cards) ?? []);
  if (torch !== null && torch.cuda !== null) return { misfit: misfitOf(asPackage(torch), cards), doubts: misfits };
  const telling = packages.filter(({ cuda, archs }) => cuda !== null || archs.length > 0);
  const runs = telling.length === 0 || telling.some((one) => misfitOf(one, cards) === undefined);
  return runs ? { misfit: undefined, doubts: misfits } : { misfit: misfits[0], doubts: misfits.slice(1) };
}

/** How many of the cards it may run on, for the build's log. */
export function fitting(facts: CudaPackage, cards: readonly CardFacts[]): number {
  return cards.filter((card) => cardMisfit(facts, card) === undefined).length;
}

/** `torch 2.1.2, CUDA 12.1, compiled for sm_80 sm_90`. */
export function packageSays({ name, version, cuda, archs }: CudaPackage): string {
  const compiled = archs.length === 0 ? "" : `, compiled for ${archs.join(" ")}`;
  return `${name} ${version}${cuda === null ? "" : `, CUDA ${cuda}`}${compiled}`;
}

export function asPackage({ version, cuda, archs }: TorchFacts): CudaPackage {
  return { name: "torch", version, cuda, archs };
}

/** What keeps it from every card; undefined where one of them may run it, or where there is nothing to compare. */
function misfitOf(facts: CudaPackage, cards: readonly CardFacts[]): Misfit | undefined {
  const misfits = cards.map((card) => cardMisfit(facts, card));
  return misfits.includes(undefined) ? undefined : misfits[0];
}

function cardMisfit(facts: CudaPackage, card: CardFacts): Misfit | undefined {
  if (card.simulated) return undefined;
  return codeMisfit(facts, card) ?? driverMisfit(facts, card) ?? ptxMisfit(facts, card);
}

function codeMisfit(facts: CudaPackage, card: CardFacts): Misfit | undefined {
  const { computeCapability, name } = card;
  if (computeCapability === undefined) return undefined;
  if (facts.name === "triton") return tritonMisfit(facts, { name, computeCapability });
  if (facts.archs.length === 0 || facts.archs.some(runsOn(computeCapability))) return undefined;
  const number = computeCapability.replace(".", "");
  const wanted = `a ${facts.name} that was compiled for sm_${number}, or compute_ of at most ${number}`;
  const says = `${packageSays(facts)} has no code for ${name}, whose compute capability is ${computeCapability}: name ${whatWouldDo(facts, card, wanted)}`;
  return { code: "runtime/arch-mismatch", says };
}

function driverMisfit(facts: CudaPackage, card: CardFacts): Misfit | undefined {
  const oldest = facts.cuda === null ? undefined : oldestDriverOf(facts.cuda);
  if (oldest === undefined || card.driver === undefined || !isOlder(card.driver, oldest)) return undefined;
  const instead = whatWouldDo(facts, card, `a ${facts.name} for an older CUDA`);
  const says = `${packageSays(facts)} needs a driver of ${oldest} or later, and that of ${card.name} is ${card.driver}: update it, or name ${instead}`;
  return { code: "runtime/driver-too-old", says };
}

/** PTX is compiled by the driver, and one that is older than the PTX does not know it, whatever else of that CUDA it runs. */
function ptxMisfit(facts: CudaPackage, card: CardFacts): Misfit | undefined {
  const { computeCapability, driver, name } = card;
  const oldest = facts.cuda === null ? undefined : ptxDriverOf(facts.cuda);
  if (computeCapability === undefined || oldest === undefined || driver === undefined || !isOlder(driver, oldest))
    return undefined;
  const running = facts.archs.filter(runsOn(computeCapability));
  if (running.length === 0 || running.some((arch) => arch.startsWith("sm_"))) return undefined;
  const instead = whatWouldDo(facts, card, `a ${facts.name} with machine code for the card`);
  const says = `${packageSays(facts)} has only PTX for ${name}, whose compute capability is ${computeCapability}, and its driver ${driver} does not know that PTX: update it to ${oldest} or later, or name ${instead}`;
  return { code: "runtime/driver-too-old", says };
}

/** The index whose torch runs there, the newest first; for other packages nobody publishes which of their versions do. */
function whatWouldDo({ name }: CudaPackage, card: CardFacts, otherwise: string): string {
  const index = name === "torch" ? torchIndexes.find((one) => fits(one, card)) : undefined;
  return index === undefined ? otherwise : `torch ${index.torch} of PyTorch's index ${index.name}, which runs there`;
}

function fits(index: Pick<CudaPackage, "cuda" | "archs">, card: CardFacts): boolean {
  return cardMisfit({ name: "", version: "", ...index }, { ...card, name: "" }) === undefined;
}
/**
 * Machine code (`sm_`) runs on its own major version, from its own minor one on; PTX (`compute_`) is compiled by the driver for whatever
 * is newer; what ends in `a` runs nowhere but on its own (CUDA C++ Programming Guide, "Application Compatibility").
 */
function runsOn(computeCapability: string): (arch: string) => boolean {
  const [major = 0, minor = 0] = computeCapability.split(".").map(Number);
  return (arch) => {
    const [, kind, majorText, minorText, suffix] = /^(sm|compute)_(\d+)(\d)([af]?)$/.exec(arch) ?? [];
    const [itsMajor, itsMinor] = [Number(majorText), Number(minorText)];
    if (suffix === "a") return major === itsMajor && minor === itsMinor;
    if (major === itsMajor) return minor >= itsMinor;
    return kind === "compute" && suffix === "" && major > itsMajor;
  };
}

/**
 * Triton compiles for the card that it finds. The first versions that know each generation, by the major version of its compute
 * capability: its release notes, Hopper in 2.1, Blackwell in 3.3.
 */
const tritonSince: Readonly<Record<string, string>> = { "9": "2.1", "10": "3.3", "12": "3.3" };

function tritonMisfit(
  facts: CudaPackage,
  card: Required<Pick<CardFacts, "name" | "computeCapability">>,
): Misfit | undefined {
  const { name, computeCapability } = card;
  const since = tritonSince[computeCapability.split(".")[0] as string];
  if (since === undefined || !isOlder(facts.version, since)) return undefined;
  const says = `${packageSays(facts)} does not know ${name}, whose compute capability is ${computeCapability}: name triton ${since} or later`;
  return { code: "runtime/arch-mismatch", says };
}
