/** The parts of the benchmark of repositories, in the order in which they run. */
export const hubParts = ["commits", "large", "memory", "listing", "git", "many"] as const;
export type HubPart = (typeof hubParts)[number];
