/** The settings of a Space that its owner and the operator change: how each is written, and what may be. */
import { z } from "zod";
import type { OwnerSettings } from "../contract/api.ts";
import { parseReach, reachSays } from "../contract/reach.ts";
import type { SpaceLimits } from "../edge/ports.ts";
import { durationMs } from "../stdx/time.ts";
import type { DurationMs } from "../stdx/time.ts";

/** As a request's path is written: from the first slash on, in visible ASCII. */
const healthPath = /^(?:\/[\x21-\x7e]{0,199})?$/;
const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const length = /^(\d{1,9})([smhd])$/;
/** Below this a Space would fall asleep between two clicks. */
const sleepAfterLeastMs = 1_000;
/** A year: no longer than that is anything but `never`. */
const sleepAfterMostMs = 365 * 86_400_000;
/** Of one Space; each is a process tree of its own on the node. */
const replicasMax = 20;

/** Whole milliseconds of `90s`, `30m`, `48h`, `7d`; null for `never`. */
export function lengthOf(text: string): DurationMs | null {
  const match = length.exec(text);
  return match ? durationMs(Number(match[1]) * (units[match[2] ?? "s"] as number)) : null;
}

/** Seconds as such a length; -1 is `never`, as the Hub's clients say it. */
export function lengthFrom(seconds: number): string {
  return seconds < 0 ? "never" : `${seconds}s`;
}

/** What its visitors may ask of it, as the edge reads it. */
export function limitsOf(settings: OwnerSettings): SpaceLimits | undefined {
  const limits = {
    requests: settings["requests-at-once"] || undefined,
    perSecond: settings["requests-per-second"] || undefined,
    bodyMaxBytes: settings["body-max-mb"] * mebibyte || undefined,
    idleMs: lengthOf(settings["idle-limit"]) ?? undefined,
    openMs: lengthOf(settings["time-limit"]) ?? undefined,
  };
  return Object.values(limits).some((limit) => limit !== undefined) ? limits : undefined;
}

const mebibyte = 1 << 20;

function limit(most: number, what: string): z.ZodExactOptional<z.ZodCoercedNumber> {
  const says = `write a whole number of ${what} from 1 to ${most}, or 0 for the platform's own limit`;
  return z.coerce.number(says).int(says).min(0, says).max(most, says).exactOptional();
}

function timeLimit(): z.ZodExactOptional<z.ZodString> {
  return z
    .string()
    .refine(
      (text) => text === "none" || isLength(text),
      "write none, or a length of 1 s to 365 days such as 90s, 30m, 2h",
    )
    .exactOptional();
}

function isLength(text: string): boolean {
  const ms = lengthOf(text);
  return text === "never" || (ms !== null && ms >= sleepAfterLeastMs && ms <= sleepAfterMostMs);
}

const settings = {
  "on-leave": z.enum(["finish", "stop"]).exactOptional(),
  "health-path": z.string().regex(healthPath, "write a path such as /health, or nothing for none").exactOptional(),
  "sleep-after": z
    .string()
    .refine(isLength, "write never, or a length of 1 s to 365 days such as 90s, 30m, 48h")
    .exactOptional(),
  "sleep-mode": z.enum(["stop", "freeze"]).exactOptional(),
  // The command line sends text.
  replicas: z.coerce
    .number(`write a whole number from 0 to ${replicasMax}`)
    .int()
    .min(0)
    .max(replicasMax)
    .exactOptional(),
  hardware: z.string().exactOptional(),
  messages: z.enum(["full", "quiet", "off"]).exactOptional(),
  "requests-at-once": limit(100_000, "requests"),
  "requests-per-second": limit(1_000_000, "requests"),
  "body-max-mb": limit(1 << 20, "MiB"),
  "idle-limit": timeLimit(),
  "time-limit": timeLimit(),
  reach: z
    .string()
    .transform((text, c) => {
      const reach = parseReach(text);
      if (typeof reach !== "string") return reachSays(reach);
      c.addIssue({ code: "custom", message: reach });
      return z.NEVER;
    })
    .exactOptional(),
  // The command line sends text.
  private: z
    .union([z.boolean(), z.enum(["true", "false"]).transform((text) => text === "true")], "write true or false")
    .exactOptional(),
};

/** What may be changed at once, by the names that people type; at least one. */
export const settingsChange = z
  .strictObject(settings satisfies Record<keyof OwnerSettings, z.ZodType>)
  .refine(
    (named) => Object.keys(named).length > 0,
    `name at least one setting to change: ${Object.keys(settings).join(", ")}`,
  );
