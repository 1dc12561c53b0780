import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { verifyCga } from '../../src/cga/verify.ts';
import { parseCgaParameters } from '../../src/cga/parameters.ts';
import { parseRsaPublicKey } from '../../src/crypto/rsa-key.ts';
import { nodeCrypto } from '../../src/node/crypto.ts';
import type { OptionedMessage } from '../../src/shim6/messages.ts';
import { PeerVerifier } from '../../src/shim6/verification.ts';
import { hex, ip } from '../shim6/spec-vectors.ts';
import { Replay, withPrefixOf } from './replay.ts';
import type { CaptureName } from './replay.ts';

const Notes = z.object({
  A: z.object({ pds: z.string(), addr: z.record(z.string(), z.string()) }),
  B: z.object({ pds: z.string(), addr: z.record(z.string(), z.string()) }),
});

/** The parameter structure that LinShim6 keeps in its key file, and the addresses that it forms from it. */
function keyFile(name: 'hba' | 'cga', side: 'A' | 'B'): { parameters: Uint8Array; addresses: Uint8Array[] } {
  const file = new URL(`../vectors/linshim6-${name}.json`, import.meta.url);
  const { pds, addr } = Notes.parse(JSON.parse(readFileSync(file, 'utf8')))[side];
  return { parameters: hex(pds), addresses: ['1', '2', '3'].map((n) => ip(addr[n] ?? '')) };
}

function withParameters(parameters: Uint8Array): (message: OptionedMessage) => OptionedMessage {
  return (message) => ({ ...message, options: { ...message.options, parameters } }) as typeof message;
}

function responderAfterI2(name: CaptureName, change?: (message: OptionedMessage) => OptionedMessage): Replay {
  const replay = new Replay(name, 'B');
  replay.play(1);
  replay.take();
  replay.runTo(3);
  replay.deliver(3, change);
  return replay;
}

describe('LinShim6 keeps an HBA set under the prefix of its last member', () => {
  it.each(['A', 'B'] as const)(
    'S6-212 S6-213 host %s: plain CGA verification of the ULID fails, RFC 5535 §7.2 proves both members and not a third address',
    (side) => {
      const { parameters, addresses } = keyFile('hba', side);
      const [first, second, stranger] = addresses;
      if (first === undefined || second === undefined || stranger === undefined) throw new Error('three addresses');
      expect(verifyCga(nodeCrypto, first, parameters)).toEqual({ valid: false, reason: 'prefix-mismatch' });
      expect(verifyCga(nodeCrypto, second, parameters)).toEqual({ valid: true });
      const verifier = new PeerVerifier(nodeCrypto);
      expect([first, second, stranger].map((address) => verifier.ownsUlid(address, parameters))).toEqual([
        true,
        true,
        false, // its prefix is not in the extension, although the hash would fit
      ]);
      expect(verifyCga(nodeCrypto, stranger, withPrefixOf(parameters, stranger))).toEqual({ valid: true });
    },
  );

  it('S6-090 S6-212 an I2 with that structure, as LinShim6 may send it, is believed', () => {
    const replay = responderAfterI2('hba', withParameters(keyFile('hba', 'A').parameters));
    expect(replay.takeText()).toEqual(['R2 B1 A1']);
    expect(replay.standing('B1', 'A1').state).toBe('ESTABLISHED');
    expect(replay.context('B1', 'A1').peerLocators).toHaveLength(2);
  });

  it('S6-090 an I2 with the structure of a CGA host under another prefix is not: there is no set that it could belong to', () => {
    const replay = responderAfterI2('cga', withParameters(keyFile('cga', 'A').parameters)); // under fe80::
    expect(replay.take()).toEqual([]);
    expect(replay.host.contexts.size).toBe(0);
    expect(replay.host.drops.get('parameters')).toBe(1);
  });

  it('S6-090 nor one with the set of somebody else, or with a changed modifier', () => {
    const { parameters } = keyFile('hba', 'A');
    for (const wrong of [keyFile('hba', 'B').parameters, parameters.map((octet, i) => (i === 3 ? octet ^ 1 : octet))]) {
      const replay = responderAfterI2('hba', withParameters(wrong));
      expect(replay.take()).toEqual([]);
      expect(replay.host.drops.get('parameters')).toBe(1);
    }
  });
});

describe('LinShim6 puts raw octets where RFC 5535 wants an encoded key', () => {
  it('S6-207 its number in place of a key is no RSAPublicKey; we hash it and read nothing into it', () => {
    const parameters = responderAfterI2('hba').captured(3).message?.options.parameters;
    const parsed = parseCgaParameters(parameters ?? new Uint8Array(0));
    if (!parsed.ok) throw new Error('no parameters');
    expect(parseRsaPublicKey(parsed.value.publicKey).ok).toBe(false);
    expect(responderAfterI2('hba').standing('B1', 'A1').state).toBe('ESTABLISHED');
  });
});

