import { linkSuite } from "./link.suite.ts";
import { memoryLink } from "./memory.ts";

linkSuite("memoryLink", async () => ({ ...memoryLink(), [Symbol.asyncDispose]: async () => {} }));
