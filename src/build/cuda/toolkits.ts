/** What NVIDIA and PyTorch publish of CUDA's versions: drivers, PTX, architectures. Pure. */

/**
 * The oldest driver of each major version of CUDA on Linux, below which nothing of it starts ("CUDA Toolkit and Minimum Required
 * Driver Version for CUDA Minor Version Compatibility", CUDA Toolkit Release Notes; from CUDA 11 on one driver serves a whole major version).
 */
const oldestDrivers: Readonly<Record<string, string>> = { "11": "450.80.02", "12": "525.60.13", "13": "580.65.06" };

/**
 * The driver that came with each version of CUDA, and so the oldest that compiles its PTX: minor version compatibility does not hold
 * for PTX ("CUDA Toolkit and Corresponding Driver Versions", CUDA Toolkit Release Notes; "CUDA Compatibility", limitations of minor
 * version compatibility). 12.6 is not here: its PTX is that of 12.5.
 */
const ptxDrivers: Readonly<Record<string, string>> = {
  "11.0": "450.36.06",
  "11.1": "455.23",
  "11.2": "460.27.03",
  "11.3": "465.19.01",
  "11.4": "470.42.01",
  "11.5": "495.29.05",
  "11.6": "510.39.01",
  "11.7": "515.43.04",
  "11.8": "520.61.05",
  "12.0": "525.60.13",
  "12.1": "530.30.02",
  "12.2": "535.54.03",
  "12.3": "545.23.06",
  "12.4": "550.54.14",
  "12.5": "555.42.02",
  "12.6": "555.42.02",
  "12.8": "570.26",
  "12.9": "575.51.03",
  "13.0": "580.65.06",
  "13.1": "590.44.01",
};

/** The first version of CUDA with each version of PTX ("Release History", PTX ISA). */
const isas: readonly (readonly [isa: string, cuda: string])[] = [
  ["7.0", "11.0"],
  ["7.1", "11.1"],
  ["7.2", "11.2"],
  ["7.3", "11.3"],
  ["7.4", "11.4"],
  ["7.5", "11.5"],
  ["7.6", "11.6"],
  ["7.7", "11.7"],
  ["7.8", "11.8"],
  ["8.0", "12.0"],
  ["8.1", "12.1"],
  ["8.2", "12.2"],
  ["8.3", "12.3"],
  ["8.4", "12.4"],
  ["8.5", "12.5"],
  ["8.6", "12.7"],
  ["8.7", "12.8"],
  ["8.8", "12.9"],
  ["9.0", "13.0"],
  ["9.1", "13.1"],
];

export interface TorchIndex {
  /** Its last part, as `cu128`. */
  readonly name: string;
  readonly cuda: string;
  readonly torch: string;
  readonly archs: readonly string[];
}

/**
 * PyTorch's own indexes of wheels for Linux, the newest first, and what all the versions in one have code for (`TORCH_CUDA_ARCH_LIST`
 * in `.ci/manywheel/build_cuda.sh` of its repository, by release; "Release Compatibility Matrix" in its RELEASE.md).
 */
export const torchIndexes: readonly TorchIndex[] = [
  { name: "cu130", cuda: "13.0", torch: "2.9 or later", archs: sm(75, 80, 86, 90, 100, 120) },
  { name: "cu128", cuda: "12.8", torch: "2.7 or later", archs: sm(75, 80, 86, 90, 100, 120) },
  { name: "cu126", cuda: "12.6", torch: "2.6 or later", archs: sm(50, 60, 70, 75, 80, 86, 90) },
  { name: "cu124", cuda: "12.4", torch: "2.4 to 2.6", archs: sm(50, 60, 70, 75, 80, 86, 90) },
  { name: "cu121", cuda: "12.1", torch: "2.1 to 2.5", archs: sm(50, 60, 70, 75, 80, 86, 90) },
  { name: "cu118", cuda: "11.8", torch: "2.0 to 2.7", archs: sm(50, 60, 70, 75, 80, 86, 90) },
];

/** The oldest driver with which anything of this CUDA (`12.8`, `12`) starts; undefined where the table does not know it. */
export function oldestDriverOf(cuda: string): string | undefined {
  return oldestDrivers[cuda.split(".")[0] as string];
}

/** The oldest driver that compiles this CUDA's PTX; undefined where the table does not know it, or only its major version is known. */
export function ptxDriverOf(cuda: string): string | undefined {
  return ptxDrivers[cuda];
}

/** `8.7` → `12.8`: what made this PTX is at least that, and its driver knows it. Null where the table does not. */
export function cudaOfIsa(isa: string): string | null {
  return isas.find(([known]) => known === isa)?.[1] ?? null;
}

/** Whether a version in numbers and dots comes before another. */
export function isOlder(version: string, than: string): boolean {
  const [a, b] = [version.split(".").map(Number), than.split(".").map(Number)];
  for (const [at, part] of b.entries()) {
    const mine = a[at] ?? 0;
    if (mine !== part) return mine < part;
  }
  return false;
}

function sm(...numbers: readonly number[]): readonly string[] {
  return numbers.map((one) => `sm_${one}`);
}
