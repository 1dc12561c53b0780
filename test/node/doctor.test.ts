import { describe, expect, it } from 'vitest';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import type { Check } from '../../src/node/doctor/check.ts';
import { obstacles, reversePathFilters } from '../../src/node/doctor/firewall.ts';
import { firewallChecks } from '../../src/node/doctor/firewall-checks.ts';
import { checkTun, locatorChecks, usableLocators } from '../../src/node/doctor/machine.ts';
import { gatewayCheck, hipCheck, pathCheck, shim6Check } from '../../src/node/doctor/path-checks.ts';
import { checkPath } from '../../src/node/doctor/paths.ts';
import { echo, errorAbout, hipI1, packetOf, shim6I1 } from '../../src/node/doctor/probe.ts';
import type { Outcome, Probe } from '../../src/node/doctor/probe.ts';
import { parseRuleset } from '../../src/node/doctor/ruleset.ts';
import { sysctlChecks } from '../../src/node/doctor/sysctl-checks.ts';
import type { LocalLocator } from '../../src/node/network-picture.ts';
import { systemRandom } from '../../src/node/random.ts';
import { encodeShim6, parseShim6 } from '../../src/shim6/message-codec.ts';
import { formatAddress } from '../../src/wire/address.ts';
import { internetChecksum, pseudoHeaderSum } from '../../src/wire/checksum.ts';
import { address } from '../e2e/support/packets.ts';

const HOST = '2001:db8:a::1';
const PEER = '2001:db8:b::1';
const ROUTER = '2001:db8:a::ffff';
const PATH = { source: address(HOST), destination: address(PEER), interface: 'eth0' };

type Json = Readonly<Record<string, unknown>>;
const protocol = (right: unknown, op = '=='): Json => ({ match: { op, left: { meta: { key: 'l4proto' } }, right } });
const established: Json = {
  match: { op: 'in', left: { ct: { key: 'state' } }, right: ['established', 'related'] },
};
const accept: Json = { accept: null };
const drop: Json = { drop: null };

/** A ruleset as `nft -j` prints it, with one base chain `inet fw in` and the chains given besides. */
function ruleset(
  rules: readonly (readonly Json[])[],
  { policy = 'accept', hook = 'input', family = 'inet', more = {} } = {},
): string {
  const chain = { family, table: 'fw', name: 'in', handle: 1, type: 'filter', hook, prio: 0, policy };
  const others = Object.entries<readonly (readonly Json[])[]>(more);
  let handle = 1;
  const ruleOf = (name: string) => (expr: readonly Json[]) => ({
    rule: { family, table: 'fw', chain: name, handle: ++handle, expr },
  });
  return JSON.stringify({
    nftables: [
      { metainfo: { version: '1.0.6', json_schema_version: 1 } },
      { table: { family, name: 'fw', handle: 1 } },
      { chain },
      ...others.map(([name]) => ({ chain: { family, table: 'fw', name, handle: 2 } })),
      ...rules.map(ruleOf('in')),
      ...others.flatMap(([name, theirs]) => theirs.map(ruleOf(name))),
    ],
  });
}

/** What is in the way of Shim6: the handle, or `policy`, and whether for certain. */
function inTheWay(...[rules, options]: Parameters<typeof ruleset>): string[] {
  return obstacles(parseRuleset(ruleset(rules, options)), 140).map(
    ({ handle, certain }) => `${handle === undefined ? 'policy' : String(handle)}${certain ? '' : ' perhaps'}`,
  );
}

