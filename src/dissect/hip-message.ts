import type { HipCrypto } from '../crypto/ports.ts';
import { HIP_MARKER_LENGTH, HIP_UDP_PORT, datagramKind } from '../esp/udp-encapsulation.ts';
import type { ReceivedPacket } from '../hip/packet.ts';
import { ESP, HIP, UDP } from '../wire/ipv6.ts';
import { Reader } from '../wire/reader.ts';
import type { DissectedMessage, DissectedOption, Flaw } from './entry.ts';
import { EspSeen } from './esp-packet.ts';
import { ExchangesSeen } from './hip-exchanges.ts';
import { dissectHip } from './hip-header.ts';
import type { HipHeader } from './hip-header.ts';
import { parameterSummary } from './hip-parameters.ts';
import type { KeyLog } from './key-log.ts';
import { addressesOf } from './upper-header.ts';
import type { UpperHeader } from './upper-header.ts';

type Message = Omit<DissectedMessage, 'frame' | 'time'>;

const UDP_HEADER_LENGTH = 8;

/** HIP and ESP of a capture, over IP or inside UDP. */
export class HipSeen {
  readonly #exchanges: ExchangesSeen;
  readonly #esp: EspSeen;

  constructor(crypto: HipCrypto, keys: KeyLog) {
    this.#exchanges = new ExchangesSeen(crypto, keys);
    this.#esp = new EspSeen(keys);
  }

  /** `undefined` for what is neither HIP nor ESP. */
  message(upper: UpperHeader): Message | undefined {
    switch (upper.protocol) {
      case HIP:
        return this.#hip(upper, upper.octets);
      case ESP:
        return upper.fragment === 'later' ? undefined : this.#espMessage(upper, upper.octets);
      case UDP:
        return upper.fragment === 'later' ? undefined : this.#datagram(upper);
      default:
        return undefined;
    }
  }

  /** RFC 9028 §5.1: the marker tells HIP from ESP; either port may be the one of HIP. */
  #datagram(upper: UpperHeader): Message | undefined {
    const r = new Reader(upper.octets);
    const udp = { srcPort: r.u16(), dstPort: r.u16() };
    const length = r.u16();
    if (r.failed || (udp.srcPort !== HIP_UDP_PORT && udp.dstPort !== HIP_UDP_PORT)) return undefined;
    const payload = upper.octets.subarray(UDP_HEADER_LENGTH, length === 0 ? undefined : length);
    switch (datagramKind(payload)) {
      case 'control':
        return this.#hip(upper, payload.subarray(HIP_MARKER_LENGTH), udp);
      case 'esp':
        return this.#espMessage(upper, payload, udp);
      case 'keepalive':
      case 'malformed':
        return undefined;
    }
  }

  #hip(upper: UpperHeader, octets: Uint8Array, udp?: Message['udp']): Message {
    const envelope = { ...upper, udp: udp !== undefined };
    const whole = upper.fragment === 'later' ? LATER_FRAGMENT : dissectHip(octets, envelope);
    const { parsed, error: flaw, ...header } = whole;
    const error: Flaw | undefined =
      flaw && upper.fragment === 'first' && octets.length < header.length ? { reason: 'fragment', at: flaw.at } : flaw;
    const checks = parsed && this.#exchanges.checks(parsed);
    const options = parsed === undefined ? header.options : this.#withDecrypted(parsed, header.options);
    if (parsed !== undefined && header.checksum !== 'bad' && checks?.signature !== 'bad') this.#exchanges.learn(parsed);
    return {
      ...addressesOf(upper),
      protocol: 'hip',
      ...(udp && { udp }),
      ...header,
      options,
      ...(checks && { checks }),
      ...(error && { error }),
    };
  }

  /** What the log's keys show of ENCRYPTED. */
  #withDecrypted(packet: ReceivedPacket, options: readonly DissectedOption[]): readonly DissectedOption[] {
    const inside = this.#exchanges.decrypted(packet);
    if (inside === undefined) return options;
    const fields = { parameters: inside.map(parameterSummary) };
    return options.map((option) => (option.name === 'ENCRYPTED' ? { ...option, fields } : option));
  }

  #espMessage(upper: UpperHeader, octets: Uint8Array, udp?: Message['udp']): Message {
    const esp = this.#esp.dissect(octets, (spi) => this.#exchanges.direction(spi));
    const plain = { ...addressesOf(upper), protocol: 'esp', ...(udp && { udp }), ...esp } as const;
    return upper.fragment === 'first' ? { ...plain, error: { reason: 'fragment', at: octets.length } } : plain;
  }
}

/** No header is in it. */
const LATER_FRAGMENT: HipHeader = {
  message: 'Unknown',
  length: 0,
  checksum: 'none',
  fields: {},
  options: [],
  error: { reason: 'fragment', at: 0 },
};
