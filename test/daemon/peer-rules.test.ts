import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/daemon/load.ts';
import { PeerRules } from '../../src/daemon/peer-rules.ts';
import type { HostLocator } from '../../src/host/host-io.ts';
import { nodeCrypto } from '../../src/node/crypto.ts';
import { toHex } from '../../src/wire/hex.ts';
import { ip } from '../shim6/spec-vectors.ts';

const FRIEND = ip('2001:db8:5::1');
const STRANGER = ip('2001:db8:6::1');
const KEY = Uint8Array.of(0x30, 1, 7);
const FINGERPRINT = toHex(nodeCrypto.sha256(KEY)).toUpperCase();

function rules(text: string): PeerRules {
  const { peers, policy } = parseConfig(text, 'a');
  return new PeerRules(peers, policy);
}

function locator(name: string): HostLocator {
  return { address: FRIEND, state: 'preferred', operational: true, interface: name, parameters: undefined };
}

describe('who may open a context', () => {
  it('everybody, without a word about it', () => {
    expect(rules('').admits({ peer: STRANGER, interface: 'eth0' })).toBe(true);
  });

  it('by prefix: the first table decides, then allow and deny', () => {
    const text = '[policy]\ndeny = ["2001:db8:6::/48"]\n[[peer]]\nprefix = "2001:db8:6::/64"\naccept = true';
    const more = '\n[[peer]]\nprefix = "2001:db8::/32"\naccept = false';
    expect(rules(text).admits({ peer: STRANGER })).toBe(true);
    expect(rules(text).admits({ peer: ip('2001:db8:6:1::1') })).toBe(false);
    expect(rules(text + more).admits({ peer: FRIEND })).toBe(false);
    expect(rules(text + more).admits({ peer: STRANGER })).toBe(true);
  });

  it('by the interface on which the peer arrives', () => {
    const only = rules('[[peer]]\ninterface = "eth*"\n[[peer]]\naccept = false');
    expect(only.admits({ peer: FRIEND, interface: 'eth1' })).toBe(true);
    expect(only.admits({ peer: FRIEND, interface: 'wlan0' })).toBe(false);
  });

  it('by key: an I1 may lead to it, an I2 must show it', () => {
    const only = rules(`[[peer]]\nkey = "${FINGERPRINT}"\n[[peer]]\naccept = false`);
    expect(only.admits({ peer: FRIEND })).toBe(true);
    expect(only.admits({ peer: FRIEND, publicKey: KEY })).toBe(true);
    expect(only.admits({ peer: FRIEND, publicKey: Uint8Array.of(0x30, 1, 8) })).toBe(false);
    expect(only.admits({ peer: FRIEND, publicKey: null })).toBe(false);
  });

  it('a key that is refused is refused when it shows', () => {
    const others = rules(`[[peer]]\nkey = "${FINGERPRINT}"\naccept = false`);
    expect(others.admits({ peer: FRIEND })).toBe(true);
    expect(others.admits({ peer: FRIEND, publicKey: KEY })).toBe(false);
  });
});

describe('what is announced', () => {
  it('everything, or what the first table with `announce` says', () => {
    const some = rules('[[peer]]\nprefix = "2001:db8:5::/48"\nannounce = ["eth*"]\n[[peer]]\nannounce = []');
    const told = (peer: Uint8Array, name: string): boolean => some.announces(peer, locator(name));
    expect([told(FRIEND, 'eth0'), told(FRIEND, 'wlan0'), told(STRANGER, 'eth0')]).toEqual([true, false, false]);
    expect(rules('').announces(STRANGER, locator('wlan0'))).toBe(true);
  });

  it('does not go by key or interface, which are not known in time', () => {
    expect(() => parseConfig('[[peer]]\ninterface = "eth0"\nannounce = []', 'a')).toThrow(
      /announce goes by prefix alone/,
    );
  });

  it('a table that is not a list of tables is a mistake', () => {
    expect(() => parseConfig('[peer]\naccept = false', 'a')).toThrow(/must be written as \[\[peer\]\]/);
  });
});
