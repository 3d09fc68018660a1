/**
 * What a Space's owner gives it beside its code: variables, which its builds see too, and secrets, which nobody is shown again. Both go
 * out with the orders to the node; an app that runs with older ones is started again (core/spaces/renew.ts).
 */
import { allMaxBytes, countMax, refuseName, refuseValue, sizeOf } from "../contract/environment.ts";
import type { SecretViews, VariableViews } from "../contract/api.ts";
import type { ToAgent } from "../contract/agent.ts";
import type {
  EnvironmentChange,
  Environments as Rows,
  NumberedChange,
  SecretRow,
  VariableRow,
} from "../catalog/environments.ts";
import type { SecretBox } from "../identity/secret-box.ts";
import { iso, type Clock } from "../stdx/time.ts";
import type { Refused } from "./spaces.ts";
import { Turns } from "../stdx/turns.ts";

export interface EnvironmentsPorts {
  readonly rows: Rows;
  readonly box: SecretBox;
  readonly clock: Clock;
  /** What this Space's app is started with is another from now on. */
  onChange(space: string): void;
}

/** `changed` is false where it was so already. */
export type EnvironmentSet = Refused | { readonly ok: true; readonly changed: boolean; readonly updatedAt: string };

export interface EnvironmentEntry {
  readonly kind: EnvironmentChange["kind"];
  readonly space: string;
  readonly name: string;
}

interface Known {
  readonly variables: Map<string, VariableRow>;
  readonly secrets: Map<string, SecretRow>;
  last: NumberedChange | undefined;
}

export class Environments {
  readonly #ports: EnvironmentsPorts;
  readonly #known = new Map<string, Known>();
  readonly #turns = new Turns();

  private constructor(ports: EnvironmentsPorts) {
    this.#ports = ports;
  }

  /** Reads all of them; what an older key sealed is sealed again with the current one. */
  static async open(ports: EnvironmentsPorts): Promise<Environments> {
    const { rows, box } = ports;
    const environments = new Environments(ports);
    for (const row of await rows.variables()) environments.#of(row.space).variables.set(row.name, row);
    for (const row of await rows.secrets()) {
      const current =
        row.key === box.current ? row : { ...row, ...box.seal(box.open(row, placeOf(row)), placeOf(row)) };
      if (current !== row) await rows.reseal(current);
      environments.#of(row.space).secrets.set(row.name, current);
    }
    for (const change of await rows.lastChanges()) environments.#of(change.space).last = change;
    return environments;
  }

  variables(space: string): VariableViews {
    return viewsOf(this.#known.get(space)?.variables, ({ value, ...row }) => ({ value, ...aboutOf(row) }));
  }

  /** By name, without their values: those are for the app alone. */
  secrets(space: string): SecretViews {
    return viewsOf(this.#known.get(space)?.secrets, aboutOf);
  }

  /** The last change that an app notices. */
  last(space: string): NumberedChange | undefined {
    return this.#known.get(space)?.last;
  }

  async changes(space: string, limit: number): Promise<readonly NumberedChange[]> {
    return this.#ports.rows.changes(space, limit);
  }

  /** One that was set before; without a time where it is gone by now. */
  found({ kind, space, name }: EnvironmentEntry): Extract<EnvironmentSet, { ok: true }> {
    const known = this.#known.get(space);
    const row = (kind === "variable" ? known?.variables : known?.secrets)?.get(name);
    return { ok: true, changed: true, updatedAt: iso(row?.updatedAt ?? this.#ports.clock.wall()) };
  }

  /** Sets one; an app that runs is started again with it. */
  async set(
    { kind, space, name }: EnvironmentEntry,
    { value, description, account }: { value: string; description: string | null; account: string },
  ): Promise<EnvironmentSet> {
    const refused = refuseName(name) ?? refuseValue(value);
    if (refused !== undefined) return { ok: false, code: "control/invalid", says: refused };
    return this.#turns.take(space, async () => {
      const known = this.#of(space);
      const other = kind === "variable" ? known.secrets : known.variables;
      if (other.has(name)) return taken(name, kind === "variable" ? "secret" : "variable");
      const before = kind === "variable" ? known.variables.get(name) : known.secrets.get(name);
      const had = before && this.#valueOf(before);
      if (before && had === value && before.description === (description ?? before.description))
        return { ok: true, changed: false, updatedAt: iso(before.updatedAt) };
      const tooMuch = this.#tooMuch(known, name, value);
      if (tooMuch !== undefined) return { ok: false, code: "control/invalid", says: tooMuch };
      const updatedAt = this.#ports.clock.wall();
      const about = { space, name, description: description ?? before?.description ?? null, updatedAt };
      const change = {
        kind,
        space,
        name,
        action: had === value ? "described" : "set",
        account,
        at: updatedAt,
      } as const;
      const { rows, box } = this.#ports;
      if (kind === "variable") {
        const row = { ...about, value };
        this.#took(known, { ...change, id: await rows.setVariable(row, change) });
        known.variables.set(name, row);
      } else {
        const row = { ...about, ...box.seal(value, placeOf(about)) };
        this.#took(known, { ...change, id: await rows.setSecret(row, change) });
        known.secrets.set(name, row);
      }
      this.#ports.onChange(space);
      return { ok: true, changed: true, updatedAt: iso(updatedAt) };
    });
  }

  /** The Space is deleted, and the catalog has none of it any more. */
  forget(space: string): void {
    this.#known.delete(space);
  }

  /** Removes one; false where there was none. An app that runs is started again without it. */
  async unset({ kind, space, name }: EnvironmentEntry, account: string): Promise<boolean> {
    return this.#turns.take(space, async () => {
      const known = this.#of(space);
      const mine = kind === "variable" ? known.variables : known.secrets;
      if (!mine.has(name)) return false;
      const at = this.#ports.clock.wall();
      const change = { kind, space, name, account, at };
      this.#took(known, { ...change, action: "unset", id: await this.#ports.rows.unset(change) });
      mine.delete(name);
      this.#ports.onChange(space);
      return true;
    });
  }

