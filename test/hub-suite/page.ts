/** The compatibility page: the share of the client's own tests that passes, and why each other fails. Pure. */
import { reasonOf, reasons } from "./reasons.ts";
import type { Result } from "./results.ts";

export function pageOf(results: readonly Result[], version: string): string {
  const passed = results.filter(({ outcome }) => outcome === "passed").length;
  const failed = results.filter(({ outcome }) => outcome === "failed");
  const outside = failed.filter(({ test }) => reasonOf(test)?.isOutside === true).length;
  const ours = failed.length - outside;
  const share = ((100 * passed) / (passed + ours)).toFixed(1);
  const rows = reasons.flatMap((reason) => {
    const own = failed.filter(({ test }) => reasonOf(test) === reason);
    const names = [...new Set(own.map(({ test }) => `\`${test.replace(/^test_/, "").replace(/::test_/, "::")}\``))];
    return own.length === 0 ? [] : [`| ${reason.says} | ${own.length} | ${names.join(" ")} |`];
  });
  return `# Compatibility with the Hub's client

\`huggingface_hub\` ${version} has tests of its own. Those of its files that ask a Hub run against a platform by \`npm run hub-suite -- --source FOLDER\`, FOLDER being a copy of its repository; this page is written by it (\`--write\`). A test that fails without a reason in this table fails that run.

**${passed} of ${passed + ours} pass, ${share} %.** ${outside} more cannot be asked of a platform, and what the suite marks as being for the public Hub is not run. ${results.filter(({ outcome }) => outcome === "skipped").length} skip themselves.

| Why it fails | Tests | Which |
|---|---|---|
${rows.join("\n")}
`;
}
