/** Settings as a form has them: lengths in seconds, nothing for "no limit"; and what of them somebody changed. Pure. */

export interface Field<Name extends string = string> {
  readonly name: Name;
  /** `seconds`: kept as whole milliseconds. */
  readonly unit: "seconds" | "count" | "choice";
  /** An empty input: no limit. */
  readonly isNullable?: boolean;
  readonly choices?: readonly string[];
  /** In the unit of the form. */
  readonly min?: number;
}

/** Null: no limit. */
type Setting = string | number | boolean | null | undefined;
export type Settings = Readonly<Record<string, Setting>>;

/** As it stands in its input. */
export function textOf(value: Setting, { unit }: Pick<Field, "unit">): string {
  if (value === null || value === undefined) return "";
  return unit === "seconds" ? String(Number(value) / 1000) : String(value);
}

/** What of `was` the inputs would have otherwise. An empty one that may not be empty stays as it was. */
export function changesIn(fields: readonly Field[], was: Settings, texts: Readonly<Record<string, string>>): Settings {
  const changes: Record<string, Setting> = {};
  for (const field of fields) {
    const text = (texts[field.name] ?? "").trim();
    if (text === textOf(was[field.name], field) || (text === "" && !field.isNullable)) continue;
    changes[field.name] = valueOf(text, field);
  }
  return changes;
}

function valueOf(text: string, { unit }: Field): string | number | null {
  if (unit === "choice") return text;
  if (text === "") return null;
  return unit === "seconds" ? Math.round(Number(text) * 1000) : Number(text);
}

/** A form's inputs by name. */
export function textsOf(form: FormData): Readonly<Record<string, string>> {
  return Object.fromEntries([...form].map(([name, value]) => [name, typeof value === "string" ? value.trim() : ""]));
}

export const poolFields: readonly Field[] = [
  { name: "queueLimitMs", unit: "seconds", min: 0.001 },
  { name: "queueMax", unit: "count", min: 0 },
  { name: "durationMaxMs", unit: "seconds", min: 1 },
  { name: "attachWithinMs", unit: "seconds", min: 1 },
  { name: "admission", unit: "choice", choices: ["clip", "strict"] },
  { name: "spaceCallsMax", unit: "count", isNullable: true, min: 0 },
  { name: "tokenMaxCalls", unit: "count", min: 0 },
  { name: "tokenMaxGpuMs", unit: "seconds", isNullable: true, min: 0 },
  { name: "shareHalfLifeMs", unit: "seconds", min: 0.001 },
  { name: "oldestEvery", unit: "count", min: 1 },
];

export const tierFields: readonly Field[] = [
  { name: "windowLimitMs", unit: "seconds", isNullable: true, min: 0 },
  { name: "windowMs", unit: "seconds", min: 1 },
  { name: "durationMaxMs", unit: "seconds", isNullable: true, min: 1 },
  { name: "runsMax", unit: "count", isNullable: true, min: 0 },
  { name: "callsMax", unit: "count", isNullable: true, min: 0 },
  { name: "weight", unit: "count", min: 1 },
];