describe('LinShim6 says too little', () => {
  it('S6-270 its Update Request for one remaining locator names none: we acknowledge it and keep the old set', () => {
    const replay = responderAfterI2('hba');
    const before = replay.context('B1', 'A1').peerLocators;
    replay.take();
    expect(replay.captured(17).message?.options).toEqual({});
    replay.play(17);
    expect(replay.takeText()).toEqual(['UpdateAcknowledgement B1 A2']);
    expect(replay.context('B1', 'A1').peerLocators).toEqual(before);
    expect(replay.standing('B1', 'A1')).toEqual({ state: 'ESTABLISHED', reap: 'Operational', pair: 'B1 A1' });
  });

  it('S6-065 its R2 with one locator left has no list and no parameters: the ULID alone is its set', () => {
    const replay = responderAfterI2('hba');
    replay.open('B2', 'A2');
    replay.deliver(24);
    expect(
      replay.context('B2', 'A2').peerLocators.map(({ address, method }) => [replay.name(address), method]),
    ).toEqual([['A2', 'ulid']]);
  });

  it('S6-046 its Update Request that brings only a timeout repeats the list under the same generation: taken, not stale', () => {
    const replay = responderAfterI2('ka');
    const [i2, update] = [3, 5].map((n) => replay.captured(n).message?.options.locatorList);
    expect(update).toEqual(i2);
    replay.take();
    replay.play(5);
    expect(replay.takeText()).toEqual(['UpdateAcknowledgement B1 A1']);
    expect(replay.host.drops.size).toBe(0);
  });
});

describe('LinShim6 repeats itself', () => {
  it.each([
    { name: 'cga', before: [16], first: 18, again: 25 },
    { name: 'hba', before: [], first: 17, again: 19 },
  ] as const)(
    '$name: S6-129 an Update Request that was acknowledged comes again: it gets its acknowledgement and changes nothing',
    ({ name, before, first, again }) => {
      const replay = responderAfterI2(name);
      replay.play(...before, first);
      const acknowledgement = replay
        .take()
        .filter(({ message: { type } }) => type === 'UpdateAcknowledgement')
        .at(-1);
      const locators = replay.context('B1', 'A1').peerLocators;
      replay.play(again);
      const [second] = replay.take().filter(({ message: { type } }) => type === 'UpdateAcknowledgement');
      expect(second?.octets).toEqual(acknowledgement?.octets);
      expect(replay.context('B1', 'A1').peerLocators).toEqual(locators);
    },
  );

  it('S6-074 it repeats an I1 four times although ICMPv6 said each time that nobody understands it; we do not', () => {
    const replay = new Replay('i1-retransmit', 'A');
    expect([9, 11, 13, 15, 17].map((n) => replay.captured(n).message?.type)).toEqual(Array(5).fill('I1'));
    replay.open('A1', 'B2');
    replay.deliver(10);
    replay.run(70_000);
    expect(replay.takeText()).toEqual(['I1 A1 B2']);
  });

  it('its probes report what it heard before it began to explore; such reports move nothing', () => {
    const replay = responderAfterI2('cga');
    replay.blocked = () => true; // no probe of ours fits the report
    replay.play(7);
    const probe = replay.captured(10).message;
    expect(probe).toMatchObject({ type: 'Probe', state: 'Exploring', received: [expect.anything()] });
    replay.play(10);
    expect(replay.standing('B1', 'A1')).toEqual({ state: 'ESTABLISHED', reap: 'InboundOk', pair: 'B1 A1' });
  });
});

describe('LinShim6 drops messages with options that it does not know', () => {
  const KNOWN = new Set(['responderValidator', 'locatorList', 'parameters', 'signature', 'keepaliveTimeout']);
  const names = (message: OptionedMessage): string[] =>
    Object.entries(message.options).flatMap(([name, value]) => (value === undefined ? [] : [name]));

  it.each(['cga', 'hba', 'ka', 'i1-retransmit', 'reap-backoff'] as const)(
    '%s: our R1, I2, R2 and Updates have none as long as all our locators are alike, whatever the profile',
    (name) => {
      const initiator = new Replay(name, 'A');
      initiator.open('A1', 'B1');
      initiator.play(2, 4);
      initiator.setLocators('A1');
      initiator.setLocators('A1', 'A2');
      const responder = responderAfterI2(name);
      const sent = [...initiator.take().slice(1), ...responder.take()]; // it ignores what is in an I1
      expect(sent.length).toBeGreaterThan(2);
      for (const { message } of sent) {
        if (message.type !== 'Error') expect(names(message).filter((option) => !KNOWN.has(option))).toEqual([]);
      }
    },
  );

  it('S6-129 preferences have no other way: of a lost ULID it hears from our probes, the Update Request goes on unanswered', () => {
    const replay = new Replay('cga', 'A');
    replay.open('A1', 'B1');
    replay.play(2, 4);
    replay.setLocators('A2');
    const updates = (): OptionedMessage[] =>
      replay.take().flatMap(({ message }) => (message.type === 'UpdateRequest' ? [message] : []));
    const [first] = updates();
    expect(first && names(first)).toContain('locatorPreferences');
    replay.run(40_000);
    const again = updates();
    expect(again.length).toBeGreaterThan(1);
    for (const message of again) expect(message).toEqual(first);
    expect(replay.standing('A1', 'B1').state).toBe('ESTABLISHED');
  });
});
