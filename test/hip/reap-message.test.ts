import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decode, encode } from '../../interop/reap-over-hip.ts';
import type { Frame } from '../../interop/reap-over-hip.ts';
import { reapIn, reapParameter } from '../../src/hip/negotiation.ts';
import { encodeReapMessage, parseReapMessage } from '../../src/hip/reap-message.ts';
import type { ReapMessage } from '../../src/hip/reap-message.ts';
import { fromHex, toHex } from '../../src/wire/hex.ts';

const address = fc.oneof(
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
  fc
    .uint8Array({ minLength: 4, maxLength: 4 })
    .map((four) => Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, ...four)),
);
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const report = fc.record({ source: address, destination: address, nonce: u32, data: u32 });
const message: fc.Arbitrary<ReapMessage> = fc.oneof(
  fc.constant({ type: 'Keepalive' } as const),
  fc.record({
    type: fc.constant('Probe' as const),
    probe: fc.record({
      state: fc.constantFrom('Operational', 'Exploring', 'InboundOk'),
      sent: fc.array(report, { minLength: 1, maxLength: 15 }),
      received: fc.array(report, { maxLength: 15 }),
      pathTest: fc.boolean(),
    }),
  }),
);

/** The contents of REAP_CARRIER as this stack writes them. */
function ours(counter: number, one: ReapMessage): Uint8Array {
  const parameter = reapParameter({ counter, octets: encodeReapMessage(one) });
  return parameter.type === 'UNKNOWN' ? parameter.contents : new Uint8Array();
}

/** What this stack reads in contents of REAP_CARRIER. */
function read(contents: Uint8Array): { counter: number; message: ReapMessage } | undefined {
  const carried = reapIn([{ type: 'UNKNOWN', number: 41_878, contents, at: 40, octets: contents }]);
  const parsed = carried && parseReapMessage(carried.octets);
  return parsed?.ok === true ? { counter: carried?.counter ?? -1, message: parsed.value } : undefined;
}

/** The same message as the second implementation has it. */
function asFrame(counter: number, one: ReapMessage): Frame {
  if (one.type === 'Keepalive')
    return { counter, type: 'Keepalive', pathTest: false, state: '', sent: [], received: [] };
  const { state, sent, received, pathTest } = one.probe;
  const told = (reports: typeof sent): Frame['sent'] =>
    reports.map((each) => ({ ...each, source: toHex(each.source), destination: toHex(each.destination) }));
  return { counter, type: 'Probe', pathTest, state, sent: told(sent), received: told(received) };
}

describe('REAP over HIP', () => {
  it('is written and read alike by two implementations of docs/reap-over-hip.md', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0x7fff_fffe }), message, (counter, one) => {
        const frame = asFrame(counter, one);
        expect(toHex(encode(frame))).toBe(toHex(ours(counter, one)));
        expect(decode(ours(counter, one))).toEqual(frame);
        expect(read(encode(frame))).toEqual({ counter, message: one });
      }),
    );
  });

  it('is refused alike by both, whatever the octets', () => {
    const valid = message.map((one) => ours(7, one));
    const octets = fc.oneof(
      fc.uint8Array({ maxLength: 140 }),
      fc.tuple(valid, fc.nat(), fc.integer({ min: 0, max: 255 })).map(([one, at, value]) => {
        one[at % Math.min(one.length, 13)] = value;
        return one;
      }),
      fc.tuple(valid, fc.nat()).map(([one, length]) => one.subarray(0, length % (one.length + 1))),
    );
    fc.assert(
      fc.property(octets, (contents) => {
        const [here, there] = [read(contents), decode(contents)];
        expect(here === undefined).toBe(there === undefined);
        if (here !== undefined) expect(there).toEqual(asFrame(here.counter, here.message));
      }),
      { numRuns: 1000 },
    );
  });

  it('has these octets', () => {
    const source = fromHex('20010db800a100000000000000000001') ?? new Uint8Array();
    const destination = fromHex('00000000000000000000ffffc0000201') ?? new Uint8Array();
    const probe = {
      state: 'InboundOk',
      sent: [{ source, destination, nonce: 1, data: 0 }],
      received: [],
      pathTest: true,
    } as const;
    expect(toHex(ours(5, { type: 'Keepalive' }))).toBe('0000000542000000');
    expect(toHex(ours(6, { type: 'Probe', probe }))).toBe(
      '00000006' + '43800000' + '01800000' + toHex(source) + toHex(destination) + '00000001' + '00000000',
    );
  });
});
