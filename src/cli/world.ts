/** What the command line is given: streams, environment, clock, and the platform itself for `up`. */
import type { Totals } from "../core/totals.ts";
import type { Row } from "../doctor/checks.ts";
import type { Clock } from "../stdx/time.ts";

export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

export interface Input {
  readonly isTTY?: boolean | undefined;
  /** All of it, to its end; rejects where that is more than a value may be. */
  text(): Promise<string>;
  /** One line that is typed at a terminal and not shown there; absent where it is none. */
  readonly hidden?: ((prompt: string) => Promise<string>) | undefined;
}

export interface Restored {
  readonly folder: string;
  readonly backup: string;
  /** RFC 3339. */
  readonly madeAt: string;
  /** The last record of the backup; those of the restore itself follow it. */
  readonly journal: { readonly index: number; readonly hash: string };
  /** Each fence that is given from here on is higher (L18). */
  readonly fencesAbove: number;
  /** The records after which its snapshots of the ledger could not be used: the records were read again. */
  readonly passedOver: readonly number[];
}

export interface CompactOptions {
  /** The data folder. */
  readonly data: string;
  /** `postgres://…`; null: WAYBILL_JOURNAL, else the data folder. */
  readonly journal: string | null;
  /** Records of so long ago stay. */
  readonly keepMs: number;
}

export interface Compacted {
  readonly folder: string;
  /** RFC 3339; what was recorded before it went. */
  readonly before: string;
  /** The same before and after. */
  readonly totals: Totals;
  /** Records that went this time. */
  readonly removed: number;
  /** The last record that is gone; null where all are there. */
  readonly rolledUp: { readonly index: number; readonly at: string; readonly hash: string } | null;
  /** Why the disk's space was not given back; null where it was. */
  readonly notFreed: string | null;
  /** The records after which kept snapshots of the ledger were found to be changed; the records themselves are whole. */
  readonly passedOver: readonly number[];
}

export interface MoveOptions {
  /** The data folder. */
  readonly data: string;
  /** `postgres://…`, of an empty database. */
  readonly journal: string;
}

export interface Moved {
  readonly folder: string;
  /** The last record. */
  readonly head: { readonly index: number; readonly hash: string };
  /** As the database's records sum up, which is as the folder's did. */
  readonly totals: Totals;
  /** The folder's own file, which no start reads any more. */
  readonly kept: string;
  /** False where an earlier command had copied already. */
  readonly copied: boolean;
}

/** How the platform is reached, as it was written; undefined: by its variable, else the default. */
export interface NetworkOptions {
  readonly host?: string;
  readonly appsDomain?: string;
  readonly consoleHost?: string;
  readonly publicUrl?: string;
  readonly addresses?: string;
  /** `ca`, `acme`, or `CERTIFICATE,KEY`. */
  readonly tls?: readonly string[];
  /** A second port, without TLS. */
  readonly httpPort?: number;
}

/** The root of a private authority. */
export interface RootView {
  readonly file: string;
  readonly pem: string;
  readonly subject: string;
  readonly sha256: string;
  /** RFC 3339. */
  readonly notAfter: string;
}

/** What `up` and `server` have in common. */
export interface UpOptions {
  /** `server`: without an agent of its own. */
  readonly role: "all" | "server";
  /** Data folder; undefined for the default. */
  readonly data: string | undefined;
  /** 0 takes a free one; undefined takes the default or the next free one. */
  readonly port: number | undefined;
  readonly network: NetworkOptions;
  /** `2x2`: devices and slots each, labelled simulated; undefined uses what the machine has. */
  readonly simulateGpus: { readonly devices: number; readonly slots: number } | undefined;
  /** Name of the sandbox driver, `bubblewrap`, `crun` or `none`; undefined: the best of the machine. */
  readonly sandbox: string | undefined;
  /** `postgres://…`; undefined: WAYBILL_JOURNAL, else the data folder. */
  readonly journal: string | undefined;
  /** Waits while another server writes that journal, then takes over. */
  readonly standBy: boolean;
  /** Told to stop, it leaves the apps running for the next start. */
  readonly service: boolean;
  /** `waybill edge` carries the requests, and this process none. */
  readonly edgeApart?: boolean;
  /** A collector of traces; undefined: WAYBILL_OTLP, else none. */
  readonly otlp?: string | undefined;
  /** One JSON line when ready, then log lines as JSON on stderr. */
  readonly json: boolean;
}

