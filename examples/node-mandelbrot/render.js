// The app's GPU functions. A worker process loads this module and runs them; the server only calls `.run(…)`.
import { gpu } from "waybill";
import { encodePng } from "./png.js";

export const size = { width: 720, height: 480 };

/** A place on the edge of the set that stays interesting however far one goes in. */
export const defaultCentre = { x: -0.743643887037151, y: 0.13182590420533 };

/** Draws the picture around `(x, y)` at `zoom`. Sends `{ done, of }` rows while it works; resolves to PNG bytes. */
export const render = gpu(
  async function render({ zoom, x, y }, { progress, signal }) {
    const { width, height } = size;
    const pixels = new Uint8Array(width * height * 3);
    const step = 3.2 / zoom / width;
    const limit = Math.min(4000, Math.round(160 + 90 * Math.log2(zoom)));
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const escape = escapeTime(x + (column - width / 2) * step, y + (row - height / 2) * step, limit);
        paint(pixels, (row * width + column) * 3, escape);
      }
      if (row % 24 === 23) {
        progress({ done: row + 1, of: height });
        await turn(); // Lets the abort of a visitor who left come in.
        signal.throwIfAborted();
      }
    }
    return encodePng(pixels, width, height);
  },
  { duration: 10, size: "large" },
);

/** Keeps its slot for `seconds`, and the machine mostly free: it computes in short bursts. */
export const hold = gpu(
  async function hold({ seconds }, { signal }) {
    const end = performance.now() + seconds * 1000;
    let rounds = 0;
    while (performance.now() < end && !signal.aborted) {
      for (let i = 0; i < 200_000; i++) rounds += Math.sqrt(i) > 100 ? 1 : 0;
      await pause(20);
    }
    return { rounds };
  },
  { duration: ({ seconds }) => seconds + 2, size: "large" },
);

/** How many steps until the point escapes, with a fraction that makes the colours smooth; -1 inside the set. */
function escapeTime(cx, cy, limit) {
  let x = 0;
  let y = 0;
  for (let i = 0; i < limit; i++) {
    const xx = x * x;
    const yy = y * y;
    if (xx + yy > 256) return i + 1 - Math.log2(Math.log2(xx + yy) / 2);
    y = 2 * x * y + cy;
    x = xx - yy + cx;
  }
  return -1;
}

function paint(pixels, at, escape) {
  if (escape < 0) return;
  const t = 0.09 * escape;
  pixels[at] = 128 + 127 * Math.sin(t + 4.2);
  pixels[at + 1] = 118 + 117 * Math.sin(t + 4.9);
  pixels[at + 2] = 138 + 117 * Math.sin(t + 5.8);
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function turn() {
  return new Promise((resolve) => setImmediate(resolve));
}
