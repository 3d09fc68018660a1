/** The parts of a Space's page, each at an address of its own: the app at the Space's. */

export const tabs = ["app", "builds", "logs", "requests", "calls", "files", "settings"] as const;
export type Tab = (typeof tabs)[number];

export function isTab(text: string): text is Tab {
  return (tabs as readonly string[]).includes(text);
}
