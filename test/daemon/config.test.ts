import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LociError } from '../../src/node/error.ts';
import { lineOf, loadConfig, parseConfig } from '../../src/daemon/load.ts';
import { configJsonSchema, configOf } from '../../src/daemon/schema.ts';
import { interfaceSelected, linkOf, peerFilter } from '../../src/daemon/selection.ts';
import { parseAddress } from '../../src/wire/address.ts';
import type { Address } from '../../src/wire/address.ts';

function mistake(text: string): LociError {
  try {
    parseConfig(text, 'locid.toml');
  } catch (error) {
    if (error instanceof LociError) return error;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new TypeError(text);
  return parsed;
}

describe('the configuration file', () => {
  it('has a default for every key', () => {
    const config = parseConfig('', 'empty.toml');
    expect(config).toMatchObject({
      profile: 'fast',
      keyFile: '/var/lib/loci/key.json',
      controlSocket: '/run/loci/control.sock',
      tun: { name: 'loci0' },
      interception: { mark: 0x1000_0000, divertPreference: 100, table: 533, rtoMinMs: 50 },
      policy: { triggerPackets: 50, exemptPorts: [53], idleMinutes: 5 },
      detection: { returnAfterSeconds: 5, probeBudget: 200, sendTimeoutMs: {} },
    });
  });

  it('of the examples says the defaults', () => {
    expect(loadConfig('examples/locid.toml')).toEqual(parseConfig('', 'empty.toml'));
  });

  it('of the examples names every key', () => {
    const text = readFileSync('examples/locid.toml', 'utf8');
    const keys = (schema: unknown): string[] => {
      if (typeof schema !== 'object' || schema === null || !('properties' in schema)) return [];
      return Object.entries(schema.properties ?? {}).flatMap(([key, inner]) => [key, ...keys(inner)]);
    };
    for (const key of keys(configJsonSchema())) expect(text, key).toMatch(new RegExp(`^(# |\\[.*)?${key}\\b`, 'm'));
  });

  it('keeps the key in the state directory unless told otherwise', () => {
    expect(parseConfig('state_directory = "/srv/loci"', 'a').keyFile).toBe('/srv/loci/key.json');
    expect(parseConfig('state_directory = "/srv/loci"\nkey_file = "/etc/k"', 'a').keyFile).toBe('/etc/k');
  });

  it('takes send timeouts per profile', () => {
    const config = parseConfig('[detection.send_timeout_ms]\nfast = 40', 'a');
    expect(config.detection.sendTimeoutMs).toEqual({ fast: 40 });
  });
});

describe('a mistake in the configuration', () => {
  it('of syntax names file, line and column', () => {
    const error = mistake('profile = "fast"\n\n[policy\n');
    expect(error).toMatchObject({ code: 'config', file: 'locid.toml', line: 3 });
    expect(error.message).toMatch(/^not TOML: .*\(column \d+\)$/);
  });

  it.each([
    ['profile = "quick"', 1, 'profile must be "fast", "balanced" or "rfc"'],
    ['\n\n[policy]\ndeny = []\ntrigger_packets = 0', 5, 'policy.trigger_packets must be an integer from 1 to 1000000'],
    ['[policy]\ntrigger_packets = "many"', 2, 'policy.trigger_packets must be an integer from 1 to 1000000'],
    ['[policy]\nexempt_ports = [\n53,\n70000]', 2, 'policy.exempt_ports[1] must be an integer from 1 to 65535'],
    ['policy.deny = ["fe80::1"]', 1, 'policy.deny[0] must be an IPv6 prefix such as "2001:db8::/32"'],
    ['[policy]\ndeny = ["::/129"]', 2, 'policy.deny[0] must be an IPv6 prefix such as "2001:db8::/32"'],
    ['control_socket = "run/x"', 1, 'control_socket must be an absolute path of at most 107 octets'],
    [`control_socket = "/${'x'.repeat(107)}"`, 1, 'control_socket must be an absolute path of at most 107 octets'],
    [
      '[detection.send_timeout_ms]\nrfc = 1500',
      2,
      'detection.send_timeout_ms.rfc must be whole seconds: a multiple of 1000',
    ],
    [
      '[interception]\ntable = 254',
      2,
      'interception.table must not be 253, 254 or 255: the kernel has its own tables there',
    ],
    [
      '[interception]\nlocator_table = 500',
      2,
      'interception.locator_table must leave 64 numbers free that do not contain table',
    ],
    ['[interception]\nmark = 3', 2, 'interception.mark must have exactly one of 32 bits set, such as 0x10000000'],
    [
      '[interception]\nlocator_preference = 99',
      2,
      'interception.locator_preference must be greater than divert_preference',
    ],
    ['tun = 3', 1, 'tun must be a table'],
    ['[tun]\nname = "a name"', 2, 'tun.name must be an interface name of 1 to 15 characters'],
  ])('names line, key and what is allowed: %j', (text, line, message) => {
    const error = mistake(text);
    expect(error.message).toBe(message);
    expect(error).toMatchObject({ code: 'config', file: 'locid.toml', line });
  });

  it.each([
    ['profil = "fast"', 'profil is not a key of this file; did you mean profile?'],
    [
      '[policy]\ntriger_packet = 3',
      'policy.triger_packet is not a key of this file; did you mean policy.trigger_packets?',
    ],
    ['exempt_ports = []', 'exempt_ports is not a key of this file; did you mean policy.exempt_ports?'],
    [
      '[detection.send_timeout_ms]\nfats = 30',
      'detection.send_timeout_ms.fats is not a key of this file; did you mean detection.send_timeout_ms.fast?',
    ],
    ['[zebra]\nstripes = 1', 'zebra is not a key of this file'],
  ])('suggests the nearest key for an unknown one: %j', (text, message) => {
    expect(mistake(text).message).toBe(message);
  });

  it('that comes first in the file is told, with the number of the others', () => {
    const error = mistake('[tun]\nname = ""\n[policy]\nidle_minutes = 0\nnothing = 1');
    expect(error).toMatchObject({
      line: 2,
      message: 'tun.name must be an interface name of 1 to 15 characters; 2 more after it',
    });
  });

  it('may be that the file is not there', () => {
    expect(() => loadConfig('/nonexistent/locid.toml')).toThrow(
      expect.objectContaining({ code: 'config', file: '/nonexistent/locid.toml' }),
    );
  });

  it('never leaves the parser as anything but a LociError', () => {
    const line = fc.oneof(
      fc.string(),
      fc.constantFrom(
        '[policy]',
        '[tun',
        'profile = ',
        'deny = ["::/0"',
        '[[tun]]',
        '"policy".x = 1',
        '__proto__ = 1',
        '[a.b]',
      ),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 6 }), (lines) => {
        try {
          parseConfig(lines.join('\n'), 'f');
        } catch (error) {
          expect(error).toBeInstanceOf(LociError);
        }
      }),
    );
  });

  it('is looked for under quoted and dotted keys too', () => {
    const text = '[ "policy" ]\n"deny" = 1\n[detection]\nsend_timeout_ms.fast = 2\n';
    expect(lineOf(text, ['policy', 'deny', '0'])).toBe(2);
    expect(lineOf(text, ['detection', 'send_timeout_ms', 'fast'])).toBe(4);
    expect(lineOf(text, ['tun'])).toBe(1);
  });
});

