/**
 * Incidents: what was wrong with the platform, from when to when. Detection opens and closes them by what is seen at each look; a
 * condition has to be seen, or gone, for a while, so that one that comes and goes makes no row of them. Pure.
 */
import type { CountedBoundary, Sums } from "./boundaries.ts";

/** What incidents are of. `record`: the evidence and the journal themselves. */
export type IncidentBoundary = CountedBoundary | "record";

/** What is wrong. */
export type Wrong = "failures" | "node-lost" | "card-trouble" | "drain" | "evidence-behind" | "journal";

export interface IncidentNote {
  readonly at: number;
  readonly by: string;
  readonly says: string;
}

export interface Incident {
  readonly id: string;
  /** What it is of: `failures/route`, `node/n1`. One that is open for each. */
  readonly subject: string;
  readonly boundary: IncidentBoundary;
  readonly wrong: Wrong;
  /** An operator took it out of use. */
  readonly planned: boolean;
  readonly says: string;
  readonly since: number;
  readonly until: number | null;
  /** `detection`, or the account that closed it; null while it is open. */
  readonly closedBy: string | null;
  /** Works that ended at the boundary meanwhile, and those of them that failed by the platform's fault; null where none are counted for it. */
  readonly counts: { readonly works: number; readonly failed: number } | null;
  /** Works behind it, or the node that it is of. */
  readonly behind: readonly string[];
  readonly notes: readonly IncidentNote[];
}

/** Something wrong that is seen now. */
export interface Condition extends Pick<
  Incident,
  "subject" | "boundary" | "wrong" | "planned" | "says" | "counts" | "behind"
> {
  /** Since when it is so, where that is known. */
  readonly since: number | null;
}

/** What detection remembers of a subject between two looks. */
interface Watched {
  /** Since when the condition is seen, or since when it is gone. */
  readonly seen: boolean;
  readonly at: number;
  /** An operator closed it while it was seen: it is not opened again before it was gone. */
  readonly muted: boolean;
}

export interface Detection {
  readonly open: ReadonlyMap<string, Incident>;
  readonly watched: ReadonlyMap<string, Watched>;
}

/** For how long a condition is seen before an incident is opened, and gone before it is closed, milliseconds. */
export const patience: Readonly<Record<Wrong, { readonly openMs: number; readonly closeMs: number }>> = {
  // Its rate is of ten minutes already.
  failures: { openMs: 0, closeMs: 300_000 },
  // An agent that is restarted is back within seconds.
  "node-lost": { openMs: 30_000, closeMs: 60_000 },
  "card-trouble": { openMs: 0, closeMs: 60_000 },
  // An operator's word begins it and ends it.
  drain: { openMs: 0, closeMs: 0 },
  // Evidence is behind when it was not heard for a minute.
  "evidence-behind": { openMs: 30_000, closeMs: 60_000 },
  journal: { openMs: 0, closeMs: 60_000 },
};
/** Works behind an incident that are kept. */
export const behindMax = 20;
/** Notes of one incident. */
export const notesMax = 100;

/** Failures by the platform's fault are an incident from this many on, of this many works, at this share; it stays one above the second share. */
const failedMin = 5;
const worksMin = 10;
const shareOpens = 0.05;
const shareStays = 0.01;

/** Whether so many of a boundary's last works failed by the platform's fault that something is wrong there. */
export function isFailing({ works, failedBy }: Pick<Sums, "works" | "failedBy">, isOpen: boolean): boolean {
  const share = works === 0 ? 0 : failedBy.platform / works;
  if (isOpen) return failedBy.platform > 0 && share >= shareStays;
  return failedBy.platform >= failedMin && works >= worksMin && share >= shareOpens;
}

/** What was so before the first look: incidents that are open, and subjects that an operator's word keeps closed. */
export function detectionOf(open: readonly Incident[], muted: readonly string[]): Detection {
  return {
    open: new Map(open.map((incident) => [incident.subject, incident])),
    // Whether it is still so is not known yet: it counts as seen until a look finds it gone.
    watched: new Map<string, Watched>([
      ...open.map(({ subject, since }) => [subject, { seen: true, at: since, muted: false }] as const),
      ...muted.map((subject) => [subject, { seen: true, at: 0, muted: true }] as const),
    ]),
  };
}

/** One look. `changed`: incidents that were opened, closed, or of which something else is known now. */
export function detect(
  before: Detection,
  seen: readonly Condition[],
  now: number,
  newId: () => string,
): { readonly after: Detection; readonly changed: readonly Incident[] } {
  const open = new Map(before.open);
  const watched = new Map(before.watched);
  const changed: Incident[] = [];
  const change = (incident: Incident): void => {
    changed.push(incident);
    if (incident.until === null) open.set(incident.subject, incident);
    else open.delete(incident.subject);
  };
  for (const condition of seen) {
    const { subject, wrong } = condition;
    const known = watched.get(subject);
    const one = known?.seen === true ? known : { seen: true, at: now, muted: false };
    watched.set(subject, one);
    const incident = open.get(subject);
    if (incident) {
      const told = toldAnew(incident, condition);
      if (told) change(told);
    } else if (!one.muted && now - one.at >= patience[wrong].openMs) change(opened(condition, now, newId()));
  }
  const subjects = new Set(seen.map(({ subject }) => subject));
  for (const [subject, known] of before.watched) {
    if (subjects.has(subject)) continue;
    const incident = open.get(subject);
    if (!incident) {
      watched.delete(subject);
      continue;
    }
    const gone = known.seen ? { seen: false, at: now, muted: false } : known;
    watched.set(subject, gone);
    if (now - gone.at < patience[incident.wrong].closeMs) continue;
    change({ ...incident, until: now, closedBy: "detection" });
    watched.delete(subject);
  }
  return { after: { open, watched }, changed };
}

/** By an operator's word. While the condition is seen on it is not opened again. */
export function closeIncident(
  { open, watched }: Detection,
  subject: string,
  { by, now }: { by: string; now: number },
): { readonly after: Detection; readonly closed: Incident | undefined } {
  const incident = open.get(subject);
  if (!incident) return { after: { open, watched }, closed: undefined };
  const closed = { ...incident, until: now, closedBy: by };
  const rest = new Map(open);
  rest.delete(subject);
  const known = watched.get(subject);
  const others = new Map(watched);
  if (known?.seen === true) others.set(subject, { ...known, muted: true });
  else others.delete(subject);
  return { after: { open: rest, watched: others }, closed };
}

/** With an operator's word beside it; the oldest go where there are too many. */
export function noted(incident: Incident, note: IncidentNote): Incident {
  return { ...incident, notes: [...incident.notes, note].slice(-notesMax) };
}

function opened({ since, ...condition }: Condition, now: number, id: string): Incident {
  return { id, ...condition, since: since ?? now, until: null, closedBy: null, notes: [] };
}

/** Undefined where nothing else is known of it than before. */
function toldAnew(incident: Incident, { says, planned, counts, behind }: Condition): Incident | undefined {
  const known = new Set(incident.behind);
  const all = [...behind.filter((id) => !known.has(id)), ...incident.behind].slice(0, behindMax);
  const told = { ...incident, says, planned, counts, behind: all };
  const isSame =
    says === incident.says &&
    planned === incident.planned &&
    counts?.works === incident.counts?.works &&
    counts?.failed === incident.counts?.failed &&
    all.length === known.size &&
    all.every((id) => known.has(id));
  return isSame ? undefined : told;
}
