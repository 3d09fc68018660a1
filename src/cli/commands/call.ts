/** `waybill call OWNER/NAME /fn [name=value…]`: one function of a Gradio app, with its price before, its place while it waits, and its receipt after. */
import type { Command } from "commander";
import { parseLength, parseSpace } from "../arguments.ts";
import type { Runner } from "../program.ts";

export interface CallOptions {
  readonly max?: number;
  readonly save?: string;
}

export function declare(program: Command, run: Runner): void {
  program
    .command("call")
    .description("call one function of a Gradio app: price, place and receipt on stderr, the answer on stdout")
    .argument("<owner/name>", "the Space", parseSpace)
    .argument("<function>", "as the app names it, such as /render")
    .argument("[name=value...]", "its parameters; name=@FILE sends a file")
    .option("--max <length>", "no call that holds more GPU time than this, such as 20s", parseLength)
    .option("--save <dir>", "where files of the answer are written; here where it is not said")
    .action(
      run(async (world, command) => {
        const { callFunction } = await import("../calling.ts");
        return callFunction(world, command);
      }),
    );
}
