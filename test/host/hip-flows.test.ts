import { describe, expect, it } from 'vitest';
import { HipFlows } from '../../src/host/hip-flows.ts';
import type { HipFlow } from '../../src/host/hip-flows.ts';
import { batch, FIELDS, FLAGS, HEADROOM, LENGTH, OFFSET } from '../../src/host/ports.ts';
import type { Batch } from '../../src/host/ports.ts';
import { writeIpv6Header } from '../../src/wire/ipv6.ts';
import { Writer } from '../../src/wire/writer.ts';
import { address } from './hip-hosts.ts';

const OWN = address('2001:22::1');
const PEER = address('2001:22::2');
const HANDLE = 3;
const SPI = 0x1234;

/** Packets of 100 octets between these addresses, one a slot. */
function packets(...pairs: readonly (readonly [Uint8Array, Uint8Array])[]): Batch {
  const all = batch(pairs.length, 2048);
  pairs.forEach(([source, destination], slot) => {
    const w = new Writer(100);
    const numbers = { trafficClass: 0, flowLabel: 0, payloadLength: 60, nextHeader: 17, hopLimit: 64 };
    writeIpv6Header(w, { ...numbers, source, destination });
    w.zeros(60);
    const at = slot * all.stride + HEADROOM;
    all.slab.set(w.finish(), at);
    all.meta[slot * FIELDS + OFFSET] = at;
    all.meta[slot * FIELDS + LENGTH] = 100;
  });
  return all;
}

function flowTo(flows: HipFlows, out: number | undefined, credit?: number): HipFlow {
  const flow = { own: OWN, peer: PEER, out, credit, sent: 0, heard: new Map<number, number>(), heardOn: undefined };
  flows.add(flow);
  return flow;
}

describe('packets to HITs', () => {
  it('go to the SA of their association; all others are left as they are (HIP-249, HIP-250)', () => {
    const flows = new HipFlows();
    const flow = flowTo(flows, HANDLE);
    const all = packets([OWN, PEER], [address('2001:db8::1'), address('2001:db8::2')]);
    const before = all.slab.slice();
    expect(flows.classify(all, 2, () => undefined)).toBe(1);
    expect([all.meta[FLAGS], all.meta[FIELDS + FLAGS]]).toEqual([HANDLE, -1]);
    flows.clear(all, 2);
    expect([all.meta[LENGTH], all.meta[FIELDS + LENGTH]]).toEqual([0, 100]);
    expect(all.slab).toEqual(before);
    expect(flow.sent).toBe(100);
  });

  it('wait while there is no SA', () => {
    const flows = new HipFlows();
    flowTo(flows, undefined);
    const held: Uint8Array[] = [];
    expect(flows.classify(packets([OWN, PEER], [PEER, OWN]), 2, (packet) => held.push(packet))).toBe(2);
    expect(held.map(({ length }) => length)).toEqual([100, 100]);
  });

  it('stop where the credit of an unverified address ends (HIP-326)', () => {
    const flows = new HipFlows();
    const flow = flowTo(flows, HANDLE, 250);
    const all = packets([OWN, PEER], [OWN, PEER], [OWN, PEER]);
    flows.classify(all, 3, () => undefined);
    expect([0, 1, 2].map((slot) => all.meta[slot * FIELDS + FLAGS])).toEqual([HANDLE, HANDLE, -1]);
    expect([flow.credit, flow.sent, flows.drops.credit]).toEqual([50, 200, 1]);
  });
});

describe('what an SA opened', () => {
  it('is discarded when the SA belongs to no association (HIP-220, HIP-247)', () => {
    const flows = new HipFlows();
    const flow = flowTo(flows, HANDLE);
    flows.listen(HANDLE, flow, SPI);
    const all = packets([PEER, OWN], [PEER, OWN]);
    all.meta[FLAGS] = HANDLE + 1;
    all.meta[FIELDS + FLAGS] = HANDLE;
    expect(flows.arrived(all, 2, () => undefined)).toBe(1);
    expect(all.meta[OFFSET]).toBe(all.stride + HEADROOM);
    expect(flows.drops.unknownSpi).toBe(1);
    expect([...flow.heard]).toEqual([[SPI, 100]]);
    flows.unlisten(HANDLE);
    all.meta[FLAGS] = HANDLE;
    expect(flows.arrived(all, 1, () => undefined)).toBe(0);
  });
});
