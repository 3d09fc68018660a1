import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { DeviceFacts } from "../contract/agent.ts";
import { troubleIn } from "./card-watch.ts";
import type { SmiAnswer } from "./nvidia-smi.ts";

const card = (index: number): DeviceFacts => ({
  index,
  uuid: `GPU-${index}`,
  name: "NVIDIA H100",
  slots: 2,
  simulated: false,
});
const known = { devices: [card(0), card(1)], buses: { "GPU-0": "0:01:00.0", "GPU-1": "0:81:00.0" } };
const asked = ["uuid", "memory.used", "temperature.gpu", "ecc.errors.uncorrected.volatile.total"];
const withRecovery = [...asked, "gpu_recovery_action", "remapped_rows.failure"];
const listed = (...lines: string[]): SmiAnswer => ({ ok: true, lines, asked });
const failed = (says: string): SmiAnswer => ({ ok: false, absent: false, says });
const codes = (answer: SmiAnswer): Record<string, string> =>
  Object.fromEntries(Object.entries(troubleIn(known, answer)).map(([uuid, { code }]) => [uuid, code]));
const well = (n: number): string => `GPU-${n}, 4 MiB, 34, 0`;

describe("what is wrong with a node's cards", () => {
  const cases: readonly (readonly [what: string, answer: SmiAnswer, trouble: Record<string, string>])[] = [
    ["nothing, where both answer", listed(well(0), well(1)), {}],
    ["nothing, where a card has no counter of memory errors", listed("GPU-0, 4 MiB, 34, [N/A]", well(1)), {}],
    ["nothing, where a value is not supported", listed("GPU-0, [Not Supported], 34, 0", well(1)), {}],
    ["one that is not listed any more", listed(well(0)), { "GPU-1": "gpu/device-fault" }],
    ["one that is lost", listed(well(0), "GPU-1, [GPU is lost], [GPU is lost], 0"), { "GPU-1": "gpu/device-fault" }],
    [
      "one that has to be reset",
      listed("GPU-0, 4 MiB, [GPU requires reset], 0", well(1)),
      { "GPU-0": "gpu/device-fault" },
    ],
    ["one with uncorrected memory errors", listed("GPU-0, 4 MiB, 34, 2", well(1)), { "GPU-0": "gpu/device-fault" }],
    [
      "one whose driver says that it has to be reset",
      { ok: true, lines: ["GPU-0, 4 MiB, 34, 0, Reset, No", "GPU-1, 4 MiB, 34, 0, None, No"], asked: withRecovery },
      { "GPU-0": "gpu/device-fault" },
    ],
    [
      "one whose memory could not be mended; a word that is not known is none",
      {
        ok: true,
        lines: ["GPU-0, 4 MiB, 34, [N/A], [N/A], [N/A]", "GPU-1, 4 MiB, 34, 0, None, Yes"],
        asked: withRecovery,
      },
      { "GPU-1": "gpu/device-fault" },
    ],
    [
      "the one that a failed list names by its bus",
      failed(
        "Unable to determine the device handle for GPU 0000:81:00.0: GPU is lost.  Reboot the system to recover this GPU",
      ),
      { "GPU-1": "gpu/device-fault" },
    ],
    [
      "the same without the space, as some drivers write it",
      failed("Unable to determine the device handle for GPU0000:01:00.0: Unknown Error"),
      { "GPU-0": "gpu/device-fault" },
    ],
    [
      "all, where the driver is another than the library",
      failed("Failed to initialize NVML: Driver/library version mismatch"),
      { "*": "runtime/nvml-lost" },
    ],
    ["all, where nobody knows why", failed("Failed to initialize NVML: Unknown Error"), { "*": "runtime/nvml-lost" }],
    ["all, where nothing is answered", failed("nvidia-smi did not answer within 10 s"), { "*": "runtime/nvml-lost" }],
    [
      "all, where the program is gone",
      { ok: false, absent: true, says: "nvidia-smi is not installed" },
      { "*": "runtime/nvml-lost" },
    ],
  ];
  for (const [what, answer, trouble] of cases) test(what, () => assert.deepEqual(codes(answer), trouble));

  test("is that of all its instances, where a card is divided", () => {
    const instance = (n: number): DeviceFacts => ({ ...card(200 + n), uuid: `MIG-${n}`, instanceOf: "GPU-1" });
    const divided = {
      devices: [card(0), instance(0), instance(1)],
      buses: { "GPU-0": "0:01:00.0", "MIG-0": "0:81:00.0", "MIG-1": "0:81:00.0" },
    };
    const seen = (answer: SmiAnswer): string[] => Object.keys(troubleIn(divided, answer));
    assert.deepEqual(seen(listed(well(0), well(1))), []);
    assert.deepEqual(seen(listed(well(0), "GPU-1, 4 MiB, 34, 2")), ["MIG-0", "MIG-1"]);
    assert.deepEqual(seen(failed("Unable to determine the device handle for GPU 0000:81:00.0: GPU is lost.")), [
      "MIG-0",
      "MIG-1",
    ]);
  });

  test("is said in the driver's own words", () => {
    const { "GPU-1": lost } = troubleIn(known, listed(well(0), "GPU-1, [GPU is lost], 0, 0"));
    assert.equal(lost?.says, "the driver says [GPU is lost] of the card");
    const { "*": all } = troubleIn(known, failed("Failed to initialize NVML: Unknown Error"));
    assert.equal(all?.says, "Failed to initialize NVML: Unknown Error");
  });
});