describe('the packet filter', () => {
  it.each<[string, string[], string[]]>([
    ['an empty chain', [], inTheWay([])],
    ['a chain that accepts and has policy drop', ['policy'], inTheWay([], { policy: 'drop' })],
    ['a chain for forwarding', [], inTheWay([], { policy: 'drop', hook: 'forward' })],
    ['a chain for IPv4', [], inTheWay([], { policy: 'drop', family: 'ip' })],
    ['a rule that drops it', ['2'], inTheWay([[protocol(140), drop]])],
    ['a rule that drops it by the name of /etc/protocols', ['2'], inTheWay([[protocol('shim6'), drop]])],
    [
      'a rule that rejects it',
      ['2'],
      inTheWay([[protocol(140), { reject: { type: 'icmpv6', expr: 'admin-prohibited' } }]]),
    ],
    ['a rule that drops another protocol', [], inTheWay([[protocol(139), drop]])],
    ['a rule that drops a set with it', ['2'], inTheWay([[protocol({ set: [50, { range: [130, 150] }] }), drop]])],
    ['a rule that drops all but TCP and UDP', ['2'], inTheWay([[protocol({ set: ['tcp', 'udp'] }, '!='), drop]])],
    [
      'a rule that drops it from somewhere',
      ['2 perhaps'],
      inTheWay([
        [
          { match: { op: '==', left: { payload: { protocol: 'ip6', field: 'saddr' } }, right: PEER } },
          protocol(140),
          drop,
        ],
      ]),
    ],
    ['a rule that accepts it before policy drop', [], inTheWay([[protocol(140), accept]], { policy: 'drop' })],
    [
      'a rule that accepts it by next header',
      [],
      inTheWay(
        [[{ match: { op: '==', left: { payload: { protocol: 'ip6', field: 'nexthdr' } }, right: 140 } }, accept]],
        { policy: 'drop' },
      ),
    ],
    ['a rule that accepts it too late', ['2'], inTheWay([[drop], [protocol(140), accept]])],
    [
      'known connections accepted before policy drop',
      ['policy perhaps'],
      inTheWay([[established, accept]], { policy: 'drop' }),
    ],
    [
      'loopback and TCP ports accepted before policy drop',
      ['policy'],
      inTheWay(
        [
          [{ match: { op: '==', left: { meta: { key: 'iifname' } }, right: 'lo' } }, accept],
          [{ match: { op: '==', left: { payload: { protocol: 'tcp', field: 'dport' } }, right: 22 } }, accept],
        ],
        { policy: 'drop' },
      ),
    ],
    ['a named set, whose elements are not looked into', [], inTheWay([[protocol('@blocked'), drop]])],
    [
      'a jump to a chain that drops it',
      ['3'],
      inTheWay([[{ jump: { target: 'sub' } }]], { more: { sub: [[protocol(140), drop]] } }),
    ],
    [
      'a jump to a chain that returns',
      ['policy'],
      inTheWay([[{ jump: { target: 'sub' } }]], { policy: 'drop', more: { sub: [[{ return: null }], [accept]] } }),
    ],
    [
      'a jump to a chain that accepts it',
      [],
      inTheWay([[{ jump: { target: 'sub' } }], [drop]], { more: { sub: [[protocol(140), accept]] } }),
    ],
    ['a chain that jumps to itself', ['policy'], inTheWay([[{ jump: { target: 'in' } }]], { policy: 'drop' })],
    [
      'a map of verdicts that drops it',
      ['2'],
      inTheWay([
        [
          {
            vmap: {
              key: { meta: { key: 'l4proto' } },
              data: {
                set: [
                  ['tcp', accept],
                  [140, drop],
                ],
              },
            },
          },
        ],
      ]),
    ],
    [
      'a map of verdicts that accepts it',
      [],
      inTheWay([[{ vmap: { key: { meta: { key: 'l4proto' } }, data: { set: [[140, accept]] } } }]], { policy: 'drop' }),
    ],
    [
      'a map of connection states',
      ['policy perhaps'],
      inTheWay(
        [
          [
            {
              vmap: {
                key: { ct: { key: 'state' } },
                data: {
                  set: [
                    ['established', accept],
                    ['invalid', drop],
                  ],
                },
              },
            },
          ],
        ],
        { policy: 'drop' },
      ),
    ],
    [
      'a condition of iptables before policy drop',
      ['policy perhaps'],
      inTheWay([[{ xt: null }, accept]], { policy: 'drop' }),
    ],
  ])('%s: %j', (_, expected, found) => {
    expect(found).toEqual(expected);
  });

  it('is told chain by chain, with the command that lets the protocols through', () => {
    expect(
      firewallChecks(
        parseRuleset(
          ruleset(
            [
              [protocol(140), drop],
              [protocol(50), drop],
            ],
            { policy: 'accept' },
          ),
        ),
      ),
    ).toEqual([
      {
        id: 'firewall',
        status: 'failed',
        what: 'rule 2 of chain inet fw in drops IP protocol 140',
        remedy: 'let them through ahead of it: nft insert rule inet fw in meta l4proto 140 accept',
      },
      {
        id: 'firewall',
        status: 'warning',
        what: 'rule 3 of chain inet fw in drops IP protocol 50',
        remedy: 'let them through ahead of it: nft insert rule inet fw in meta l4proto 50 accept',
      },
      { id: 'reverse-path', status: 'ok', what: 'no strict reverse-path filter in nf_tables' },
    ]);
    const [policy] = firewallChecks(parseRuleset(ruleset([], { policy: 'drop' })));
    expect(policy).toMatchObject({
      status: 'failed',
      what: 'the policy of chain inet fw in drops IP protocols 140, 139, 50',
      remedy: expect.stringContaining('{ 140, 139, 50 } accept'),
    });
  });

  it('has strict reverse-path filters, and loose ones that do not matter', () => {
    const fib = (...flags: string[]): Json => ({
      match: { op: '==', left: { fib: { result: 'oif', flags } }, right: false },
    });
    const text = ruleset(
      [
        [fib('saddr', 'iif'), drop],
        [fib('saddr'), drop],
        [{ xt: { type: 'match', name: 'rpfilter' } }, drop],
        [fib('saddr', 'mark', 'iif'), accept],
      ],
      { hook: 'prerouting' },
    );
    expect(reversePathFilters(parseRuleset(text)).map(({ handle }) => handle)).toEqual([2, 4]);
    expect(firewallChecks(parseRuleset(text)).filter(({ id }) => id === 'reverse-path')).toHaveLength(2);
  });

  it('may say anything without an exception', () => {
    const statement = fc.oneof(
      fc.constantFrom(accept, drop, established),
      fc.dictionary(fc.string(), fc.jsonValue()),
      fc.record({
        match: fc.record({
          op: fc.constantFrom('==', '!=', 'in'),
          left: fc.constant({ meta: { key: 'l4proto' } }),
          right: fc.jsonValue(),
        }),
      }),
    );
    fc.assert(
      fc.property(fc.array(fc.array(statement)), (rules) => {
        expect(() => firewallChecks(parseRuleset(ruleset(rules)))).not.toThrow();
      }),
    );
    expect(() => parseRuleset('{}')).toThrow(TypeError);
  });
});

