// The guide's pictures are made of the console as it is: all that a page shows, and none that nothing makes.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { makePictures, pictures } from "../../tools/screenshots/pictures.ts";
import { needs } from "../support/needs.ts";

/** A picture of an empty page is smaller. */
const pictureMinBytes = 10_000;

describe("the guide's pictures", await needs("chromium"), () => {
  test("are all made, as PNG", async () => {
    const folder = mkdtempSync(join(tmpdir(), "wb-pictures-"));
    try {
      await makePictures(folder);
      for (const name of pictures) {
        const file = join(folder, `${name}.png`);
        assert.equal(readFileSync(file).toString("latin1", 1, 4), "PNG", name);
        assert.ok(statSync(file).size > pictureMinBytes, `${name} has ${statSync(file).size} bytes`);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
