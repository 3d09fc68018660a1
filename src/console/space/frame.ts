/** Which of a Space's addresses may stand in a frame of the console: its name, which is another origin than ours and than all other apps'. */

/** Null where there is none: Spaces by ports share the console's host. `addresses`: own domains, its name, its number. */
export function frameAddress(addresses: readonly string[], consoleHost: string): string | null {
  const isName = (address: string): boolean => {
    const { hostname } = new URL(address);
    return hostname !== consoleHost && !/^[\d.]+$|^\[/.test(hostname);
  };
  return addresses.findLast(isName) ?? null;
}