describe('the probes', () => {
  it('are a Shim6 I1 that its own parser takes, and know their R1 by the nonce', () => {
    const probe = shim6I1(PATH, systemRandom);
    const parsed = parseShim6(probe.payload);
    if (!parsed.ok || parsed.value.type !== 'I1') throw new Error('not an I1');
    const r1 = (initiatorNonce: number): Uint8Array =>
      encodeShim6({ type: 'R1', initiatorNonce, responderNonce: 1, options: {} });
    expect(probe.isAnswer(r1(parsed.value.initiatorNonce))).toBe(true);
    expect(probe.isAnswer(r1(parsed.value.initiatorNonce ^ 1))).toBe(false);
    expect(probe.isAnswer(probe.payload)).toBe(false);
  });

  it('are an echo of the size asked for, and a HIP I1, with right checksums', () => {
    for (const probe of [echo(PATH, systemRandom, 1400), hipI1(PATH, systemRandom)]) {
      const { payload, protocol: number } = probe;
      expect(internetChecksum(payload, pseudoHeaderSum(PATH.source, PATH.destination, payload.length, number))).toBe(0);
    }
    expect(packetOf(echo(PATH, systemRandom, 1400))).toHaveLength(1400);
    const reply = echo(PATH, systemRandom);
    const octets = reply.payload.slice();
    expect(reply.isAnswer(octets)).toBe(false);
    octets[0] = 129;
    expect(reply.isAnswer(octets)).toBe(true);
    expect(echo(PATH, systemRandom).isAnswer(octets)).toBe(false);
  });

  it('recognise the errors that quote them, and no others', () => {
    const probe = shim6I1(PATH, systemRandom);
    const quote = (about: Probe): Uint8Array => Uint8Array.of(4, 1, 0, 0, 0, 0, 0, 6, ...packetOf(about));
    expect(errorAbout(probe, quote(probe))).toMatchObject({ type: 4, code: 1, parameter: 6 });
    expect(errorAbout(probe, quote(shim6I1(PATH, systemRandom)))).toBeUndefined();
    expect(errorAbout(probe, quote({ ...probe, destination: address('::2') }))).toBeUndefined();
    expect(errorAbout(probe, quote(probe).subarray(0, 50))).toBeUndefined();
    fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), (octets) => errorAbout(probe, octets) === undefined));
  });
});

