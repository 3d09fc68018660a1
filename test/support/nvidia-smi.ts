/** A stand-in `nvidia-smi`: real for the platform, whose cards it makes up. What it says can be changed while the platform runs. */
import { appendFileSync, chmodSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A process of this machine that it lists as computing on a card, for as long as it lives. */
export interface StandInProcess {
  readonly pid: number;
  readonly uuid: string;
  /** Null: it does not say how much memory it has. */
  readonly memoryMiB?: number | null;
  /** The card keeps its memory when it has ended. */
  readonly sticks?: boolean;
}

export interface StandInCard {
  readonly uuid: string;
  readonly name: string;
  readonly bus: string;
  readonly capability: string;
  /** What stands in place of its values, as `[GPU is lost]`. */
  readonly says?: string;
  readonly memoryErrors?: number;
  /** `Reset`, `Reboot`, …: what the driver says that it needs. */
  readonly recovery?: string;
  /** It is divided into instances of these profiles (MIG). */
  readonly instances?: readonly string[];
}

export interface StandInState {
  readonly driver: string;
  readonly cards: readonly StandInCard[];
  readonly processes?: readonly StandInProcess[];
  /** It cannot list processes, and prints this. */
  readonly listFails?: string;
  /** It fails, and prints this. */
  readonly fails?: string;
  /** It never answers. */
  readonly hangs?: boolean;
  /** It does not know these fields. */
  readonly unknown?: readonly string[];
}

export const h100 = (index = 0): StandInCard => ({
  uuid: `GPU-stand-in-${index}`,
  name: "NVIDIA H100 (stand-in)",
  bus: `00000000:0${index}:00.0`,
  capability: "9.0",
});

/** A program named by `command`, until it is disposed of. */
export class StandInSmi implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "wb-smi-"));
  readonly command = join(this.folder, "nvidia-smi");
  /** Stands in for `/dev/kmsg`. */
  readonly kernelLog = join(this.folder, "kmsg");
  #state: StandInState;

  constructor(state: StandInState = { driver: "580.95.05", cards: [h100(0), h100(1)] }) {
    this.#state = state;
    this.set(state);
    writeFileSync(this.kernelLog, "");
    writeFileSync(this.command, `#!${process.execPath}\n${program}`);
    chmodSync(this.command, 0o755);
  }

  get state(): StandInState {
    return this.#state;
  }

  /** What it says from now on. */
  set(state: StandInState): void {
    this.#state = state;
    const aside = join(this.folder, "state.new");
    writeFileSync(aside, JSON.stringify(state));
    renameSync(aside, join(this.folder, "state.json"));
  }

  /** How often it was asked for its processes. */
  get lists(): number {
    return statSync(join(this.folder, "lists"), { throwIfNoEntry: false })?.size ?? 0;
  }

  /** The driver writes an Xid message of the card. */
  xid({ bus }: StandInCard, number: number, says: string): void {
    appendFileSync(
      this.kernelLog,
      `3,1,1,-;NVRM: Xid (PCI:${bus.slice(4, -2)}): ${number}, pid=1, name=python3, ${says}\n`,
    );
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The real one prints its errors on standard output, and ends with 2 for a field that it does not know. */
const program = `
const { appendFileSync, readFileSync } = require("node:fs");
const lives = ({ pid }) => {
  try { return !/\\) [ZX] /.test(readFileSync("/proc/" + pid + "/stat", "utf8")); } catch { return false; }
};
const state = JSON.parse(readFileSync(__dirname + "/state.json", "utf8"));
const fields = (process.argv.find((one) => one.startsWith("--query-gpu=")) ?? "=").split("=")[1].split(",");
const strange = fields.find((field) => (state.unknown ?? []).includes(field));
const value = (card, index, field) => {
  if (field === "uuid") return card.uuid;
  if (field === "index") return String(index);
  if (field === "name") return card.name;
  if (field === "pci.bus_id") return card.bus;
  if (card.says) return card.says;
  if (field === "driver_version") return state.driver;
  if (field === "compute_cap") return card.capability;
  if (field === "memory.total") return "81559 MiB";
  if (field === "memory.used")
    return 4 + (state.processes ?? []).filter((one) => one.uuid === card.uuid && (one.sticks || lives(one)))
      .reduce((sum, one) => sum + (one.memoryMiB ?? 518), 0) + " MiB";
  if (field === "temperature.gpu") return "34";
  if (field === "gpu_recovery_action") return card.recovery ?? "None";
  if (field === "ecc.mode.current") return "Enabled";
  if (field === "mig.mode.current") return card.instances ? "Enabled" : "Disabled";
  if (field === "ecc.errors.uncorrected.volatile.total") return String(card.memoryErrors ?? 0);
  return "[N/A]";
};
if (state.hangs) setInterval(() => undefined, 1000);
else if (state.fails) { console.log(state.fails); process.exitCode = 255; }
else if (process.argv.some((one) => one.startsWith("--query-compute-apps="))) {
  appendFileSync(__dirname + "/lists", ".");
  if (state.listFails) { console.log(state.listFails); process.exitCode = 255; }
  else for (const one of (state.processes ?? []).filter(lives))
    console.log([one.pid, one.uuid, one.memoryMiB === null ? "[N/A]" : (one.memoryMiB ?? 518) + " MiB", "/usr/bin/stand-in"].join(", "));
}
else if (process.argv.includes("-L")) state.cards.forEach((card, index) => {
  console.log("GPU " + index + ": " + card.name + " (UUID: " + card.uuid + ")");
  (card.instances ?? []).forEach((profile, n) =>
    console.log("  MIG " + profile + "     Device  " + n + ": (UUID: MIG-" + card.uuid.slice(4) + "-" + n + ")"));
});
else if (strange) { console.log('Field "' + strange + '" is not a valid field to query.\\n'); process.exitCode = 2; }
else state.cards.forEach((card, index) => console.log(fields.map((field) => value(card, index, field)).join(", ")));
`;
