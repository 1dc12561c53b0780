/** A point on a monotonic clock of unspecified origin, in milliseconds. */
export type Instant = number;

/** When nothing is pending. */
export const NEVER: Instant = Number.POSITIVE_INFINITY;