const error = (type: number, code: number, from: string): Outcome => ({
  kind: 'error',
  from,
  type,
  code,
  parameter: 0,
});
const ANSWER: Outcome = { kind: 'answer', from: PEER, afterMs: 1.25 };
const SILENCE: Outcome = { kind: 'silence' };

describe('what came of a probe of protocol 140', () => {
  it.each<[string, Outcome, boolean, Check['status'], RegExp]>([
    ['an R1', ANSWER, true, 'ok', /speaks Shim6 with 2001:db8:a::1 \(R1 after 1\.3 ms\)$/],
    ['an unknown next header at the peer', error(4, 1, PEER), true, 'warning', /does not speak Shim6$/],
    ['an unknown next header on the way', error(4, 1, ROUTER), true, 'failed', /2001:db8:a::ffff refuses/],
    [
      'a prohibition',
      error(1, 1, ROUTER),
      true,
      'failed',
      /^a firewall on 2001:db8:a::ffff rejects .* administratively prohibited/,
    ],
    ['a prohibition where echoes fail too', error(1, 1, ROUTER), false, 'failed', /^a firewall on/],
    [
      'a port unreachable, as firewalls send it',
      error(1, 4, PEER),
      true,
      'failed',
      /^a firewall on 2001:db8:b::1 rejects/,
    ],
    ['no route where echoes fail too', error(1, 0, ROUTER), false, 'skipped', /^nothing passes/],
    ['silence where echoes pass', SILENCE, true, 'failed', /^echoes pass, but IP protocol 140 .* is dropped somewhere/],
    ['silence where echoes fail too', SILENCE, false, 'skipped', /^nothing passes/],
    [
      'a refusal of our own kernel',
      { kind: 'refused', reason: 'Operation not permitted' },
      true,
      'failed',
      /^this host does not send/,
    ],
    ['no way out', { kind: 'refused', reason: 'Network is unreachable' }, false, 'skipped', /^nothing passes/],
  ])('is told: %s', (_, outcome, passes, status, what) => {
    const check = shim6Check(PATH, outcome, passes);
    expect(check).toMatchObject({ id: 'shim6', status, what: expect.stringMatching(what), locator: HOST, peer: PEER });
    expect(check.remedy === undefined).toBe(status === 'ok' || status === 'skipped');
  });

  it('names the last router that it reached', () => {
    expect(shim6Check(PATH, SILENCE, true, `${ROUTER} (hop 1)`).what).toContain(`dropped behind ${ROUTER} (hop 1)`);
  });

  it('is never a failure for HIP, which Loci does not need', () => {
    expect(hipCheck(PATH, SILENCE, true)).toMatchObject({
      status: 'warning',
      what: expect.stringContaining('protocol 139'),
    });
    expect(hipCheck(PATH, error(4, 1, PEER), true).status).toBe('ok');
    expect(hipCheck(PATH, ANSWER, true).status).toBe('ok');
    expect(hipCheck(PATH, SILENCE, false).status).toBe('skipped');
  });
});

