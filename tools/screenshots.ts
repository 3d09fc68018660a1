/** `npm run screenshots`: makes the guide's pictures anew. Each is to be looked at before it is committed. */
import { join } from "node:path";
import { buildConsole } from "./console.ts";
import { makePictures } from "./screenshots/pictures.ts";

await buildConsole();
await makePictures(join(import.meta.dirname, "..", "docs", "guide", "pictures"));
