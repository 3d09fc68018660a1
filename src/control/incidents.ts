/** Incidents: detection's and operators' changes, one at a time; each is stored before it is told. */
import type { IncidentView } from "../contract/incidents.ts";
import { closeIncident, detect, detectionOf, noted } from "../evidence/incidents.ts";
import type { Condition, Detection, Incident, Wrong } from "../evidence/incidents.ts";
import type { StatusRecord } from "../record/status-store.ts";
import { newId } from "../stdx/ids.ts";
import type { RandomBytes } from "../stdx/ids.ts";
import { instant, iso } from "../stdx/time.ts";
import type { Clock } from "../stdx/time.ts";
import { Turns } from "../stdx/turns.ts";

export interface IncidentParts {
  readonly record: Pick<StatusRecord, "openIncidents" | "mutedSubjects" | "putIncidents" | "incidents" | "incident">;
  readonly clock: Clock;
  readonly random: RandomBytes;
}

/** Who reads. Strangers get no names, operators the works behind. */
export type Reader = "stranger" | "account" | "operator";

/** What an operator's word came to. */
export type Word =
  | { readonly ok: true; readonly incident: Incident }
  | { readonly ok: false; readonly why: "none" | "over" };

/** Incidents of one page. */
export const incidentPage = 50;

export class Incidents {
  readonly #parts: IncidentParts;
  #detection: Detection;
  readonly #turns = new Turns();
  /** Told of incidents that are others than before, once they are stored. */
  onChanged: (changed: readonly Incident[]) => void = () => {};

  static async load(parts: IncidentParts): Promise<Incidents> {
    const [open, muted] = await Promise.all([parts.record.openIncidents(), parts.record.mutedSubjects()]);
    return new Incidents(parts, detectionOf(open, muted));
  }

  private constructor(parts: IncidentParts, detection: Detection) {
    this.#parts = parts;
    this.#detection = detection;
  }

  /** Those that go on, the newest first. */
  get open(): readonly Incident[] {
    return [...this.#detection.open.values()].toSorted((a, b) => b.since - a.since);
  }

  /** What is wrong now. */
  see(conditions: readonly Condition[]): Promise<void> {
    return this.#inTurn(async () => {
      const { clock, random, record } = this.#parts;
      const { after, changed } = detect(this.#detection, conditions, clock.wall(), () => newId("i", random));
      if (changed.length > 0) await record.putIncidents(changed);
      this.#detection = after;
      if (changed.length > 0) this.onChanged(changed);
    });
  }

  /** The newest before that place, with one more than is shown. */
  async list(
    before: { readonly since: number; readonly id: string } | null,
    limit: number,
  ): Promise<readonly Incident[]> {
    return this.#parts.record.incidents(before, limit);
  }

  async get(id: string): Promise<Incident | undefined> {
    return (await this.#parts.record.incident(id)) ?? undefined;
  }

  /** An operator's word beside it, also when it is over. Their last word said once more is one: asked again over a restart it may be there. */
  note(id: string, { by, says }: { by: string; says: string }): Promise<Word> {
    return this.#inTurn(async () => {
      const incident = await this.get(id);
      if (!incident) return { ok: false, why: "none" };
      if (isLastWord(incident, { by, says })) return { ok: true, incident };
      return this.#store(noted(incident, { at: this.#parts.clock.wall(), by, says }));
    });
  }

  close(id: string, { by, says }: { by: string; says: string }): Promise<Word> {
    return this.#inTurn(async () => {
      const incident = await this.get(id);
      if (!incident) return { ok: false, why: "none" };
      if (incident.closedBy === by && isLastWord(incident, { by, says })) return { ok: true, incident };
      const now = this.#parts.clock.wall();
      const { after, closed } = closeIncident(this.#detection, incident.subject, { by, now });
      if (closed?.id !== id) return { ok: false, why: "over" };
      const told = noted(closed, { at: now, by, says });
      await this.#parts.record.putIncidents([told]);
      this.#detection = after;
      this.onChanged([told]);
      return { ok: true, incident: told };
    });
  }

  async #store(incident: Incident): Promise<Word> {
    await this.#parts.record.putIncidents([incident]);
    if (incident.until === null) {
      const { open, watched } = this.#detection;
      this.#detection = { open: new Map(open).set(incident.subject, incident), watched };
    }
    return { ok: true, incident };
  }

  #inTurn<Done>(work: () => Promise<Done>): Promise<Done> {
    return this.#turns.take("incidents", work);
  }
}

function isLastWord({ notes }: Incident, { by, says }: { by: string; says: string }): boolean {
  return notes.findLast((note) => note.by === by)?.says === says;
}

const strangersSay: Readonly<Record<Wrong, string>> = {
  failures: "works fail by the platform's fault",
  "node-lost": "a machine does not answer",
  "card-trouble": "a card is in trouble",
  drain: "something was taken out of use",
  "evidence-behind": "the record is behind",
  journal: "the platform could not write its journal",
};

export function incidentView(incident: Incident, reader: Reader): IncidentView {
  const { id, boundary, wrong, planned, says, since, until, closedBy, counts, notes, subject, behind } = incident;
  const isStranger = reader === "stranger";
  return {
    ...{ id, boundary, wrong, planned, counts },
    says: isStranger ? strangersSay[wrong] : says,
    since: iso(instant(since)),
    until: until === null ? null : iso(instant(until)),
    closedBy: closedBy === null || closedBy === "detection" ? closedBy : reader === "operator" ? closedBy : "operator",
    notes: notes.map(({ at, by, says: word }) => ({
      ...{ at: iso(instant(at)), says: word },
      ...(reader === "operator" && { by }),
    })),
    ...(!isStranger && { subject }),
    ...(reader === "operator" && { behind }),
  };
}
