import { isOrchid } from '../hip/orchid.ts';
import type { LocatorPair } from '../locators/pair.ts';
import { addressPairKey } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { DESTINATION_ADDRESS_AT, IPV6_HEADER_LENGTH, SOURCE_ADDRESS_AT } from '../wire/ipv6.ts';
import { CONTROL } from './esp-ports.ts';
import { noteArrival } from './fast-path.ts';
import { completeChecksum } from './fragments.ts';
import { CHECKSUM_OFFSET, CHECKSUM_START, FIELDS, FLAGS, GSO_SIZE, LENGTH, OFFSET } from './ports.ts';
import type { Batch } from './ports.ts';

/** What packets need to know of one association. The host writes it, packets only count in it. */
export interface HipFlow {
  readonly own: Address;
  readonly peer: Address;
  /** Handle of the outbound SA in use; `undefined` while there is none: then packets wait. */
  out: number | undefined;
  /** Octets that may still go to an address that is not verified, RFC 8046 §5.6. */
  credit: number | undefined;
  sent: number;
  /** Octets by SPI of the SA on which they came. */
  readonly heard: Map<number, number>;
  /** Where the last of them came from, and to. */
  heardOn: LocatorPair | undefined;
}

interface Inbound {
  readonly flow: HipFlow;
  readonly spi: number;
}

/** Which packet belongs to which association. */
export class HipFlows {
  readonly #byHits = new Map<string, HipFlow>();
  readonly #byHandle = new Map<number, Inbound>();
  readonly #touched = new Set<HipFlow>();
  readonly drops: { credit: number; unknownSpi: number } = { credit: 0, unknownSpi: 0 };

  add(flow: HipFlow): void {
    this.#byHits.set(addressPairKey(flow.own, flow.peer), flow);
  }

  remove(flow: HipFlow): void {
    this.#byHits.delete(addressPairKey(flow.own, flow.peer));
    this.#touched.delete(flow);
  }

  /** What is opened by the SA of this handle belongs to `flow`, or to nobody any more. */
  listen(handle: number, flow: HipFlow, spi: number): void {
    this.#byHandle.set(handle, { flow, spi });
  }

  unlisten(handle: number): void {
    this.#byHandle.delete(handle);
  }

  /** Whether `takeTouched` would return something. */
  get isTouched(): boolean {
    return this.#touched.size > 0;
  }

  /** Flows that carried packets since the last call. */
  takeTouched(): HipFlow[] {
    if (this.#touched.size === 0) return [];
    const touched = [...this.#touched];
    this.#touched.clear();
    return touched;
  }

  /**
   * Name the SA of each packet to a HIT in FLAGS, and give those that have none yet to `held`, copied. Returns how many packets
   * go to HITs; the others get a negative FLAGS.
   */
  classify(batch: Batch, count: number, held: (packet: Uint8Array) => void): number {
    const { slab, meta } = batch;
    let ours = 0;
    let flow: HipFlow | undefined;
    let key = '';
    for (let slot = 0; slot < count; slot++) {
      const row = slot * FIELDS;
      const start = meta[row + OFFSET] ?? 0;
      const length = meta[row + LENGTH] ?? 0;
      meta[row + FLAGS] = -1;
      if (length < IPV6_HEADER_LENGTH || !isOrchid(addressAt(slab, start + DESTINATION_ADDRESS_AT))) continue;
      ours++;
      const own = addressPairKey(
        addressAt(slab, start + SOURCE_ADDRESS_AT),
        addressAt(slab, start + DESTINATION_ADDRESS_AT),
      );
      if (own !== key) [key, flow] = [own, this.#byHits.get(own)];
      if (flow?.out === undefined) {
        const packet = copied(batch, row);
        if (packet !== undefined) held(packet);
        continue;
      }
      if (flow.credit !== undefined && flow.credit < length) {
        this.drops.credit++;
        continue;
      }
      if (flow.credit !== undefined) flow.credit -= length;
      meta[row + FLAGS] = flow.out;
      flow.sent += length;
      this.#touched.add(flow);
    }
    return ours;
  }

  /** Nothing else is to be done with packets to HITs. */
  clear({ slab, meta }: Batch, count: number): void {
    for (let slot = 0; slot < count; slot++) {
      const row = slot * FIELDS;
      const at = (meta[row + OFFSET] ?? 0) + DESTINATION_ADDRESS_AT;
      if (isOrchid(addressAt(slab, at))) meta[row + LENGTH] = 0;
    }
  }

  /** Move what was opened to the front of the batch, and give HIP packets to `control`; returns how many are for programs. */
  arrived(batch: Batch, count: number, control: (slot: number) => void): number {
    const { slab, meta, stride } = batch;
    let ready = 0;
    for (let slot = 0; slot < count; slot++) {
      const row = slot * FIELDS;
      const flags = meta[row + FLAGS] ?? 0;
      const inbound = this.#byHandle.get(flags);
      if (flags === CONTROL) control(slot);
      else if (inbound === undefined) this.drops.unknownSpi++;
      if (inbound === undefined) continue;
      const { flow, spi } = inbound;
      flow.heard.set(spi, (flow.heard.get(spi) ?? 0) + (meta[row + LENGTH] ?? 0));
      noteArrival(flow, slab, slot * stride);
      this.#touched.add(flow);
      const to = ready++ * FIELDS;
      if (to !== row) meta.copyWithin(to, row, row + FIELDS);
    }
    return ready;
  }
}

function addressAt(slab: Uint8Array, at: number): Address {
  return slab.subarray(at, at + 16);
}

/** One packet with its checksum finished; `undefined` for a super-packet, which no connection begins with. */
function copied({ slab, meta }: Batch, row: number): Uint8Array | undefined {
  if ((meta[row + GSO_SIZE] ?? 0) > 0) return undefined;
  const start = meta[row + OFFSET] ?? 0;
  const packet = slab.slice(start, start + (meta[row + LENGTH] ?? 0));
  const sumFrom = meta[row + CHECKSUM_START] ?? 0;
  if (sumFrom > 0) completeChecksum(packet, sumFrom, meta[row + CHECKSUM_OFFSET] ?? 0);
  return packet;
}
