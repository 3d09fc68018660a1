import { probesInImage, probesInside } from "../support/probe-suites.ts";

await probesInside("crun");
await probesInImage("crun");
