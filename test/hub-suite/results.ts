/** What pytest's report in JUnit's form says of each test. Pure. */

export interface Result {
  /** `file.Class::test`, without its parameters. */
  readonly test: string;
  readonly outcome: "passed" | "failed" | "skipped";
  /** Of one that failed, its error's first line; of one that was skipped, why. */
  readonly says: string;
}

export function resultsIn(report: string): readonly Result[] {
  return [...report.matchAll(/<testcase ([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)].map(([, head = "", body = ""]) => {
    const [file, name] = [attribute(head, "classname"), attribute(head, "name")];
    const found = /<(failure|error|skipped) ([^>]*)/.exec(body);
    const outcome = found === null ? "passed" : found[1] === "skipped" ? "skipped" : "failed";
    const says = attribute(found?.[2] ?? "", "message").split("\n", 1)[0] ?? "";
    return { test: `${file.replace(/^tests\./, "")}::${name.replace(/\[.*/, "")}`, outcome, says };
  });
}

function attribute(head: string, name: string): string {
  const text = new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(head)?.[1] ?? "";
  return text.replace(/&(#10|lt|gt|quot|amp);/g, (_, word: string) => entities[word] ?? "");
}

const entities: Readonly<Record<string, string>> = { "#10": "\n", lt: "<", gt: ">", quot: '"', amp: "&" };
