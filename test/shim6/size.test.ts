import { describe, expect, it } from 'vitest';
import { NO_PREFERENCE } from '../../src/shim6/locator-list.ts';
import { ip } from './spec-vectors.ts';
import { cgaIdentity } from './cga-hosts.ts';
import { twoHosts } from './world.ts';
import type { HostOptions, World } from './world.ts';

const prefixes = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `2001:db8:a:${(i + 1).toString(16)}::`);
const others = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `2001:db8:c:${(i + 1).toString(16)}::1`);

function run(a: Partial<HostOptions>): ReturnType<typeof twoHosts> {
  const built = twoHosts({ a: { sendTimeoutSeconds: 30, ...a } });
  built.world.start(built.a, built.ab);
  built.world.run(5000);
  expect([built.a.context.state, built.b.context.state]).toEqual(['ESTABLISHED', 'ESTABLISHED']);
  return built;
}

function listed(world: World, type: string): number[] {
  return world.trace.flatMap(({ message }) =>
    message.type === type && 'options' in message ? [message.options.locatorList?.locators.length ?? 0] : [],
  );
}

describe('S6-008 a packet never exceeds 1280 octets', () => {
  it.each([
    ['42 HBA locators', { prefixes: prefixes(42) }, 42],
    ['49 CGA locators under RSA-1024', { identity: cgaIdentity(5, others(48)) }, 49],
  ] as const)('an I2 has room for %s', (_name, options, count) => {
    const { world, b } = run(options);
    expect(listed(world, 'I2')).toEqual([count]);
    expect(b.context.peerLocators).toHaveLength(count);
    expect(Math.max(...world.trace.map(({ octets }) => octets.length))).toBeLessThanOrEqual(1240);
    expect(listed(world, 'UpdateRequest')).toEqual([]);
  });

  it('one more is left out and told by an Update Request, which has no parameters to carry', () => {
    for (const options of [{ prefixes: prefixes(43) }, { identity: cgaIdentity(5, others(49)) }]) {
      const { world, a, b } = run(options);
      const [i2 = 0] = listed(world, 'I2');
      expect(i2).toBeLessThan(a.locators.length);
      expect(i2).toBeGreaterThan(a.locators.length - 3);
      expect(listed(world, 'UpdateRequest')).toEqual([a.locators.length]);
      expect(b.context.peerLocators).toHaveLength(a.locators.length);
      expect(Math.max(...world.trace.map(({ octets }) => octets.length))).toBeLessThanOrEqual(1240);
    }
  });

  it('with more locators than any message can hold, ULID and source stay in the list, preferences count', () => {
    const { world, a, b, ab } = twoHosts({ a: { identity: cgaIdentity(5, others(90)) } });
    const context = a.create(ab);
    const locators = [
      ...a.locators.slice(1).map((locator) => ({ ...locator, priority: 3 })),
      { ...NO_PREFERENCE, address: ab.local, method: 'cga' as const },
    ];
    world.tell(a, context, { type: 'own-locators', locators });
    world.tell(a, context, { type: 'start', pair: { local: a.address(90), peer: ab.peer } });
    world.run(5000);
    expect(context.state).toBe('ESTABLISHED');
    const known = b.context.peerLocators.map(({ address }) => address.join());
    expect(known).toContain(ab.local.join());
    expect(known).toContain(a.address(90).join());
    expect(known.length).toBeGreaterThan(40);
    expect(Math.max(...world.trace.map(({ octets }) => octets.length))).toBeLessThanOrEqual(1240);
  });

  it('no stateless answer is longer than what caused it and its own header, R1 aside', () => {
    const { world, a, b } = run({});
    b.contexts = [];
    const octets = a.context.keepalive();
    world.inject({ source: a.address(0), destination: b.address(0), octets });
    world.run(15);
    const r1bis = world.trace.find(({ message }) => message.type === 'R1bis');
    expect((r1bis?.octets.length ?? 0) + 40).toBeLessThanOrEqual(40 + octets.length + 40);
    expect(ip('::1')).toHaveLength(16);
  });
});
