/** How far the start of an app has come: what a page shows of it, and what is recorded. */

/** In order: a node has it, its app's process runs, the app listens, and it answers as it has to. */
export const startStages = ["placed", "started", "listening", "healthy"] as const;
export type StartStage = (typeof startStages)[number];

/** Milliseconds from a start's beginning to its stages; without those that it did not reach, or of which it is not known. */
export type StartTimes = Readonly<Partial<Record<StartStage, number>>>;

/** The newest starts of a Space, of which the middle one's times are what it usually takes. */
export const startsKept = 9;
