/** `npm run sim`: lives of a platform from seeds (main.ts), or with `--capacity` a day of a large pool (capacity/main.ts). */
await import(process.argv.includes("--capacity") ? "./capacity/main.ts" : "./main.ts");
