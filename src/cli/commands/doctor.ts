/** `waybill doctor`: this machine and its data folder, or what keeps a Space from running. */
import type { Command } from "commander";
import type { Row } from "../../doctor/checks.ts";
import { parsePort } from "../arguments.ts";
import { contextOf } from "../context.ts";
import type { Context, GlobalOptions } from "../context.ts";
import { exit } from "../exit.ts";
import { networked, networkOf } from "../network-options.ts";
import type { Runner } from "../program.ts";
import { readSignIn } from "../sign-in-file.ts";
import type { CliWorld, DoctorOptions, NetworkOptions } from "../world.ts";

interface Options extends GlobalOptions, NetworkOptions {
  readonly data?: string;
  readonly port?: number;
  readonly sandbox?: string;
  readonly journal?: string;
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
    .action(
      run(async (world, command) => {
        const context = contextOf(world, command);
        const [space] = command.args;
        const { drawRows } = await import("../draw/doctor.ts");
        const rows =
          space === undefined
            ? await world.doctor(await wanted(context, world, command.optsWithGlobals<Options>()))
            : await (await import("./doctor-space.ts")).examineSpace(context, space);
        const count = (level: Row["level"]): number => rows.filter((row) => row.level === level).length;
        const answer: Doctored = {
          ...{ version: world.version, at: new Date(world.clock.wall()).toISOString(), space: space ?? null },
          ...{ rows, failed: count("fail"), warned: count("warn") },
        };
        context.answer(answer, drawRows(context.paper, rows));
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
