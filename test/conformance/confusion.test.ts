import { describe, expect, it } from 'vitest';
import type { HostEffect } from '../../src/host/host-io.ts';
import { encodeShim6, parseShim6 } from '../../src/shim6/message-codec.ts';
import type { I1, KnownMessage, R1, Shim6Message } from '../../src/shim6/messages.ts';
import { contextTag } from '../../src/shim6/tag.ts';
import type { ContextTag } from '../../src/shim6/tag.ts';
import type { TwoHosts } from '../../src/sim/two-hosts.ts';
import { formatAddress } from '../../src/wire/address.ts';
import type { Address } from '../../src/wire/address.ts';
import { twoHosts } from '../host/two-hosts.ts';

/** What host a does about a message from `source`, a locator of b. */
function arrives(hosts: TwoHosts, source: Address, message: KnownMessage): HostEffect[] {
  const { local: destination } = hosts.ulids(hosts.a);
  const packet = { source, destination, hopLimit: 64, octets: encodeShim6(message) };
  return hosts.a.sim.host.handle({ type: 'control', packet }, hosts.world.now);
}

function sent(effects: readonly HostEffect[]): Shim6Message[] {
  return effects.flatMap((effect) => {
    const parsed = effect.type === 'transmit' ? parseShim6(effect.octets) : undefined;
    return parsed?.ok === true ? [parsed.value] : [];
  });
}

/** The story of `effects`: messages by type, and what became of contexts by peer and state. */
function story(effects: readonly HostEffect[]): string[] {
  return effects.flatMap((effect) => {
    if (effect.type === 'transmit') return sent([effect]).map(({ type }) => type);
    if (effect.type !== 'event' || effect.event.event !== 'state') return [];
    return [`${effect.event.ulids[1]} ${effect.event.state}`];
  });
}

/** An established context of a, known to b as `tag`; b has lost it and gives the tag to one with its second address. */
function confusing(isUsed: boolean): { hosts: TwoHosts; tag: ContextTag; second: Address; names: [string, string] } {
  const hosts = twoHosts(1);
  hosts.establish();
  if (isUsed) {
    hosts.a.sim.send(hosts.ulids(hosts.a), new Uint8Array(64));
    hosts.run(10);
  }
  const [context] = [...hosts.a.sim.host.contexts];
  const second = hosts.b.locators[1]?.address;
  if (context?.tagPeer === undefined || second === undefined) throw new Error('not established');
  const { peer: first } = hosts.ulids(hosts.a);
  return { hosts, tag: contextTag(context.tagPeer), second, names: [formatAddress(first), formatAddress(second)] };
}

describe('RFC 5533 §7.14, §7.15, §7.16 the peer gives a tag to another context', () => {
  it.each([
    [false, 'IDLE'],
    [true, 'I1-SENT'],
  ] as const)('S6-095 S6-097 an I2 ends the old context before it gets its R2 (in use: %s)', (isUsed, state) => {
    const { hosts, tag, second, names } = confusing(isUsed);
    const i1: I1 = { type: 'I1', initiatorContextTag: tag, initiatorNonce: 5, options: {} };
    const [r1] = sent(arrives(hosts, second, i1));
    if (r1?.type !== 'R1') throw new Error('no R1');
    expect(hosts.state(hosts.a)).toBe('ESTABLISHED'); // S6-068: not by an I1
    const { responderNonce, options } = r1;
    const effects = arrives(hosts, second, { ...i1, type: 'I2', responderNonce, options });
    const told = story(effects);
    expect(told).toContain(`${names[0]} ${state}`);
    expect(told.indexOf(`${names[0]} ${state}`)).toBeLessThan(told.indexOf('R2'));
    expect(established(hosts)).toEqual([names[1]]);
  });

  it.each([
    [false, 'IDLE'],
    [true, 'I1-SENT'],
  ] as const)('S6-105 S6-100 so does an R2, before anything else is sent (in use: %s)', (isUsed, state) => {
    const { hosts, tag, second, names } = confusing(isUsed);
    const { local } = hosts.ulids(hosts.a);
    const [i1] = sent(hosts.a.sim.host.handle({ type: 'open', ulids: { local, peer: second } }, hosts.world.now));
    if (i1?.type !== 'I1') throw new Error('no I1');
    const { initiatorNonce } = i1;
    const r1: R1 = {
      type: 'R1',
      initiatorNonce,
      responderNonce: 1,
      options: { responderValidator: new Uint8Array(20) },
    };
    expect(sent(arrives(hosts, second, r1)).map(({ type }) => type)).toEqual(['I2']);
    const effects = arrives(hosts, second, { type: 'R2', responderContextTag: tag, initiatorNonce, options: {} });
    const [first, then, ...rest] = story(effects);
    expect([first, then]).toEqual([`${names[1]} ESTABLISHED`, `${names[0]} ${state}`]);
    expect(rest.filter((what) => what === 'I1')).toHaveLength(isUsed ? 1 : 0);
    expect(established(hosts)).toEqual([names[1]]);
  });

  it('S6-098 the old context sends nothing on a tag that is not its own any more', () => {
    const { hosts, tag, second } = confusing(true);
    const i1: I1 = { type: 'I1', initiatorContextTag: tag, initiatorNonce: 5, options: {} };
    const [r1] = sent(arrives(hosts, second, i1));
    if (r1?.type !== 'R1') throw new Error('no R1');
    const { responderNonce, options } = r1;
    arrives(hosts, second, { ...i1, type: 'I2', responderNonce, options });
    const old = hosts.a.sim.host.contexts.of(hosts.ulids(hosts.a));
    expect([old?.context.state, old?.flow.tagPeer, old?.flow.delivers]).toEqual(['I1-SENT', undefined, false]);
  });
});

/** The peers of a with which a context stands. */
function established(hosts: TwoHosts): string[] {
  return [...hosts.a.sim.host.contexts]
    .filter(({ context }) => context.state === 'ESTABLISHED')
    .map(({ ulids }) => formatAddress(ulids.peer));
}
