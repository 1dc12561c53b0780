import { describe, expect, it } from 'vitest';
import type { DissectedMessage } from '../../src/dissect/entry.ts';
import type { Shim6Options } from '../../src/shim6/options.ts';
import { contextTag } from '../../src/shim6/tag.ts';
import { generateCga } from '../../src/cga/generate.ts';
import { encodeCgaParameters } from '../../src/cga/parameters.ts';
import { signLocators } from '../../src/cga/signature.ts';
import { nodeCrypto, rsaSigner } from '../../src/node/crypto.ts';
import { readFileSync } from 'node:fs';
import { A1, A2, B1, B2, hex, ip } from '../shim6/spec-vectors.ts';
import { control, messagesOf, tagged } from './captures.ts';
import { CT_A, CT_B, I1, I2, R2 } from './story.ts';

const UDP = hex('d4310035 00080000');
const toB = tagged(A2, B2, CT_B, UDP);
const toA = tagged(B2, A2, CT_A, UDP);
const A_TO_B = { protocol: 17, src: '2001:db8:a:1::1', dst: '2001:db8:b:1::1' };
const B_TO_A = { protocol: 17, src: '2001:db8:b:1::1', dst: '2001:db8:a:1::1' };
const inners = (...packets: Uint8Array[]): unknown[] => messagesOf(...packets).map(({ inner }) => inner);
const last = (...packets: Uint8Array[]): DissectedMessage | undefined => messagesOf(...packets).at(-1);
const spoilt = (packet: Uint8Array): Uint8Array => packet.map((octet, i) => (i === 44 ? octet ^ 1 : octet));

describe('the ULIDs of payload', () => {
  it('are those of the context that the tag names, in both directions', () => {
    const [, , , fourth, fifth] = inners(control(A1, B1, I1), control(A1, B1, I2), control(B1, A1, R2), toB, toA);
    expect(fourth).toEqual(A_TO_B);
    expect(fifth).toEqual(B_TO_A);
  });

  it('are not known before the handshake', () => {
    expect(inners(toB)).toEqual([{ protocol: 17 }]);
    expect(inners(control(A1, B1, I1), toA)[1]).toEqual({ protocol: 17 });
  });

  it('are known towards the initiator once its I2 was seen, towards the responder not', () => {
    expect(inners(control(A1, B1, I2), toA, toB).slice(1)).toEqual([B_TO_A, { protocol: 17 }]);
  });

  it('come from the ULID Pair option where the handshake goes over other locators', () => {
    const options = { ulidPair: { sender: A1, receiver: B1 } };
    const request = control(A2, B2, { ...I1, options });
    expect(inners(request, control(B2, A2, R2), toB, toA).slice(2)).toEqual([A_TO_B, B_TO_A]);
  });

  it('are not taken from an R2 that answers nothing, nor from messages with a fault', () => {
    expect(last(control(B1, A1, R2), toB)?.inner).toEqual({ protocol: 17 });
    expect(last(control(A1, B1, I2), control(B2, A1, R2), toB)?.inner).toEqual({ protocol: 17 });
    expect(last(spoilt(control(A1, B1, I2)), toA)?.inner).toEqual({ protocol: 17 });
  });

  it('are told apart by the destination when two hosts chose the same tag', () => {
    const C = ip('2001:db8:c::1');
    const D = ip('2001:db8:d::1');
    const one = control(A1, B1, I2);
    const other = control(C, D, { ...I2, options: {} });
    const toC = tagged(D, C, CT_A, UDP);
    const stray = tagged(D, ip('2001:db8:e::1'), CT_A, UDP);
    expect(inners(one, other, toA, toC, stray).slice(2)).toEqual([
      B_TO_A, // A listed A2
      { protocol: 17, src: '2001:db8:d::1', dst: '2001:db8:c::1' },
      { protocol: 17 },
    ]);
  });
});

describe('S6-056 the signature of a locator list', () => {
  const signer = rsaSigner(readFileSync(new URL('../vectors/test-key-a.pem', import.meta.url), 'utf8'));
  const made = generateCga({
    crypto: nodeCrypto,
    random: (length) => new Uint8Array(length).fill(7),
    prefix: hex('20010db8000a0001'),
    publicKey: signer.publicKey,
    sec: 0,
  });
  const ULID = made.address;
  const parameters = encodeCgaParameters(made.parameters);
  const locators = [ULID, A2].map((address) => ({ address, method: 2 }));
  const signature = signLocators(signer, 9, [ULID, A2]);
  const locatorList = { generation: 9, locators };
  const i2 = (options: Shim6Options): Uint8Array => control(ULID, B1, { ...I2, options });
  const update = (options: Shim6Options): Uint8Array =>
    control(ULID, B1, { type: 'UpdateRequest', receiverContextTag: contextTag(CT_B), requestNonce: 1, options });
  const r2 = control(B1, ULID, R2);

  it('is good when the key of the ULID made it', () => {
    expect(last(i2({ parameters, locatorList, signature }))?.checks).toEqual({ signature: 'good' });
  });

  it('is bad over another list, by another key, or with parameters that do not make the ULID', () => {
    const other = { generation: 10, locators };
    expect(last(i2({ parameters, locatorList: other, signature }))?.checks).toEqual({ signature: 'bad' });
    const strange = parameters.map((octet, i) => (i === 3 ? octet ^ 1 : octet));
    expect(last(i2({ parameters: strange, locatorList, signature }))?.checks).toEqual({ signature: 'bad' });
    expect(last(i2({ parameters, locatorList, signature: signature.map((octet) => octet ^ 1) }))?.checks).toEqual({
      signature: 'bad',
    });
  });

  it('is absent, or unknown where list or parameters were not seen', () => {
    expect(last(i2({ parameters, locatorList }))?.checks).toEqual({ signature: 'absent' });
    expect(last(i2({ parameters, signature }))?.checks).toEqual({ signature: 'unknown' });
    expect(last(i2({ locatorList, signature }))?.checks).toEqual({ signature: 'unknown' });
  });

  it('of an Update Request uses parameters sent before, and those in it where the context is not known', () => {
    const first = i2({ parameters, locatorList, signature });
    const bare = update({ locatorList, signature });
    expect(last(first, r2, bare)?.checks).toEqual({ signature: 'good' });
    expect(last(bare)?.checks).toEqual({ signature: 'unknown' });
    expect(last(update({ parameters, locatorList, signature }))?.checks).toEqual({ signature: 'good' });
  });

  it('that is bad teaches nothing: parameters and tags of such a message are not used', () => {
    const forged = i2({ parameters, locatorList: { generation: 10, locators }, signature });
    expect(last(forged, r2, update({ locatorList, signature }))?.checks).toEqual({ signature: 'unknown' });
    expect(last(forged, tagged(B1, ULID, CT_A, UDP))?.inner).toEqual({ protocol: 17 });
  });

  it('is not asked of messages that cannot have one, nor of those with a fault', () => {
    expect(last(control(A1, B1, I1))).not.toHaveProperty('checks');
    const cutOff = i2({ parameters, locatorList, signature }).subarray(0, 120);
    expect(last(cutOff)).not.toHaveProperty('checks');
  });
});
