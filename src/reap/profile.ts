/** How eager a Reap machine is. Anything but `RFC` only when both ends agreed on it. */
export interface ReapProfile {
  readonly name: string;
  /** RFC 5534 §4.3 Send Timeout, as announced to the peer. */
  readonly sendTimeoutMs: number;
  /** The Send Timeout is lengthened by a factor drawn from this range, §4.1. */
  readonly sendSpread: readonly [number, number];
  /** Keepalive Interval as a share of the Keepalive Timeout, §4.1. */
  readonly keepaliveShare: readonly [number, number];
  /** Traffic that is observed by polling may be noticed this late. */
  readonly pollAllowanceMs: number;
  /** §7 Initial Probe Timeout, Number of Initial Probes, Max Probe Timeout. */
  readonly initialProbeMs: number;
  readonly initialProbes: number;
  readonly maxProbeMs: number;
  /** Pairs probed at once; 1 is the sequential probing of §4.3. */
  readonly burst: number;
  /**
   * How long a suspected pair may take to clear itself while others already answer; 0: the first report decides, §6.8.
   * With a grace, Keepalives are sent only for payload that arrived, so that they vouch for both directions.
   */
  readonly graceMs: number;
  /** The peer answers Path Tests. */
  readonly pathTest: boolean;
  readonly testIntervalMs: number;
  /** A preferred pair must have answered this long before payload goes back to it. */
  readonly returnAfterMs: number;
}

/** RFC 5534 §7 to the letter; towards any peer. */
export const RFC: ReapProfile = {
  name: 'rfc',
  sendTimeoutMs: 15_000,
  sendSpread: [1, 1.1],
  keepaliveShare: [1 / 3, 1 / 2],
  pollAllowanceMs: 0,
  initialProbeMs: 500,
  initialProbes: 4,
  maxProbeMs: 60_000,
  burst: 1,
  graceMs: 0,
  pathTest: false,
  testIntervalMs: 5_000,
  returnAfterMs: 30_000,
};

/** About a tenth of a second to notice, about 30 Keepalives a second under one-way traffic. */
export const BALANCED: ReapProfile = {
  ...RFC,
  name: 'balanced',
  sendTimeoutMs: 100,
  sendSpread: [1, 1.05],
  keepaliveShare: [0.3, 1 / 3],
  pollAllowanceMs: 5,
  initialProbeMs: 40,
  burst: 3,
  graceMs: 40,
  pathTest: true,
  testIntervalMs: 1_000,
  returnAfterMs: 5_000,
};

/** About 45 ms from a failure to payload on another pair. */
export const FAST: ReapProfile = {
  ...BALANCED,
  name: 'fast',
  sendTimeoutMs: 30,
  keepaliveShare: [0.2, 0.25], // the last one, after a failure that only the peer's receiving side has, delays detection
  sendSpread: [1, 1.02],
  pollAllowanceMs: 0,
  initialProbeMs: 12,
  graceMs: 12,
  testIntervalMs: 500,
};
