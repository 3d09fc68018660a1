/** How a shim is started in advance (spares.ts): its argument, and its ends of pipes. */

/** Has a shim wait for its folder; the ports that its network is laid for follow. */
export const spareArgument = "--spare";
/** What it is told, and what the three shells on its way are. */
export const spareFds = { told: 3, volumes: 4, folders: 5, users: 6 } as const;
