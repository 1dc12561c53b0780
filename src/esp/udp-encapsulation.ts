/** RFC 9028 §4.1, §5.1. */
export const HIP_UDP_PORT = 10500;
/** RFC 5770 §5.1: zeros where ESP has its SPI. */
export const HIP_MARKER_LENGTH = 4;

/**
 * What a UDP datagram on port 10500 holds, RFC 5770 §5.1 and §5.2, RFC 3948 §2. Of `control` the HIP packet begins behind
 * the marker.
 */
export type DatagramKind = 'esp' | 'control' | 'keepalive' | 'malformed';

export function datagramKind(payload: Uint8Array): DatagramKind {
  if (payload.length === 1 && payload[0] === 0xff) return 'keepalive';
  if (payload.length < 8) return 'malformed';
  const isMarked = payload.subarray(0, HIP_MARKER_LENGTH).every((octet) => octet === 0);
  return isMarked ? 'control' : 'esp';
}
