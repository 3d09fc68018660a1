/**
 * Whether packages that were compiled for CUDA can run on a pool's cards: said when an app is built, and asked again before a call
 * is charged. Pure. What neither side says forbids nothing.
 */
import type { DeviceFacts } from "../contract/agent.ts";
import type { RuntimeFacts } from "../contract/release.ts";

export type TorchFacts = NonNullable<RuntimeFacts["torch"]>;
/** What of a card is compared. */
export type CardFacts = Pick<DeviceFacts, "name" | "simulated" | "computeCapability" | "driver">;

/** Why a card cannot run it, and what would. */
export interface Misfit {
  readonly code: "runtime/arch-mismatch" | "runtime/driver-too-old";
  readonly says: string;
}

/**
 * The oldest driver of each major version of CUDA on Linux, below which nothing of it starts ("CUDA Toolkit and Minimum Required
 * Driver Version for CUDA Minor Version Compatibility", CUDA Toolkit Release Notes; from CUDA 11 on one driver serves a whole major version).
 */
const oldestDrivers: Readonly<Record<string, string>> = { "11": "450.80.02", "12": "525.60.13", "13": "580.65.06" };

/** What keeps it from every card; undefined where one of them may run it, or where there is nothing to compare. */
export function misfitOf(torch: TorchFacts | null, cards: readonly CardFacts[]): Misfit | undefined {
  if (torch === null || torch.cuda === null) return undefined;
  const misfits = cards.map((card) => cardMisfit(torch, card));
  return misfits.includes(undefined) ? undefined : misfits[0];
}

/** How many of the cards it may run on, for the build's log. */
export function fitting(torch: TorchFacts, cards: readonly CardFacts[]): number {
  return cards.filter((card) => cardMisfit(torch, card) === undefined).length;
}

/** `torch 2.1.2, CUDA 12.1, compiled for sm_80 sm_90`. */
export function torchSays({ version, cuda, archs }: TorchFacts): string {
  if (cuda === null) return `torch ${version}, without CUDA`;
  return `torch ${version}, CUDA ${cuda}, compiled for ${archs.length === 0 ? "cards that it does not name" : archs.join(" ")}`;
}

function cardMisfit(torch: TorchFacts, { name, simulated, computeCapability, driver }: CardFacts): Misfit | undefined {
  if (simulated) return undefined;
  if (computeCapability !== undefined && torch.archs.length > 0 && !torch.archs.some(runsOn(computeCapability))) {
    const [major = "", minor = ""] = computeCapability.split(".");
    const wanted = `sm_${major}${minor}, or compute_ of at most ${major}${minor}`;
    const says = `${torchSays(torch)} has no code for ${name}, whose compute capability is ${computeCapability}: name a torch that was compiled for ${wanted}`;
    return { code: "runtime/arch-mismatch", says };
  }
  const oldest = oldestDrivers[torch.cuda?.split(".")[0] ?? ""];
  if (oldest === undefined || driver === undefined || !isOlder(driver, oldest)) return undefined;
  const says = `${torchSays(torch)} needs a driver of ${oldest} or later, and that of ${name} is ${driver}: update it, or name a torch for an older CUDA`;
  return { code: "runtime/driver-too-old", says };
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

function isOlder(version: string, than: string): boolean {
  const [a, b] = [version.split(".").map(Number), than.split(".").map(Number)];
  for (const [at, part] of b.entries()) {
    const mine = a[at] ?? 0;
    if (mine !== part) return mine < part;
  }
  return false;
}
