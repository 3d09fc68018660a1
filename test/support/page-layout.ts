/** What is wrong with a page as it stands in a browser: text that is cut off, text that lies on other text, a page that is wider than its window. */
import type { Page } from "playwright-core";

/** Runs in the page. A region that scrolls shows what is within it; what is wholly beside the window is put there. */
const look = `(() => {
  const wrong = [];
  const over = document.documentElement.scrollWidth - innerWidth;
  if (over > 0) wrong.push("the page is " + over + " px too wide");
  const boxes = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const text = node.textContent.trim();
    const element = node.parentElement;
    if (text === "" || !element.checkVisibility() || element.closest("noscript,option") !== null) continue;
    let [left, right, top, bottom, isHidden, isClipped] = [-Infinity, Infinity, -Infinity, Infinity, false, false];
    for (let around = element; around !== null && around !== document.body; around = around.parentElement) {
      const { overflowX, clipPath, visibility } = getComputedStyle(around);
      if (clipPath !== "none" || visibility === "hidden") isHidden = true;
      if (overflowX === "visible") continue;
      const box = around.getBoundingClientRect();
      [left, right] = [Math.max(left, box.left), Math.min(right, box.right)];
      [top, bottom] = [Math.max(top, box.top), Math.min(bottom, box.bottom)];
      if (overflowX === "hidden" || overflowX === "clip") isClipped = true;
      else break;
    }
    if (isHidden) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const line of range.getClientRects()) {
      if (line.width < 1 || line.height < 1 || line.right <= 0 || line.left >= innerWidth) continue;
      const isFree = left === -Infinity;
      if (isFree && (line.left < -1 || line.right > innerWidth + 1)) wrong.push("cut off: " + text.slice(0, 80));
      if (isClipped && (line.left < left - 1 || line.right > right + 1)) wrong.push("cut off: " + text.slice(0, 80));
      const box = { node, text, left: Math.max(line.left, left), right: Math.min(line.right, right), top: Math.max(line.top, top), bottom: Math.min(line.bottom, bottom) };
      if (box.right > box.left && box.bottom > box.top) boxes.push(box);
    }
  }
  boxes.sort((one, other) => one.top - other.top);
  boxes.forEach((one, at) => {
    for (let next = at + 1; next < boxes.length && boxes[next].top < one.bottom; next += 1) {
      const other = boxes[next];
      if (other.node === one.node) continue;
      const wide = Math.min(one.right, other.right) - Math.max(one.left, other.left);
      const high = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
      // Glyphs of lines that stand below each other lie in boxes that touch.
      if (wide > 2 && high > 0.4 * Math.min(one.bottom - one.top, other.bottom - other.top))
        wrong.push(one.text.slice(0, 60) + " lies on " + other.text.slice(0, 60));
    }
  });
  return wrong;
})()`;

export function misplaced(page: Page): Promise<readonly string[]> {
  return page.evaluate<readonly string[]>(look);
}