describe('the path MTU', () => {
  it.each<[string, Outcome, Parameters<typeof pathCheck>[2], Check['status'], string]>([
    ['that of the link', ANSWER, { link: 1500, largest: 1500, told: undefined }, 'ok', 'is 1500'],
    ['what a router asks for', ANSWER, { link: 1500, largest: 1480, told: 1485 }, 'ok', 'is 1485'],
    [
      'too small for a tag',
      ANSWER,
      { link: 1500, largest: 1280, told: 1280 },
      'warning',
      'too small for 8 octets more',
    ],
    [
      'of a black hole',
      ANSWER,
      { link: 1500, largest: 1400, told: undefined },
      'warning',
      'more than 1400 octets vanish',
    ],
    [
      'less than IPv6 allows',
      ANSWER,
      { link: 1500, largest: undefined, told: undefined },
      'warning',
      '1280 octets do not pass',
    ],
    ['of nothing', SILENCE, { link: 1500, largest: undefined, told: undefined }, 'failed', 'no echo passes'],
  ])('is told: %s', (_, plain, sizes, status, what) => {
    const check = pathCheck(PATH, plain, sizes);
    expect(check).toMatchObject({ id: 'path', status, what: expect.stringContaining(what) });
    expect(check.remedy === undefined).toBe(status === 'ok');
  });

  it('is found by echoes of several sizes', async () => {
    const narrow = {
      probe: (probe: Probe): Promise<Outcome> => {
        const size = packetOf(probe).length;
        return Promise.resolve(
          size <= 1420 ? ANSWER : { kind: 'error', from: ROUTER, type: 2, code: 0, parameter: 1420 },
        );
      },
    };
    const checks = await checkPath(narrow, PATH, 1500, systemRandom);
    expect(checks.map(({ id }) => id)).toEqual(['path', 'shim6', 'hip']);
    expect(checks[0]?.what).toBe(`the path MTU between ${HOST} and ${PEER} is 1420`);
  });

  it('is looked for beside the router at which protocol 140 ends', async () => {
    const blocked = {
      probe: ({ protocol: number, hopLimit }: Probe): Promise<Outcome> => {
        if (number !== 140) return Promise.resolve(ANSWER);
        return Promise.resolve(hopLimit <= 3 ? error(3, 0, `2001:db8::${String(hopLimit)}`) : SILENCE);
      },
    };
    const [, shim6] = await checkPath(blocked, PATH, 1500, systemRandom);
    expect(shim6?.what).toContain('is dropped behind 2001:db8::3 (hop 3)');
  });
});

const locator = (text: string, more: Partial<LocalLocator> = {}): LocalLocator => ({
  address: address(text),
  prefixLength: 64,
  interface: 'eth0',
  index: 2,
  state: 'preferred',
  dadFailed: false,
  validLifetimeSeconds: Number.POSITIVE_INFINITY,
  preferredLifetimeSeconds: Number.POSITIVE_INFINITY,
  linkUp: true,
  gateway: { address: address('fe80::1'), index: 2 },
  mtu: 1500,
  flags: 0,
  ours: false,
  ...more,
});

