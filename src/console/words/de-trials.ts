/** What is said of settings that are tried on the record, in German. */
import type { Words } from "./en.ts";

export const trialsDe: Words["ofTrials"] = {
  tryIt: (name) => `${name} am Aufgezeichneten ausprobieren`,
  from: "Aufrufe ab",
  to: "und vor",
  run: "Ausprobieren",
  runs: "Die Aufrufe werden zweimal nachgespielt; das dauert einige Sekunden.",
  nothingOther: "Stellen Sie etwas anders ein, als es ist: Nur das wird ausprobiert.",
  nothingIsChanged: "Ausprobiert; geändert wurde nichts.",
  outcome: "Was dabei herauskam",
  recorded: (served, calls, gpu) =>
    `Aufgezeichnet: ${served} von ${calls} Aufrufen hatten eine GPU, für ${gpu}. Nachgespielt, wie eingestellt ist → wie es wäre:`,
  leftOut: (calls) =>
    calls === 1
      ? "1 Aufruf eines Knotens, den es nicht mehr gibt, fehlt."
      : `${calls} Aufrufe von Knoten, die es nicht mehr gibt, fehlen.`,
  all: "alle",
  columns: [
    "Hatten eine GPU",
    "Abgelehnt",
    "GPU-Zeit",
    "Die Hälfte wartete höchstens",
    "19 von 20 warteten höchstens",
    "Gekürzt",
  ],
  beforeAfter: (before, after) => `${before} → ${after}`,
  newlyRefused: "Abgelehnt statt mit GPU:",
  newlyServed: "Mit GPU statt abgelehnt:",
  noAccount: "Kein Konto hätte etwas anderes gehabt.",
  accounts: "Konten, bei denen sich am meisten ändert",
  limits: "Was das Nachspielen nicht weiß",
};
