/** An agent that is not root: builds in the sandbox and prints what came of it, as JSON. */
import { testBenches } from "./benches.ts";
import { testWorkshop } from "./commits.ts";

const made = (script: string): Record<string, string> => ({
  "README.md": "---\nsdk: static\napp_build_command: sh ./make.sh\n---\n",
  "index.html": "",
  "make.sh": script,
});
process.env["HOME"] = "/nonexistent";
await using shop = await testWorkshop();
await using sandboxes = await testBenches(shop.folder);
const tools = { benches: sandboxes.benches };
const { outcome, log } = await shop.build(made('echo "$(id -u) $PWD"'), { tools });
const hog = `/usr/bin/python3 -c "
import time
held = []
while True: held.append(bytearray(b'x') * (8 << 20)); time.sleep(0.01)"`;
const over = (await shop.build(made(hog), { tools })).outcome;
console.log(JSON.stringify({ ok: outcome.ok, log, hog: over.ok ? null : over.code }));
