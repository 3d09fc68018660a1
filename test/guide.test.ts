// The guide's pages as they stand: what they name is there, and every command is one that a test runs or says what it needs.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, test } from "node:test";
import { docsPages, docsPictures, headingId } from "../tools/docs-pages.ts";
import { pictures } from "../tools/screenshots/pictures.ts";
import { blocksOf, docs, guide, guidePages, missingOf } from "./support/guide.ts";

/** They are fetched with every clone. */
const picturesMaxBytes = 1_500_000;

describe("the guide", () => {
  test("says of every command that it is run, or what it needs that a test does not have", () => {
    const unsaid = guidePages()
      .flatMap(blocksOf)
      .filter(({ language, does }) => language === "sh" && !/^(run|start|needs \S.*)$/.test(does));
    assert.deepEqual(unsaid, []);
  });

  test("shows what is printed only after what prints it", () => {
    for (const page of guidePages()) {
      const blocks = blocksOf(page);
      for (const [at, { language, does, at: place }] of blocks.entries())
        if (`${language} ${does}` === "text prints") assert.match(blocks[at - 1]?.does ?? "", /^(run|start)$/, place);
    }
  });

  test("leads to pages and headings that are there, from the index too", () => {
    const pages = [join(docs, "README.md"), ...guidePages().map((page) => join(guide, page))];
    const missing = pages.flatMap((page) =>
      linksOf(page)
        .filter((link) => !leadsSomewhere(page, link))
        .map((link) => `${relative(docs, page)}: ${link}`),
    );
    assert.deepEqual(missing, []);
  });

  test("has each of its pages in the index", () => {
    const index = linksOf(join(docs, "README.md"));
    assert.deepEqual(
      guidePages().filter((page) => !index.includes(`guide/${page}`)),
      [],
    );
  });

  test("has the pictures that are made, each on a page, in little room", () => {
    const shown = guidePages().flatMap((page) =>
      linksOf(join(guide, page)).filter((link) => link.startsWith("pictures/")),
    );
    const made = pictures.map((name) => `pictures/${name}.png`).toSorted();
    assert.deepEqual([...new Set(shown)].toSorted(), made);
    const files = readdirSync(join(guide, "pictures"));
    assert.deepEqual(files.map((name) => `pictures/${name}`).toSorted(), made);
    const bytes = files.reduce((sum, name) => sum + statSync(join(guide, "pictures", name)).size, 0);
    assert.ok(bytes <= picturesMaxBytes, `${bytes} bytes`);
  });

  test("has pages for browsers without a script, a style or a frame of their own, whose links lead to pages that are served", () => {
    const pages = docsPages("/docs/docs.css");
    const served = new Map(pages.map(({ address, html }) => [address, html]));
    const pictures = docsPictures().map(([, address]) => address);
    const wrong: string[] = [];
    for (const { address, html } of pages) {
      for (const [found] of html.matchAll(/<(?:script|style|iframe|form)\b|\s(?:style|on\w+)=/g))
        wrong.push(`${address}: ${found}`);
      for (const [, href = ""] of html.matchAll(/<a [^>]*href="(\/docs[^"]*)"/g)) {
        const [to = "", heading] = href.split("#");
        const page = served.get(to);
        if (page === undefined || (heading !== undefined && !page.includes(`id="${heading}"`)))
          wrong.push(`${address}: ${href}`);
      }
      for (const [, src = ""] of html.matchAll(/<img src="([^"]*)"/g))
        if (!pictures.includes(src)) wrong.push(`${address}: ${src}`);
    }
    assert.deepEqual(wrong, []);
    assert.ok(served.get("/docs/guide/start")?.includes("<pre"), "start has commands");
  });

  test("compares what is printed but for what is another one each time", () => {
    const printed = "  ok  queue   0.2 s\nreceipt  r_dmwk2nctnvxm7rb1: charged 1.5 s\nhttp://a.localhost:4711\n";
    assert.deepEqual(missingOf("ok  queue\nreceipt r_aaaaaaaaaaaaaaaa: charged 0.792 s\n", printed), []);
    assert.deepEqual(missingOf("receipt r_aaaaaaaaaaaaaaaa: …\nhttp://a.localhost:7070", printed), []);
    assert.deepEqual(missingOf("receipt r_aaaaaaaaaaaaaaaa: refused", printed), [
      "receipt r_aaaaaaaaaaaaaaaa: refused",
    ]);
    assert.deepEqual(missingOf("http://a.localhost:7070\nok queue", printed), ["ok queue"], "in this order");
  });
});

/** Those of a page to files of the project, pictures too. */
function linksOf(page: string): readonly string[] {
  const text = readFileSync(page, "utf8").replaceAll(/^```.*?^```$/gms, "");
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link).filter((link) => !/^https?:/.test(link));
}

function leadsSomewhere(page: string, link: string): boolean {
  const [path = "", heading] = link.split("#");
  const file = path === "" ? page : join(dirname(page), path);
  if (!existsSync(file)) return false;
  return heading === undefined || headingsOf(file).includes(heading);
}

function headingsOf(file: string): readonly string[] {
  return [...readFileSync(file, "utf8").matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) => headingId(title));
}