describe('links', () => {
  it('are worth what the first table that names them says', () => {
    const parsed = configOf({
      link: [
        { interface: 'wwan0', backup: true },
        { interface: 'w*', cost: 5 },
      ],
    });
    if (!('config' in parsed)) throw new Error('refused');
    expect(['wwan0', 'wlan0', 'eth0'].map((name) => linkOf(parsed.config, name))).toEqual([
      { cost: 0, backup: true },
      { cost: 5, backup: false },
      {},
    ]);
  });

  it.each([{ interface: 'eth0', cost: 50 }, { cost: 1 }, { interface: 'eth0', backup: 1 }])('refuses %j', (link) => {
    expect(configOf({ link: [link] })).toHaveProperty('issues');
  });
});

describe('the selection of peers and interfaces', () => {
  it('lets deny win over allow, and allows everybody by default', () => {
    const { policy } = parseConfig('', 'a');
    expect(peerFilter(policy)(address('2001:db8::1'))).toBe(true);
    const some = peerFilter({ ...policy, allow: ['2001:db8::/32', 'fd00::/8'], deny: ['2001:db8:bad::/48'] });
    expect(some(address('2001:db8:1::1'))).toBe(true);
    expect(some(address('fdff::1'))).toBe(true);
    expect(some(address('2001:db8:bad:1::1'))).toBe(false);
    expect(some(address('2001:db9::1'))).toBe(false);
    expect(some(address('::ffff:192.0.2.1'))).toBe(false);
  });

  it('takes names and beginnings of names of interfaces, never the loopback and our own device', () => {
    const config = parseConfig('[interfaces]\ninclude = ["eth*", "wlan0", "lo*"]\nexclude = ["eth1*"]', 'a');
    const chosen = ['eth0', 'eth10', 'wlan0', 'wlan01', 'lo', 'loci0', 'tun9'].filter((name) =>
      interfaceSelected(config, name),
    );
    expect(chosen).toEqual(['eth0', 'wlan0']);
    expect(interfaceSelected(parseConfig('', 'a'), 'tun9')).toBe(true);
  });
});