describe('the machine', () => {
  it('has one locator per prefix, ours before others', () => {
    const all = [
      locator('2001:db8:1::1'),
      locator('2001:db8:1::2', { ours: true }),
      locator('2001:db8:2::1', { prefixLength: 128 }),
      locator('2001:db8:3::1', { linkUp: false }),
      locator('2001:db8:4::1', { state: 'tentative' }),
      locator('2001:db8:5::1', { index: 3, state: 'deprecated' }),
    ];
    expect(usableLocators(all).map((one) => formatAddress(one.address))).toEqual(['2001:db8:1::2', '2001:db8:5::1']);
    expect(locatorChecks(all)).toMatchObject([{ status: 'ok' }]);
    expect(locatorChecks(all.slice(0, 2))).toMatchObject([
      { status: 'warning', what: expect.stringContaining('nothing to move to') },
    ]);
    expect(locatorChecks([])).toMatchObject([{ status: 'failed' }]);
    expect(locatorChecks([locator('2001:db8:1::1', { dadFailed: true, state: 'tentative' })])).toMatchObject([
      { status: 'failed', locator: '2001:db8:1::1', remedy: 'ip -6 addr del 2001:db8:1::1 dev eth0' },
      { status: 'failed' },
    ]);
  });

  it('has gateways that answer, or not', () => {
    expect(gatewayCheck(locator(HOST), ANSWER).status).toBe('ok');
    expect(gatewayCheck(locator(HOST), SILENCE)).toMatchObject({
      status: 'failed',
      remedy: expect.stringContaining('ip -6 neigh'),
    });
    expect(gatewayCheck(locator(HOST, { gateway: undefined }), undefined)).toMatchObject({
      status: 'warning',
      interface: 'eth0',
    });
  });

  it('has a TUN device that can be opened, or not', () => {
    const directory = mkdtempSync(join(tmpdir(), 'loci-doctor-'));
    writeFileSync(join(directory, 'tun'), '');
    expect(checkTun(join(directory, 'tun')).status).toBe('ok');
    expect(checkTun(join(directory, 'none'))).toMatchObject({
      status: 'failed',
      remedy: expect.stringContaining('modprobe tun'),
    });
    rmSync(directory, { recursive: true });
  });

  it.each<
    [
      string,
      Readonly<Record<string, string>>,
      Partial<Record<'hasLocator' | 'hasGateway' | 'expires', boolean>>,
      string | undefined,
    ]
  >([
    ['all well', {}, {}, undefined],
    ['disabled', { disable_ipv6: '1' }, {}, 'sysctl -w net.ipv6.conf.eth0/7.disable_ipv6=0'],
    [
      'a router that needs advertisements',
      { forwarding: '1' },
      { expires: true },
      'sysctl -w net.ipv6.conf.eth0/7.accept_ra=2',
    ],
    ['a router that needs none', { forwarding: '1' }, {}, undefined],
    [
      'advertisements ignored, no gateway',
      { accept_ra: '0' },
      { hasGateway: false },
      'sysctl -w net.ipv6.conf.eth0/7.accept_ra=1',
    ],
    ['advertisements ignored, not needed', { accept_ra: '0' }, {}, undefined],
    [
      'no addresses of its own',
      { addr_gen_mode: '1' },
      { hasLocator: false },
      'sysctl -w net.ipv6.conf.eth0/7.addr_gen_mode=0',
    ],
  ])('has sysctls: %s', (_, values, facts, remedy) => {
    const usual = { disable_ipv6: '0', accept_ra: '1', forwarding: '0', addr_gen_mode: '0' };
    const read = (name: string, key: string): string | undefined =>
      new Map(Object.entries(name === 'all' ? usual : { ...usual, ...values })).get(key);
    const checks = sysctlChecks(read, [
      { name: 'eth0.7', hasLocator: true, hasGateway: true, expires: false, ...facts },
    ]);
    expect(checks.map((check) => check.remedy)).toEqual([remedy]);
  });

  it('may run without IPv6', () => {
    expect(sysctlChecks(() => undefined, [])).toMatchObject([{ status: 'failed' }]);
    const disabled = (name: string, key: string): string => (name === 'all' && key === 'disable_ipv6' ? '1' : '0');
    expect(sysctlChecks(disabled, [])).toMatchObject([
      { status: 'failed', remedy: expect.stringContaining('all.disable_ipv6=0') },
    ]);
  });
});
