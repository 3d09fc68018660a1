/**
 * Our own rules, as a check: what no linter knows. Each finding names the file, the line and the rule.
 *
 * - `core`, `evidence`, `receipts`, `contract`, `stdx` import no Node module and nothing async happens in `core` and `evidence`;
 * - only `main` reads the environment;
 * - no file is longer than 700 lines, none lives in a folder without a subject (`utils`, `common`, `helpers`, `shared`);
 * - tests are not skipped by hand.
 */
import { globSync, readFileSync } from "node:fs";

interface Rule {
  readonly name: string;
  readonly files: RegExp;
  readonly except?: RegExp;
  readonly forbidden: RegExp;
}

const rules: readonly Rule[] = [
  {
    name: "pure parts import no Node module",
    files: /^src\/(core|evidence|receipts|contract|stdx)\//,
    except: /\.(test|suite)\.ts$/,
    forbidden: /from "node:/,
  },
  {
    name: "core and evidence await nothing",
    files: /^src\/(core|evidence)\//,
    except: /\.(test|suite)\.ts$/,
    forbidden: /\bawait\b|\basync\b/,
  },
  {
    name: "core and evidence read no clock and draw no chance",
    files: /^src\/(core|evidence|receipts|contract|stdx)\//,
    except: /\.(test|suite)\.ts$/,
    forbidden: /Date\.now|new Date\(\)|Math\.random|performance\.now|setTimeout|setInterval/,
  },
  {
    name: "only main reads the environment",
    files: /^src\/(?!main\/|client\/sdk\/)/,
    except: /\.(test|suite)\.ts$/,
    forbidden: /process\.env\b/,
  },
  {
    name: "a test is not skipped by hand",
    files: /\.test\.ts$/,
    forbidden: /\b(test|it|describe)\.(skip|todo|only)\(/,
  },
  { name: "no folder without a subject", files: /\/(utils?|common|helpers?|shared)\//, forbidden: /^/ },
];
const maxLines = 700;

const findings: string[] = [];
for (const file of globSync("{src,test,tools,bench,sim}/**/*.{ts,tsx}")) {
  const lines = readFileSync(file, "utf8").split("\n");
  if (lines.length > maxLines) findings.push(`${file}: ${lines.length} lines, at most ${maxLines}`);
  for (const rule of rules) {
    if (!rule.files.test(file) || rule.except?.test(file)) continue;
    lines.forEach((line, index) => {
      const code = line.replace(/\/\/.*$|^\s*\*.*$|^\s*\/\*.*$/, "");
      if (rule.forbidden.test(code) && (code.trim() !== "" || rule.forbidden.source === "^")) {
        findings.push(`${file}:${index + 1}: ${rule.name}`);
      }
    });
  }
}
for (const finding of findings) console.error(finding);
process.exitCode = findings.length === 0 ? 0 : 1;