describe('the published JSON Schema', () => {
  it('is the one that `npm run schema` writes', () => {
    expect(JSON.parse(readFileSync('docs/locid.schema.json', 'utf8'))).toEqual(configJsonSchema());
  });
});

describe('the table [hip]', () => {
  it('is off unless it is asked for, and prefers suites that encrypt, the mandatory one among them (HIP-242, HIP-258)', () => {
    expect(parseConfig('', 'a').hip).toEqual({
      enabled: false,
      keyFile: '/var/lib/loci/hip-key.json',
      hostsFile: '/etc/loci/hip-hosts',
      profile: 'fast',
      espSuites: [13, 11, 8, 9],
      dhGroups: [7, 8, 9, 4, 3],
      puzzleLimit: 22,
      usesUdp: true,
      keylog: undefined,
      peersWithShortNumbers: [],
    });
  });

  it('takes the profile and the state directory of the file where it has none of its own', () => {
    const text = 'profile = "rfc"\nstate_directory = "/srv/loci"\n[hip]\nenabled = true\n';
    expect(parseConfig(text, 'a').hip).toMatchObject({ profile: 'rfc', keyFile: '/srv/loci/hip-key.json' });
    expect(parseConfig(`${text}profile = "balanced"`, 'a').hip.profile).toBe('balanced');
  });

  it('names peers that authenticate 32-bit numbers by HIT', () => {
    const text =
      '[[hip.peer]]\nhit = "2001:22:0:0::1"\nshort_sequence_numbers = true\n[[hip.peer]]\nhit = "2001:22::2"';
    expect(parseConfig(text, 'a').hip.peersWithShortNumbers).toEqual(['2001:22::1']);
  });

  it.each([
    ['[hip]\nesp_suites = [13, 2]', 'hip.esp_suites[1] must be a suite of RFC 7402 §5.1.2: 1 or 7 to 15'],
    ['[hip]\nesp_suites = []', 'hip.esp_suites must name at least one suite'],
    ['[hip]\nesp_suites = [8, 9, 10, 11, 12, 13, 1]', 'hip.esp_suites must name at most six suites'],
    ['[hip]\ndh_groups = [5]', 'hip.dh_groups[0] must be 3, 4, 7, 8, 9 or 10'],
    ['[hip]\npuzzle_limit = 40', 'hip.puzzle_limit must be an integer from 0 to 32'],
    ['[hip]\nkeylog = "keys"', 'hip.keylog must be an absolute path'],
    ['[[hip.peer]]\nhit = "2001:db8::1"', 'hip.peer[0].hit must be a HIT: an address in 2001:20::/28 of a known suite'],
  ])('refuses %j', (text, message) => {
    expect(mistake(text).message).toBe(message);
  });
});
