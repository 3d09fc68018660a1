/** The lines of a deployment as it goes: one an event, each said once. */
import type { LogLine } from "../../contract/agent.ts";
import type { BuildView, SpaceView } from "../../contract/api.ts";
import type { DeployEvent } from "../../client/deploy.ts";
import { stepGlyphs } from "../words.ts";
import type { Paper } from "./paper.ts";
import { lengthOf, sizeOf, tone } from "./paper.ts";

/** Turns events into lines; keeps what was said, so that a view that repeats says nothing. */
export class DeployLines {
  readonly #paper: Paper;
  readonly #url: string;
  readonly #said = new Set<string>();

  constructor(paper: Paper, url: string) {
    this.#paper = paper;
    this.#url = url;
  }

  /** Empty where the event brings nothing that was not said. */
  of(event: DeployEvent): string {
    if (event.type === "folder")
      return this.#once(`sending ${event.files} ${event.files === 1 ? "file" : "files"}, ${sizeOf(event.bytes)}\n`);
    if (event.type === "commit") {
      return event.build === null
        ? this.#once(`commit ${event.commit.slice(0, 12)}: ${event.noBuild?.says ?? "it started no build"}\n`)
        : this.#once(`${event.build}  commit ${event.commit.slice(0, 12)}   ${this.#url}/w/${event.build}\n`);
    }
    if (event.type === "build") return this.#build(event.build);
    if (event.type === "line") return this.#line(event.line);
    return this.#space(event.space);
  }

  /** The end of the app's own log. */
  ofApp(log: readonly LogLine[]): string {
    return log.map((line) => this.#line(line)).join("");
  }

  #line({ source, text }: LogLine): string {
    return text
      .split("\n")
      .map((part) => `     ${tone(this.#paper, "muted", `${source} |`)} ${part}\n`)
      .join("");
  }

  #build(build: BuildView): string {
    const queue =
      build.stage === "queued"
        ? this.#once(step("started", "queue", build.says))
        : this.#once(step("done", "queue", "", build.queuedMs));
    const steps = build.steps.map(({ name, state, tookMs }) =>
      this.#once(step(state, name, "", state === "started" ? undefined : tookMs)),
    );
    return [queue, ...steps].join("");
  }

  #space(space: SpaceView): string {
    return space.state === "running"
      ? ""
      : this.#once(
          step(
            space.state === "failing" || space.state === "crash-looping" ? "failed" : "started",
            "start",
            space.says,
          ),
        );
  }

  #once(text: string): string {
    if (this.#said.has(text)) return "";
    this.#said.add(text);
    return text;
  }
}

function step(state: "started" | "done" | "failed", name: string, says: string, tookMs?: number): string {
  const took = tookMs === undefined ? "" : lengthOf(tookMs);
  return `  ${stepGlyphs[state]}  ${name.padEnd(10)} ${took.padStart(8)}  ${says}`.trimEnd() + "\n";
}