  /** An order to a node with what the Space's owner gave it. */
  equip(message: ToAgent): ToAgent {
    if (message.type !== "start-replica" && message.type !== "build") return message;
    const known = this.#known.get(message.spec.space);
    if (known === undefined) return message;
    const variables = Object.fromEntries([...known.variables.values()].map(({ name, value }) => [name, value]));
    const secrets = Object.fromEntries([...known.secrets.values()].map((row) => [row.name, this.#valueOf(row)]));
    if (message.type === "build") return { ...message, spec: { ...message.spec, variables, secrets } };
    const env = { ...variables, ...message.spec.env };
    return { ...message, spec: { ...message.spec, env, secrets, ...(known.last ? { says: saysOf(known) } : {}) } };
  }

  /** Another description is no reason to start anything again. */
  #took(known: Known, change: NumberedChange): void {
    if (change.action !== "described") known.last = change;
  }

  #tooMuch(known: Known, name: string, value: string): string | undefined {
    const rows = [...known.variables.values(), ...known.secrets.values()].filter((row) => row.name !== name);
    if (rows.length >= countMax) return `A Space may have ${countMax} variables and secrets.`;
    const bytes = rows.reduce((sum, row) => sum + sizeOf(row.name) + sizeOf(this.#valueOf(row)), 0);
    if (bytes + sizeOf(name) + sizeOf(value) <= allMaxBytes) return undefined;
    return `All variables and secrets of a Space may have ${allMaxBytes >> 10} KiB; without this one they have ${bytes} bytes.`;
  }

  #valueOf(row: VariableRow | SecretRow): string {
    return "value" in row ? row.value : this.#ports.box.open(row, placeOf(row));
  }

  #of(space: string): Known {
    const known = this.#known.get(space) ?? {
      variables: new Map(),
      secrets: new Map(),
      last: undefined,
    };
    this.#known.set(space, known);
    return known;
  }
}

/** What a secret's seal is bound to: moved to another Space or name it does not open. */
function placeOf({ space, name }: { readonly space: string; readonly name: string }): string {
  return `${space} ${name}`;
}

function taken(name: string, kind: EnvironmentChange["kind"]): Refused {
  return {
    ok: false,
    code: "control/conflict",
    says: `${name} is a ${kind} of this Space already; unset that one first.`,
  };
}

function aboutOf({ description, updatedAt }: Pick<VariableRow, "description" | "updatedAt">): {
  description?: string;
  updatedAt: string;
} {
  return { ...(description === null ? {} : { description }), updatedAt: iso(updatedAt) };
}

function viewsOf<Row, View>(
  rows: ReadonlyMap<string, Row> | undefined,
  view: (row: Row) => View,
): Record<string, View> {
  const sorted = [...(rows ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(sorted.map(([name, row]) => [name, view(row)]));
}

/** The first line of a replica's log. */
function saysOf({ variables, secrets, last }: Known): string {
  const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;
  const changed = last === undefined ? "" : `; last changed: ${changeSays(last)} at ${iso(last.at)}`;
  return `starts with ${count(variables.size, "variable")} and ${count(secrets.size, "secret")} of its owner's${changed}`;
}

/** What was changed, and by whom. */
export function changeSays({ kind, name, action, account }: EnvironmentChange): string {
  return `${kind} ${name} was ${action} by ${account}`;
}
