/** `npm run bench -- NAME [PART…] [--full | --quick] [--json]`: runs one benchmark, or some parts of it; progress on standard error, its document on standard output. */
import { parseArgs } from "node:util";
import type { Bench, BenchDocument } from "./document.ts";
import { hubParts } from "./hub-parts.ts";

/** Every benchmark, by name; loaded only when it is asked for. */
const benches: Readonly<
  Record<
    string,
    {
      readonly says: string;
      /** That may be run without the others. */
      readonly parts?: readonly string[];
      readonly load: () => Promise<{ readonly run: Bench }>;
    }
  >
> = {
  engine: {
    says: "the ledger: call cycles, durable, beside the raw journal and a bare server",
    load: () => import("./engine.ts"),
  },
  start: {
    says: "the ledger's start on a long record: a million records, with --full ten",
    load: () => import("./start.ts"),
  },
  zerogpu: {
    says: "a Gradio app's GPU calls, beside the same app run by hand",
    load: () => import("./zerogpu.ts"),
  },
  logs: { says: "an app that floods its log, beside a pipe", load: () => import("./logs.ts") },
  runtime: {
    says: "the platform's start and size, and what it adds to an app's memory, start and wake",
    load: () => import("./runtime.ts"),
  },
  identity: {
    says: "who asks: what it costs the edge beyond an HMAC, and how soon a revoked token is refused by all workers",
    load: () => import("./identity.ts"),
  },
  hub: {
    says: "repositories: large files and many by the Hub's own client, beside nginx and plain git; --quick: smaller ones",
    parts: hubParts,
    load: () => import("./hub.ts"),
  },
  explain: {
    says: "evidence: taken in beside what an edge makes, explain on a full store, a flood; --full: ten million records",
    load: () => import("./explain.ts"),
  },
  edge: { says: "the edge beside the proxies that are installed", load: () => import("./edge.ts") },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "boolean", default: false },
    full: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
  },
});
const [name = "", ...parts] = positionals;
const bench = Object.hasOwn(benches, name) ? benches[name] : undefined;
const unknown = parts.find((part) => bench?.parts?.includes(part) !== true);
if (bench === undefined || unknown !== undefined) {
  console.error("usage: npm run bench -- NAME [PART…] [--full | --quick] [--json], where NAME is one of");
  for (const [each, { says, parts: named = [] }] of Object.entries(benches))
    console.error(`  ${each.padEnd(10)} ${says}${named.length > 0 ? `; its parts: ${named.join(", ")}` : ""}`);
  process.exitCode = 2;
} else {
  const { run } = await bench.load();
  const document = await run((line) => console.error(line), { full: values.full, quick: values.quick, parts });
  console.log(values.json ? JSON.stringify(document) : table(document));
}

function table({ figures, skipped, conditions = {} }: BenchDocument): string {
  const lines: string[] = [];
  for (const { name, ours, unit, peers } of figures) {
    lines.push(`${name.padEnd(30)} ${String(ours).padStart(10)} ${unit}`);
    for (const peer of peers)
      lines.push(`  ${peer.name.padEnd(28)} ${String(peer.value).padStart(10)} ${unit}  ratio ${peer.ratio}`);
  }
  for (const [what, value] of Object.entries(conditions)) lines.push(`${what}: ${value}`);
  for (const { what, why } of skipped) lines.push(`skipped ${what}: ${why}`);
  return lines.join("\n");
}
