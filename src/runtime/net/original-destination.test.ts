import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { findDestination } from "./original-destination.ts";

const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
const row = (local: string, remote: string, state = "01"): string =>
  `   0: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000     0        0 1 1\n`;

describe("where a redirected connection wanted to go", () => {
  test("the client's own row shows it, in both families", () => {
    const four =
      head +
      row("00000000:3A99", "00000000:0000", "0A") +
      row("0100007F:3A99", "0F02000A:C350") +
      row("0F02000A:C350", "08080808:0019");
    assert.deepEqual(findDestination(four, 50_000, 15_001), { address: "8.8.8.8", port: 25 });
    const six = head + row("00000000000000000000000001000000:C350", "B80D0120000000000000000001000000:0019");
    assert.deepEqual(findDestination(six, 50_000, 15_001), { address: "2001:db8:0:0:0:0:0:1", port: 25 });
    const mapped = head + row("0000000000000000FFFF00000F02000A:C350", "0000000000000000FFFF000008080808:0019");
    assert.deepEqual(findDestination(mapped, 50_000, 15_001), { address: "8.8.8.8", port: 25 });
  });

  test("rows of listeners, of our own side and of other ports are not it", () => {
    const table =
      head +
      row("00000000:C350", "00000000:0000", "0A") +
      row("0100007F:C350", "0100007F:3A99") +
      row("0F02000A:C351", "08080808:0019");
    assert.equal(findDestination(table, 50_000, 15_001), undefined);
    for (const text of ["", head, "garbage\n\n a b c d", head + row(":", ":")])
      assert.equal(findDestination(text, 50_000, 15_001), undefined);
  });
});
