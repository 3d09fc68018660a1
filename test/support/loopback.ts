/** Names under localhost lead here, also where the system's resolver does not know it. */
import type { LookupFunction } from "node:net";

export const loopback: LookupFunction = (_name, options, done) => {
  if (options.all === true) done(null, [{ address: "127.0.0.1", family: 4 }]);
  else done(null, "127.0.0.1", 4);
};
