/** Exit codes, stable: scripts branch on them. */
export const exit = {
  done: 0,
  /** The work failed; its owner is in the last lines and in the JSON. */
  failed: 1,
  usage: 2,
  notFound: 3,
  signIn: 4,
  refused: 5,
  unreachable: 6,
  /** `--timeout` is over and the work goes on. */
  timeout: 7,
  ourBug: 70,
  interrupted: 130,
  terminated: 143,
} as const;

export type ExitCode = (typeof exit)[keyof typeof exit];
