/** Originator of every route, rule and address that this project sets in the kernel; free in iproute2's `rt_protos`. */
export const PROTOCOL = 0x4c;

/** Label in the kernel's policy table (RFC 6724) of addresses that shall not be preferred to ours. */
export const LABEL = 0x4c4c;
