/** Forms of gated repositories: what is asked of people, and what can be asked of nobody. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { gateFormOf } from "./gate-form.ts";

test("what people are asked is in lines of plain text: a name or an answer with a line break comes back as another from a browser, and a control character goes to terminals", () => {
  const read = (fields: object): unknown => gateFormOf({ extra_gated_fields: fields });
  for (const wrong of ["two\nlines", "\u001b[2Jgone", "half \ud800"]) {
    const [named, chosen] = [{ [wrong]: "text" }, { Use: { type: "select", options: ["Research", wrong] } }];
    for (const fields of [named, chosen]) assert.equal((read(fields) as { ok: boolean }).ok, false, wrong);
  }
  assert.equal(
    (read({ "Où ?": { type: "select", options: ["Research", { label: "Andere", value: "é" }] } }) as { ok: boolean })
      .ok,
    true,
  );
});
