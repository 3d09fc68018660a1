/** A line of a log as a terminal would show it: what a carriage return wrote over is gone, colours stay, all other orders are dropped. Pure. */

export interface Span {
  readonly text: string;
  /** 0 to 7, as a terminal names them; null: the text's own. */
  readonly colour: number | null;
  readonly isBold: boolean;
}

// CSI and OSC orders, and single escapes (ECMA-48 §5.4, §8.3.89).
const order = /\u001b(?:\[([\d;]*)([@-~])|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;

export function spansOf(line: string): readonly Span[] {
  const text = line.replace(/\r+$/, "");
  const shown = text.slice(text.lastIndexOf("\r") + 1);
  const spans: Span[] = [];
  let [colour, isBold]: [number | null, boolean] = [null, false];
  let from = 0;
  const take = (to: number): void => {
    const piece = shown.slice(from, to).replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f]/g, "");
    if (piece !== "") spans.push({ text: piece, colour, isBold });
  };
  for (const found of shown.matchAll(order)) {
    take(found.index);
    from = found.index + found[0].length;
    if (found[2] === "m") [colour, isBold] = after(found[1] ?? "", colour, isBold);
  }
  take(shown.length);
  return spans;
}

/** SGR (ECMA-48 §8.3.117), as far as logs use it. */
function after(parameters: string, colour: number | null, isBold: boolean): [number | null, boolean] {
  let now: [number | null, boolean] = [colour, isBold];
  const codes = parameters.split(";").map(Number);
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at] ?? 0;
    if (code === 0) now = [null, false];
    else if (code === 1) now = [now[0], true];
    else if (code === 22) now = [now[0], false];
    else if (code === 39) now = [null, now[1]];
    else if (code >= 30 && code <= 37) now = [code - 30, now[1]];
    else if (code >= 90 && code <= 97) now = [code - 90, now[1]];
    // A colour of 256, or of red, green and blue: its own numbers are no orders.
    else if (code === 38 || code === 48) at += codes[at + 1] === 5 ? 2 : 4;
  }
  return now;
}
