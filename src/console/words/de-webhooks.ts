/** What is said of webhooks, in German. */
import type { Words } from "./en.ts";

export const webhooksDe: Words["ofWebhooks"] = {
  webhooks: "Webhooks",
  says: "Adressen, die hören, was geschieht: Zustände von Spaces, Enden von Builds, verbrauchte Kontingente.",
  platformSays:
    "Adressen der Plattform selbst: Sie hören von Störungen und von allem, was den Konten und Spaces geschieht.",
  all: "alles, was geschieht",
  test: "Ausprobieren",
  switchOn: "Einschalten",
  removeAsks: "Dorthin wird nichts mehr geschickt, und das Protokoll ist fort. Weiter?",
  offSince: (time) => `aus seit ${time}:`,
  failingSince: (time) => `seit ${time} ist kein Versuch gelungen`,
  log: (waiting) => `Zustellungen (${waiting} warten)`,
  deliveries: "Zustellungen",
  states: { waiting: "wartet", delivered: "zugestellt", failed: "gescheitert" },
  tries: (count) => (count === 1 ? "1 Versuch" : `${count} Versuche`),
  again: "Noch einmal schicken",
  add: "Webhook hinzufügen",
  address: "Adresse, https://",
  description: "Wofür er ist",
  secretOnce: "Das Geheimnis, das unterschreibt, was geschickt wird. Es wird nur jetzt gezeigt:",
  copySecret: "Geheimnis kopieren",
};
