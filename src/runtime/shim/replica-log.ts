/** The log of one replica as its shim writes it: the platform's own lines as they are, the app's by its intake. */
import { Intake, runLimits } from "../../log/intake.ts";
import type { Mask } from "../../log/mask.ts";
import { LogWriter } from "../../log/segments.ts";
import type { LogLine } from "../../contract/agent.ts";
import type { Clock } from "../../stdx/time.ts";

export class ReplicaLog {
  /** Takes what the app prints. */
  readonly intake: Intake;
  readonly #writer: LogWriter;
  readonly #mask: Mask;

  constructor(folder: string, clock: Clock, mask: Mask) {
    const writer = new LogWriter(folder, clock);
    this.#writer = writer;
    this.#mask = mask;
    this.intake = new Intake({
      clock,
      limits: runLimits,
      mask,
      lines: (stream, texts) => writer.write("app", stream, texts),
      note: (text) => this.note(text),
    });
  }

  /** A line from the platform to the app's owner. */
  note(text: string, source: LogLine["source"] = "runtime"): void {
    this.#writer.write(source, "note", [this.#mask.hide(text)]);
  }

  close(): void {
    this.#writer.close();
  }
}
