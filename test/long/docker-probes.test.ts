import { probesInImage } from "../support/probe-suites.ts";

await probesInImage("bubblewrap");
