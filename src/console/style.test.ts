import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

const root = join(import.meta.dirname, "..", "..");
/** Style sheets, and the pages of the edge and of the server that have theirs in them. */
const sheets = [
  ...globSync("src/console/**/*.css", { cwd: root }),
  ...["tools/docs.css", "src/http/page.ts", "src/control/pages.ts"],
];
const styleOf = (file: string): string => readFileSync(join(root, file), "utf8").replaceAll(/\/\*[^]*?\*\//g, "");

describe("the style sheets", () => {
  test("name no left and no right, so that a page may be read from either side", () => {
    const found = sheets.flatMap((file) => physicalIn(styleOf(file)).map((one) => `${file}: ${one}`));
    assert.ok(sheets.length > 8);
    assert.deepEqual(found, []);
  });

  test("have a way to tell: what names a side is found, in each form that CSS has", () => {
    for (const one of ["margin-left: 1px", "text-align: right", "left: 0", "padding: 1px 2px 1px 0", "float: left"])
      assert.equal(physicalIn(`.a { ${one}; }`).length, 1, one);
    for (const one of ["padding: 1px 2px 3px", "margin: 0 auto 1px auto", "border: 1px solid red", "text-align: start"])
      assert.deepEqual(physicalIn(`.a { ${one}; }`), [], one);
  });

  for (const theme of ["light", "dark"] as const)
    test(`have texts of at least 5.5 and lines of at least 3.1 to the ground and the panels, in ${theme}`, () => {
      const colours = coloursOf(styleOf("src/console/base.css"), theme);
      const of = (name: string): string => colours.get(name) ?? assert.fail(`no --${name}`);
      const texts = ["text", "muted", "failed", "link", "platform", "app", "visitor", "outside"];
      const weak = ["ground", "panel"].flatMap((under) => [
        ...texts.filter((name) => contrast(of(name), of(under)) < 5.5).map((name) => `${name} on ${under}`),
        ...(contrast(of("line"), of(under)) < 3.1 ? [`line on ${under}`] : []),
      ]);
      assert.deepEqual(weak, []);
    });
});

/** Declarations that mean a side of the screen where they should mean the beginning or the end of a line. */
function physicalIn(style: string): readonly string[] {
  const named = style.match(/(?:[-\w]+-)?(?:left|right)\s*:[^;}]*|(?:text-align|float|clear)\s*:\s*(?:left|right)/g);
  const sided = [...style.matchAll(/(?:padding|margin|inset|border-(?:width|style|color)):\s*([^;}]+)/g)].filter(
    ([, values = ""]) => {
      const [, right, , left] = values.trim().split(/\s+(?![^(]*\))/);
      return left !== undefined && left !== right;
    },
  );
  return [...(named ?? []), ...sided.map(([declaration]) => declaration)];
}

function coloursOf(style: string, theme: "light" | "dark"): ReadonlyMap<string, string> {
  const found = style.matchAll(/--(\w+): light-dark\((#\w+), (#\w+)\)/g);
  return new Map([...found].map(([, name = "", light = "", dark = ""]) => [name, theme === "light" ? light : dark]));
}

/** WCAG 2.2, "contrast ratio" and "relative luminance". */
function contrast(one: string, other: string): number {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].toSorted((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

function luminance(colour: string): number {
  const digits = colour.length === 4 ? colour.replaceAll(/[^#]/g, "$&$&") : colour;
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(digits.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