export interface EdgeRoleOptions {
  /** The server's data folder; undefined for the default. */
  readonly data: string | undefined;
  readonly workers: number;
  /** How long a worker that is being left may take to finish what is under way. */
  readonly drainMs: number;
  readonly json: boolean;
}

export interface AgentOptions extends Pick<UpOptions, "data" | "simulateGpus" | "sandbox" | "json"> {
  /** Addresses of servers, tried in turn. */
  readonly join: readonly string[];
}

export interface UninstallOptions {
  /** The data folder; undefined for the default. */
  readonly data: string | undefined;
  readonly keepData: boolean;
  /** False: it is only told what would go. */
  readonly apply: boolean;
}

export interface Uninstalled {
  /** Replicas that still ran, and were ended. */
  readonly stopped: readonly string[];
  /** What is gone, or would go. */
  readonly removed: readonly string[];
  /** What stays, and why. */
  readonly left: readonly { readonly path: string; readonly why: string }[];
}

export interface DoctorOptions extends Pick<UpOptions, "data" | "port" | "network" | "sandbox" | "journal"> {
  /** That is asked; null: none is named, and none was signed in to. */
  readonly server: { readonly url: string; readonly token: string | null } | null;
}

/** An archive for whoever helps. */
export interface Bundled {
  readonly file: string;
  readonly bytes: number;
  /** What is in it, by name. */
  readonly files: readonly string[];
}

export interface Bundle {
  readonly options: DoctorOptions;
  readonly rows: readonly Row[];
  /** It is made, and may not be there. */
  readonly file: string;
  /** That is saved here: it may stand nowhere in it. */
  readonly signInToken: string | null;
}

export interface CliWorld {
  readonly version: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly stdin: Input;
  readonly clock: Clock;
  /** Aborted by Ctrl-C or SIGTERM, with the signal's name as its reason. */
  readonly signal: AbortSignal;
  /** Where `waybill login` saves address and token: JSON `{ url, token }`. */
  readonly signInFile: string;
  /** IANA name of the zone in which times are shown; undefined is the machine's. */
  readonly zone?: string | undefined;
  /** Shows an address in a browser; false where none is here. Absent where nobody looks. */
  readonly browse?: (url: string) => Promise<boolean>;
  /** Runs the platform until it is told to stop; resolves to the exit code. */
  up(options: UpOptions): Promise<number>;
  /** Runs a node's agent until it is told to stop; resolves to the exit code. */
  agent(options: AgentOptions): Promise<number>;
  /** Runs an edge until it is told to stop; resolves to the exit code. */
  edge(options: EdgeRoleOptions): Promise<number>;
  /** The data folder that a command names, or the default. */
  dataFolder(named: string | undefined): string;
  /** The private authority of a data folder; undefined where there is none. `create`: then one is made. */
  authority(data: string | undefined, how: { readonly create: boolean }): Promise<RootView | undefined>;
  /** Makes a data folder of a backup. */
  restore(backup: string, folder: string): Promise<Restored>;
  /** Removes a stopped platform's oldest records, and keeps what they came to. */
  compact(options: CompactOptions): Promise<Compacted>;
  /** Moves a stopped platform's journal and catalog into PostgreSQL. */
  move(options: MoveOptions): Promise<Moved>;
  /** Ends the replicas that a stopped platform left on this data folder; undefined for the default. */
  stopAll(
    data: string | undefined,
  ): Promise<{ readonly stopped: readonly string[]; readonly running: readonly string[] }>;
  /** Looks at this machine and at what a data folder has. */
  doctor(options: DoctorOptions): Promise<readonly Row[]>;
  /** Writes what was found, with the last failures and logs, and without secrets. */
  doctorBundle(bundle: Bundle): Promise<Bundled>;
  /** Takes away what this machine has of a stopped platform: its apps, its data folder, and this user's own files. */
  uninstall(options: UninstallOptions): Promise<Uninstalled>;
}
