import { checkAssociation } from '../esp/security-association.ts';
import type { SecurityAssociation } from '../esp/security-association.ts';
import { DEFAULT_WINDOW } from '../esp/replay-window.ts';
import type { Esp, EspCarrier, EspCounters, EspPath } from '../host/esp-ports.ts';
import type { Batch } from '../host/ports.ts';
import { addon } from './addon.ts';
import { systemError } from './error.ts';

/** `enum counter` of native/association.h, then both halves of the sequence number. */
const COUNTERS = 10;

/** ESP by the addon, on the OpenSSL inside Node. All SAs of a thread share one table of SPIs. */
export class NativeEsp implements Esp {
  readonly #numbers = new Float64Array(COUNTERS);

  addInbound(sa: SecurityAssociation): number {
    return add(1, sa);
  }

  addOutbound(sa: SecurityAssociation): number {
    return add(0, sa);
  }

  setPath(outbound: number, { socket, source, destination, port }: EspPath): void {
    checked(addon().espPath(outbound, socket, Uint8Array.of(...source, ...destination), port));
  }

  remove(handle: number): void {
    checked(addon().espRemove(handle));
  }

  counters(handle: number): EspCounters {
    checked(addon().espCounters(handle, this.#numbers));
    const [packets = 0, octets = 0, replayed = 0, forged = 0, malformed = 0, padding = 0, dummies = 0, exhausted = 0] =
      this.#numbers;
    const [high = 0, low = 0] = this.#numbers.subarray(8);
    const sequence = (BigInt(high) << 32n) + BigInt(low);
    return { packets, octets, replayed, forged, malformed, padding, dummies, exhausted, sequence };
  }

  seal(from: Batch, count: number, into: Batch): number {
    if (count > from.slots) throw new RangeError('more packets than slots');
    return checked(
      addon().espSeal(from.slab, from.meta, count, from.stride, into.slab, into.meta, into.slots, into.stride),
    );
  }

  open(from: Batch, count: number, into: Batch, carrier: EspCarrier): number {
    if (count > from.slots) throw new RangeError('more packets than slots');
    const udp = carrier === 'udp' ? 1 : 0;
    return checked(
      addon().espOpen(udp, from.slab, from.meta, count, from.stride, into.slab, into.meta, into.slots, into.stride),
    );
  }
}

function add(inbound: 0 | 1, sa: SecurityAssociation): number {
  checkAssociation(sa);
  const sequence = new Uint8Array(8);
  new DataView(sequence.buffer).setBigUint64(0, sa.sequence ?? 0n);
  return checked(
    addon().espAdd(
      inbound,
      sa.suite,
      sa.spi,
      sa.keys.encryption,
      sa.keys.authentication,
      Uint8Array.of(...sa.source, ...sa.destination),
      sequence,
      sa.hasShortNumbers === true ? 1 : 0,
      sa.window ?? DEFAULT_WINDOW,
    ),
  );
}

function checked(result: number): number {
  if (result < 0) throw systemError(-result, 'a security association');
  return result;
}
