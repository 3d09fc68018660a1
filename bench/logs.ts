/** `npm run bench -- logs`: an app that floods its log, beside the same program with its output to `cat > /dev/null`. */
import { figure, machine, peerOf, type Bench } from "./document.ts";
import { logThroughput, type LogThroughput } from "./log-throughput.ts";

const rounds = 3;
const megabytes = 1_000;

export const run: Bench = async (report) => {
  const since = performance.now();
  if (process.platform !== "linux") {
    const why = "the shim's time and memory are read in /proc, which Linux has";
    return { bench: "logs", machine: machine(), tookMs: 0, figures: [], skipped: [{ what: "all of it", why }] };
  }
  const runs: LogThroughput[] = [];
  for (let round = 1; round <= rounds; round++) {
    const one = await logThroughput(megabytes);
    report(
      `round ${round}: ${Math.round(one.acceptedMBs)} MB/s, ${one.shimMsPerMB.toFixed(1)} ms of the shim for each MB`,
    );
    if (!one.lastWordsKept || !one.toldLeftOut)
      throw new Error("the log of a flood lost its end, or does not say what it left out");
    runs.push(one);
  }
  const each = (of: (one: LogThroughput) => number): number[] => runs.map(of);
  const accepted = each(({ acceptedMBs }) => acceptedMBs);
  const pipe = peerOf(
    "the same to cat > /dev/null",
    each(({ pipeMBs }) => pipeMBs),
    accepted,
  );
  return {
    bench: "logs",
    machine: machine(),
    tookMs: Math.round(performance.now() - since),
    figures: [
      { ...figure("log throughput", "MB/s", accepted), peers: [pipe] },
      figure(
        "shim's time",
        "ms/MB",
        each(({ shimMsPerMB }) => shimMsPerMB),
      ),
      figure(
        "shim's memory before",
        "MB",
        each(({ shimMBBefore }) => shimMBBefore),
      ),
      figure(
        "shim's memory at most",
        "MB",
        each(({ shimMBAtMost }) => shimMBAtMost),
      ),
      figure(
        "stored of 1,000 MB",
        "MB",
        each(({ storedMB }) => storedMB),
      ),
    ],
    skipped: [],
  };
};
