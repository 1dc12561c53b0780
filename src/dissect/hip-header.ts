import { HIP_HEADER_LENGTH, hipLength, packetTypeOf, parseHip } from '../hip/packet-codec.ts';
import { hasGoodChecksum } from '../hip/packet-carriage.ts';
import type { ReceivedPacket } from '../hip/packet.ts';
import { Reader } from '../wire/reader.ts';
import type { Address } from '../wire/address.ts';
import type { DissectedMessage, Fields } from './entry.ts';
import { dissectParameters, hitText } from './hip-parameters.ts';

/** A HIP packet by itself. */
export interface HipHeader extends Pick<
  DissectedMessage,
  'message' | 'length' | 'checksum' | 'fields' | 'options' | 'error'
> {
  /** What the codec makes of it, when it has no fault but perhaps its checksum. */
  readonly parsed?: ReceivedPacket;
}

/** How a packet came; inside UDP it has no checksum of its own (RFC 9028 §5.1). */
export interface Envelope {
  readonly source: Address;
  readonly destination: Address;
  readonly udp: boolean;
}

const TYPE_AT = 2;
const VERSION_AT = 3;

/** Any HIP packet, RFC 7401 §5.1: whatever can be told of it, and where it stops to make sense. */
export function dissectHip(octets: Uint8Array, envelope: Envelope): HipHeader {
  const parsed = parseHip(octets);
  const length = octets.length < 2 ? octets.length : hipLength(octets);
  const whole = octets.length >= Math.max(length, HIP_HEADER_LENGTH) ? octets.subarray(0, length) : undefined;
  if (parsed.ok) {
    const { type, isAnonymous } = parsed.value;
    const options = dissectParameters(parsed.value.octets.subarray(HIP_HEADER_LENGTH));
    const fields = { ...hitFields(octets), ...(type === 'R1' || type === 'I2' ? { anonymous: isAnonymous } : {}) };
    return { message: type, length, checksum: checksumOf(whole, envelope), fields, options, parsed: parsed.value };
  }
  const { reason, at } = parsed;
  const error = { reason, at };
  if (octets.length <= VERSION_AT)
    return { message: 'Unknown', length, checksum: 'none', fields: {}, options: [], error };
  const checksum = checksumOf(whole, envelope);
  if (reason === 'unknown-version') {
    const fields = {
      version: (octets[VERSION_AT] ?? 0) >> 4,
      type: (octets[TYPE_AT] ?? 0) & 0x7f,
      ...hitFields(octets),
    };
    return { message: 'Unknown', length, checksum, fields, options: [], error };
  }
  const number = (octets[TYPE_AT] ?? 0) & 0x7f;
  const type = packetTypeOf(number);
  const fields = { ...(type === undefined ? { type: number } : {}), ...hitFields(octets) };
  const options = dissectParameters((whole ?? octets).subarray(HIP_HEADER_LENGTH));
  return { message: type ?? 'Unknown', length, checksum, fields, options, error };
}

function checksumOf(whole: Uint8Array | undefined, { source, destination, udp }: Envelope): HipHeader['checksum'] {
  if (whole === undefined || udp) return 'none';
  return hasGoodChecksum(whole, source, destination) ? 'good' : 'bad';
}

/** Both HITs, unless they are cut off. */
function hitFields(octets: Uint8Array): Fields {
  if (octets.length < HIP_HEADER_LENGTH) return {};
  const r = new Reader(octets);
  r.skip(8);
  return { senderHit: hitText(r.octets(16)), receiverHit: hitText(r.octets(16)) };
}
