/** What an app can do from inside of a sandbox by bubblewrap; and that the tries can tell. */
import assert from "node:assert/strict";
import { resolve } from "node:path";
import { describe, test } from "node:test";
import type { Outcome } from "../src/runtime/probes/inside/facts.ts";
import { needs } from "./support/needs.ts";
import { isOpen, namesOf, outputOf, probesInside, unprivileged, wantedProbes } from "./support/probe-suites.ts";

const { skip } = await needs("sandbox", "python3", "nftables");
const control = resolve(import.meta.dirname, "support", "probes-control.ts");
const systemCalls = resolve(import.meta.dirname, "../src/runtime/probes/inside/system_calls.py");

await probesInside("bubblewrap");

describe("the same probes where much is open", { skip }, () => {
  test("bubblewrap alone, and root of a namespace of its own: most are found open", async (t) => {
    const alone = outputOf(
      [...unprivileged, "unshare", "--user", "--map-root-user", "--net", "--", process.execPath, control],
      { WAYBILL_TOKEN: "a secret that was left" },
    );
    const namespaces = ["--map-root-user", "--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--mount-proc"];
    const rooted = outputOf([
      ...unprivileged,
      "unshare",
      "--user",
      ...namespaces,
      "--",
      "/usr/bin/python3",
      systemCalls,
    ]);
    const outcomes = [...linesOf(await alone), ...linesOf(await rooted)];
    const open = new Set(namesOf(outcomes.filter(isOpen)));
    t.diagnostic(
      `${open.size} of ${new Set(namesOf(outcomes)).size} found open; not seen open: ${namesOf(outcomes)
        .filter((name) => !open.has(name))
        .join(" ")}`,
    );
    const mustBeFound = [
      ["agent-folder", "neighbour-data", "write-release", "host-file-tmp", "control-groups", "open-files"],
      ["processes", "shim-signal", "namespace-net", "environment", "stronger-processes"],
      ["metadata-common", "public-ipv4", "host-address-1", "host-abstract", "neighbour-in", "datagram-metadata"],
      ["no-filter", "unshare-user", "io-uring", "key-add", "mount-tmpfs", "ptrace-attach", "raw-ipv4", "network-down"],
      ["fill-tmp", "many-files", "many-processes", "much-memory"],
    ];
    assert.deepEqual(
      mustBeFound.flat().filter((name) => !open.has(name)),
      [],
    );
    assert.ok(open.size >= wantedProbes, `${open.size} found open`);
  });
});

function linesOf(text: string): readonly Outcome[] {
  return text
    .split("\n")
    .flatMap((line) => (line.startsWith("{") ? [JSON.parse(line) as Outcome] : []))
    .filter(({ outcome }) => outcome !== undefined);
}
