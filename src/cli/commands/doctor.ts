/** `waybill doctor`: this machine and its data folder, or what keeps a Space from running. */
import { resolve } from "node:path";
import type { Command } from "commander";
import type { Row } from "../../doctor/checks.ts";
import { parsePort } from "../arguments.ts";
import { contextOf } from "../context.ts";
import type { Context, GlobalOptions } from "../context.ts";
import { exit } from "../exit.ts";
import { networked, networkOf } from "../network-options.ts";
import type { Runner } from "../program.ts";
import { readSignIn } from "../sign-in-file.ts";
import type { Bundled, CliWorld, DoctorOptions, NetworkOptions } from "../world.ts";

interface Options extends GlobalOptions, NetworkOptions {
  readonly data?: string;
  readonly port?: number;
  readonly sandbox?: string;
  readonly journal?: string;
  readonly bundle?: string;
}

/** The one document of `--json`. */
export interface Doctored {
  readonly version: string;
  /** RFC 3339. */
  readonly at: string;
  readonly space: string | null;
  readonly rows: readonly Row[];
  readonly failed: number;
  readonly warned: number;
  /** The archive that was made; absent where none was asked for. */
  readonly bundle?: Bundled;
}

export function declare(program: Command, run: Runner): void {
  networked(program.command("doctor"))
    .argument("[space]", "OWNER/NAME, or a folder with a README.md: what keeps it from running")
    .description(
      "look at this machine and its data folder, with the settings that `waybill up` would have: docs/doctor.md",
    )
    .option("--data <dir>", "data folder")
    .option("--port <number>", "port of console and apps", parsePort)
    .option("--sandbox <driver>", "as `waybill up` is given it")
    .option("--journal <url>", "postgres://USER@HOST/DATABASE, as the server is given it")
    .option(
      "--bundle <file.tar.gz>",
      "write what was found, with the last failures and logs and without secrets, for whoever helps",
    )
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [space] = command.args;
        const { drawRows } = await import("../draw/doctor.ts");
        const options = command.optsWithGlobals<Options>();
        const looked =
          space === undefined || options.bundle !== undefined ? await wanted(context, world, options) : undefined;
        const machine = looked && (await world.doctor(looked));
        const ofSpace =
          space === undefined ? [] : await (await import("./doctor-space.ts")).examineSpace(context, space);
        const rows = space === undefined ? (machine ?? []) : ofSpace;
        const bundle =
          looked === undefined || options.bundle === undefined
            ? undefined
            : await world.doctorBundle({
                ...{ options: looked, rows: [...(machine ?? []), ...ofSpace], file: resolve(options.bundle) },
                signInToken: (await readSignIn(world.signInFile))?.token ?? null,
              });
        const count = (level: Row["level"]): number => rows.filter((row) => row.level === level).length;
        const answer: Doctored = {
          ...{ version: world.version, at: new Date(world.clock.wall()).toISOString(), space: space ?? null },
          ...{ rows, failed: count("fail"), warned: count("warn"), ...(bundle && { bundle }) },
        };
        context.answer(answer, drawRows(context.paper, rows));
        if (bundle !== undefined)
          context.note(
            `${bundle.file}: ${bundle.files.length} files, ${bundle.bytes} B; secrets were left out, and read it before you give it away\n`,
          );
        return answer.failed === 0 ? exit.done : exit.failed;
      }),
    );
}

async function wanted(context: Context, world: CliWorld, options: Options): Promise<DoctorOptions> {
  const { data, port, sandbox, journal, url } = options;
  const isNamed =
    url !== undefined || Boolean(world.env["WAYBILL_URL"]) || (await readSignIn(world.signInFile)) !== undefined;
  const server = isNamed ? await context.where() : null;
  return { data, port, network: networkOf(options), sandbox, journal, server };
}
