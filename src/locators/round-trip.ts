/** A smoothed round-trip time in the manner of RFC 6298 §2, with larger gains because samples are rare. */
export interface RoundTrip {
  readonly srtt: number;
  readonly rttvar: number;
  readonly samples: number;
}

const ALPHA = 1 / 4;
const BETA = 1 / 4;
/** Among the first samples a much smaller one takes the place of those before it. */
const EARLY = 8;

/**
 * Takes a sample in. An outlier counts as `cap` above what is usual: one late answer of a busy peer must not make the
 * next failure take long to notice.
 */
export function measured(
  before: RoundTrip | undefined,
  sampleMs: number,
  cap: number = Number.POSITIVE_INFINITY,
): RoundTrip {
  const samples = (before?.samples ?? 0) + 1;
  if (before === undefined || (samples <= EARLY && sampleMs < before.srtt / 2)) {
    return { srtt: sampleMs, rttvar: sampleMs / 2, samples }; // what came before was a start, not the path
  }
  const sample = Math.min(sampleMs, before.srtt + Math.max(2 * before.rttvar, cap));
  const rttvar = before.rttvar + BETA * (Math.abs(before.srtt - sample) - before.rttvar);
  return { srtt: before.srtt + ALPHA * (sample - before.srtt), rttvar, samples };
}
