/** A PostgreSQL server of a test's own, in a folder of its own, reached by a socket in it: the machine's programs, no fixed port. */
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";

/** Where Debian has its versions side by side. */
const versions = "/usr/lib/postgresql";

/** Any user but root will do; `nobody`'s on Debian. */
const plainUser = 65_534;

/** The folder with `initdb` and `pg_ctl` of the newest version from 14 on, or null. */
export function postgresqlPrograms(): string | null {
  if (!existsSync(versions)) return null;
  const fit = readdirSync(versions)
    .map(Number)
    .filter((version) => version >= 14);
  const programs = join(versions, String(Math.max(...fit)), "bin");
  return existsSync(join(programs, "initdb")) ? programs : null;
}

export class PostgresServer implements Disposable {
  readonly #folder: string;
  readonly #data: string;
  #databases = 0;

  /** `parent`: on the disk that it is to use; its own user must get there. */
  constructor(parent = tmpdir()) {
    this.#folder = mkdtempSync(join(parent, "wb-pg-"));
    this.#data = join(this.#folder, "data");
    mkdirSync(this.#data, { mode: 0o700 });
    chmodSync(this.#folder, 0o755);
    if (process.getuid?.() === 0) for (const path of [this.#folder, this.#data]) chownSync(path, plainUser, plainUser);
    this.#run("initdb", ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale", "--no-sync"]);
    this.start();
  }

  start(): void {
    const settings = `-c listen_addresses= -c unix_socket_directories=${this.#folder} -c shared_buffers=32MB`;
    this.#run("pg_ctl", ["--wait", "--silent", `--log=${join(this.#folder, "log")}`, `--options=${settings}`, "start"]);
  }

  /** `immediate` is what a crash of the machine leaves: nothing is written, and the next start recovers. */
  stop(mode: "immediate" | "fast"): void {
    this.#run("pg_ctl", ["--wait", "--silent", `--mode=${mode}`, "stop"]);
  }

  /** The address of a new, empty database. */
  async database(): Promise<string> {
    const name = `d${++this.#databases}`;
    await this.sql(this.#url("postgres"), `CREATE DATABASE ${name}`);
    return this.#url(name);
  }

  /** Runs SQL as an operator would, and gives its rows. */
  async sql(url: string, text: string): Promise<readonly Record<string, unknown>[]> {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(text)).rows;
    } finally {
      await client.end();
    }
  }

  [Symbol.dispose](): void {
    if (existsSync(join(this.#data, "postmaster.pid"))) this.stop("immediate");
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #url(database: string): string {
    return `postgres://postgres@/${database}?host=${encodeURIComponent(this.#folder)}`;
  }

  #run(program: string, args: readonly string[]): void {
    const path = join(postgresqlPrograms() ?? "", program);
    const user = [`--reuid=${plainUser}`, `--regid=${plainUser}`, "--clear-groups", "--", path];
    const [file, before] = process.getuid?.() === 0 ? ["setpriv", user] : [path, []];
    // The server that pg_ctl starts keeps what it inherits open: a pipe would never end.
    execFileSync(file, [...before, ...args, `--pgdata=${this.#data}`], { cwd: this.#folder, stdio: "ignore" });
  }
}
