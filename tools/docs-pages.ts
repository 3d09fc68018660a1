/** The documentation as pages for browsers: each markdown file by its address, its links to files by theirs. Pure but for reading the files. */
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Marked, type Tokens } from "marked";

const root = join(import.meta.dirname, "..");
/** What is in `docs/`, and what leads further. */
const served = ["docs/**/*.md", "{README,ARCHITECTURE,CHANGELOG}.md", "src/**/{SPEC,FACTS}.md"];

export interface DocsPage {
  /** The markdown's path in the project. */
  readonly file: string;
  /** `/docs/guide/start`. */
  readonly address: string;
  readonly html: string;
}

/** All of them. `style`: the address of their style sheet. */
export function docsPages(style: string): readonly DocsPage[] {
  const files = globSync(served, { cwd: root }).toSorted();
  const addresses = new Map(files.map((file) => [file, addressOf(file)]));
  const guide = guideOf(addresses);
  return files.map((file) => {
    const text = readFileSync(join(root, file), "utf8");
    const address = addressOf(file);
    return {
      file,
      address,
      html: whole({ title: titleOf(text), body: bodyOf(file, text, addresses), address, guide, style }),
    };
  });
}

/** Pictures that pages show: the file's path in the project, and where it is asked for. */
export function docsPictures(): readonly (readonly [file: string, address: string])[] {
  return globSync("docs/**/*.{png,svg}", { cwd: root }).map((file) => [file, `/${file}`]);
}

/** As GitHub names headings in addresses. */
export function headingId(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replaceAll(" ", "-");
}

/** A folder's README stands at the folder. */
function addressOf(file: string): string {
  const page = file.replace(/\.md$/, "");
  return page.startsWith("docs/") ? `/${page.replace(/\/README$/, "")}` : `/docs/project/${page}`;
}

/** The guide's pages in the order of the index. */
function guideOf(addresses: ReadonlyMap<string, string>): readonly (readonly [address: string, title: string])[] {
  const index = readFileSync(join(root, "docs", "README.md"), "utf8");
  return [...index.matchAll(/\[([^\]]+)\]\((guide\/[^)]+)\)/g)].flatMap(([, title = "", path = ""]) => {
    const address = addresses.get(`docs/${path}`);
    return address === undefined ? [] : [[address, title] as const];
  });
}

function titleOf(text: string): string {
  return /^# (.*)$/m.exec(text)?.[1] ?? "Documentation";
}

function bodyOf(file: string, text: string, addresses: ReadonlyMap<string, string>): string {
  const marked = new Marked({ gfm: true });
  marked.use({
    renderer: {
      // Ours has none, and what looks like it is a text about it.
      html: ({ text: raw }: Tokens.HTML | Tokens.Tag) => escape(raw),
      heading({ depth, tokens, text: title }: Tokens.Heading) {
        return `<h${depth} id="${escape(headingId(title))}">${this.parser.parseInline(tokens)}</h${depth}>\n`;
      },
      link({ href, tokens }: Tokens.Link) {
        const says = this.parser.parseInline(tokens);
        const to = leadsTo(file, href, addresses);
        return to === undefined ? says : `<a href="${escape(to)}">${says}</a>`;
      },
      image({ href, text: says }: Tokens.Image) {
        return `<img src="/${escape(join(dirname(file), href))}" alt="${escape(says)}" loading="lazy">`;
      },
      // What is wider than the window is moved by keyboard too.
      code: ({ text: code, lang }: Tokens.Code) =>
        `<pre tabindex="0"${lang === "text prints" ? ' class="prints"' : ""}><code>${escape(code)}</code></pre>\n`,
      table(token: Tokens.Table) {
        const row = (cells: readonly Tokens.TableCell[], tag: "th" | "td"): string =>
          `<tr>${cells.map(({ tokens }) => `<${tag}>${this.parser.parseInline(tokens)}</${tag}>`).join("")}</tr>`;
        const isNamed = token.header.some((cell) => cell.text !== "");
        const head = isNamed ? `<thead>${row(token.header, "th")}</thead>` : "";
        return `<div class="wide" tabindex="0"><table>${head}<tbody>${token.rows.map((cells) => row(cells, "td")).join("")}</tbody></table></div>\n`;
      },
    },
  });
  return marked.parse(text, { async: false });
}

/** Undefined: to a file that is not served, which a reader finds in the project. */
function leadsTo(file: string, href: string, addresses: ReadonlyMap<string, string>): string | undefined {
  if (/^https?:/.test(href)) return href;
  const [path = "", heading] = href.split("#");
  const named = path === "" ? file : join(dirname(file), path);
  const address = addresses.get(named);
  return address && (heading === undefined ? address : `${address}#${heading}`);
}

interface Whole {
  readonly title: string;
  readonly body: string;
  readonly address: string;
  readonly guide: readonly (readonly [address: string, title: string])[];
  readonly style: string;
}

function whole({ title, body, address, guide, style }: Whole): string {
  const links = [["/docs", "Documentation"] as const, ...guide].map(
    ([to, says]) => `<a href="${to}"${to === address ? ' aria-current="page"' : ""}>${escape(says)}</a>`,
  );
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark"><link rel="icon" href="data:,"><title>${escape(title)} - Waybill</title><link rel="stylesheet" href="${style}"></head>
<body><header><a class="brand" href="/">Waybill</a><nav aria-label="Documentation">${links.join("")}</nav></header>
<main>
${body}</main></body>
</html>
`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
