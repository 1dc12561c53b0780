/**
 * The port through which payload is protected: packets in slabs, a batch per call, no object per packet. `node/` implements
 * it with the addon, `sim/` with the portable code of `esp/`.
 *
 * Out: `tun.read(from)`; per slot, FLAGS = handle of an outbound SA or negative; `seal(from, count, into)`; `sender.send(into, rows)`.
 * In: `udp.receive(from)` or `receiver.receive(from)`; `while ((rows = open(from, count, into, carrier)) > 0)`, per row look at
 * FLAGS; `tun.write(into, …)`. The TUN device merges what `open` took apart.
 */
import type { SecurityAssociation } from '../esp/security-association.ts';
import type { Address } from '../wire/address.ts';
import type { Batch } from './ports.ts';

/** Where packets of an outbound SA go: IPv6 addresses, or both IPv4-mapped. */
export interface EspPath {
  /** Descriptor of a UDP socket, or of the raw socket for `source`; negative: nothing is sent (EADDRNOTAVAIL). */
  readonly socket: number;
  readonly source: Address;
  readonly destination: Address;
  /** UDP port of the peer; 0: protocol 50, without UDP. */
  readonly port: number;
}

/** What happened on an SA. */
export interface EspCounters {
  readonly packets: number;
  /** Of ESP payload: inner packets without their IPv6 header. */
  readonly octets: number;
  readonly replayed: number;
  readonly forged: number;
  readonly malformed: number;
  /** Authentic, but padded wrongly. */
  readonly padding: number;
  readonly dummies: number;
  /** Not sent, because all sequence numbers were used up. */
  readonly exhausted: number;
  /** The last number used, or the highest authenticated. */
  readonly sequence: bigint;
}

/** FLAGS of rows that `open` fills with something else than a packet of an SA. */
export const CONTROL = -1; // a HIP packet that came in UDP, behind its marker (RFC 5770 §5.1)
export const UNKNOWN_SPI = -2; // an ESP packet, or its beginning, of no SA here (RFC 4303 §3.4.2)

export interface Esp {
  /** A handle ≥ 0. The keys are copied; `EEXIST` when the SPI of an inbound SA is taken. */
  addInbound(sa: SecurityAssociation): number;
  /** A handle ≥ 0; sends nothing before it has a path. */
  addOutbound(sa: SecurityAssociation): number;
  setPath(outbound: number, path: EspPath): void;
  /** The keys are wiped. */
  remove(handle: number): void;
  counters(handle: number): EspCounters;
  /**
   * Protect packets of the first `count` slots whose FLAGS is the handle of an outbound SA; super-packets are split. Rows of
   * `into` are ready to be sent, their number is returned: several datagrams of GSO_SIZE octets each (the last may be shorter)
   * back to back, or one packet; SOCKET, FLAGS, HOP_LIMIT and TRAFFIC_CLASS of the inner packets; for UDP the port in SPARE and
   * the addresses at SOURCE_AT and DESTINATION_AT, for protocol 50 whole outer packets. One super-packet may take two rows.
   * Leaves ERROR in each row of `from`: ENOENT for no such SA, EPERM for addresses that are not the SA's (RFC 7402 §B.1.5),
   * EOVERFLOW for numbers used up, EINVAL, EMSGSIZE, ENOBUFS when `into` was full.
   */
  seal(from: Batch, count: number, into: Batch): number;
  /**
   * Open the datagrams of the first `count` slots, trains taken apart. Rows of `into` hold packets with the HITs, or what
   * FLAGS says (a handle, CONTROL, UNKNOWN_SPI); addresses, port (SPARE), interface, hop limit and traffic class are those of
   * arrival. Replays, forgeries and dummies leave no row. What was taken is cut from `from`: call again until it returns 0.
   */
  open(from: Batch, count: number, into: Batch, carrier: EspCarrier): number;
}

export type EspCarrier = 'udp' | 'raw';

/**
 * A UDP socket for ESP and HIP, both address families. Rows that it fills are trains as `seal` makes them, the sender's port in
 * SPARE; LENGTH is 0 for what did not fit. `descriptor` goes into SOCKET of rows for `PacketSender.send`.
 */
export interface UdpSocket {
  readonly descriptor: number;
  receive(into: Batch): number;
  onReadable(callback: () => void): void;
  close(): void;
}
