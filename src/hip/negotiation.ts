import { Reader } from '../wire/reader.ts';
import { Writer } from '../wire/writer.ts';
import type { HipParameter, Received } from './parameter.ts';

/*
 * What two Loci hosts agree on in R1, I2 and R2. Type numbers are from the range for private use, whose parameters MAC and signature
 * cover (RFC 7401 §5.2.2): even, so that others skip them, and drawn at random (HIP-037).
 */
export const LOCI_OFFER = 40_312;
/** REAP in a NOTIFY packet, docs/reap-over-hip.md. */
export const REAP_CARRIER = 41_878;

/** What a host is able to do beyond the RFCs, and wants. */
export interface LociOffer {
  /** Its Send Timeout: it sends and expects REAP in HIP. */
  readonly detectionMs: number | undefined;
  /** It takes HIP and ESP in UDP, RFC 9028 §5.1, also when the exchange went without. */
  readonly udp: boolean;
}

const REAP = 0x01;
const UDP = 0x02;

/**
 * LOCI_OFFER.
 *
 *     0        1        2        3
 *   +--------+--------+--------+--------+
 *   |      Send Timeout, ms    |  Flags |   Flags: 0x01 REAP, 0x02 UDP
 */
export function offerParameter({ detectionMs, udp }: LociOffer): HipParameter {
  const w = new Writer(4);
  w.u8(0);
  w.u16(detectionMs ?? 0);
  w.u8((detectionMs === undefined ? 0 : REAP) | (udp ? UDP : 0));
  return { type: 'UNKNOWN', number: LOCI_OFFER, contents: w.finish() };
}

/** The offer among the parameters of a packet, if there is one that can be read. */
export function offerIn(parameters: readonly Received[]): LociOffer | undefined {
  const found = unknownOf(parameters, LOCI_OFFER);
  if (found === undefined || found.length < 4) return undefined; // longer ones are of a later version
  const r = new Reader(found);
  r.u8();
  const detectionMs = r.u16();
  const flags = r.u8();
  return { detectionMs: (flags & REAP) !== 0 && detectionMs > 0 ? detectionMs : undefined, udp: (flags & UDP) !== 0 };
}

/** REAP_CARRIER: a counter that never repeats, so that nothing is acted on twice, and what REAP has to say. */
export interface CarriedReap {
  readonly counter: number;
  readonly octets: Uint8Array;
}

export function reapParameter({ counter, octets }: CarriedReap): HipParameter {
  const w = new Writer(4 + octets.length);
  w.u32(counter);
  w.octets(octets);
  return { type: 'UNKNOWN', number: REAP_CARRIER, contents: w.finish() };
}

export function reapIn(parameters: readonly Received[]): CarriedReap | undefined {
  const found = unknownOf(parameters, REAP_CARRIER);
  if (found === undefined) return undefined;
  const r = new Reader(found);
  const parsed = r.finish({ counter: r.u32(), octets: r.rest() });
  return parsed.ok ? parsed.value : undefined;
}

function unknownOf(parameters: readonly Received[], number: number): Uint8Array | undefined {
  for (const parameter of parameters) {
    if (parameter.type === 'UNKNOWN' && parameter.number === number) return parameter.contents;
  }
  return undefined;
}
