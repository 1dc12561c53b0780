import { describe, expect, it } from 'vitest';
import type { OwnLocator } from '../../src/shim6/context-io.ts';
import { NO_PREFERENCE } from '../../src/shim6/locator-list.ts';
import { encodeShim6, parseShim6 } from '../../src/shim6/message-codec.ts';
import type { UpdateRequest } from '../../src/shim6/messages.ts';
import { formatAddress } from '../../src/wire/address.ts';
import { cgaHosts, signer } from './cga-hosts.ts';
import { ip } from './spec-vectors.ts';
import type { Sent, TestHost, World } from './world.ts';
import { established, packetOf } from './world.ts';

const requests = (world: World): (Sent & { readonly message: UpdateRequest })[] =>
  world.trace.filter(
    (sent): sent is Sent & { readonly message: UpdateRequest } => sent.message.type === 'UpdateRequest',
  );

const addresses = (locators: readonly { readonly address: Uint8Array }[]): string[] =>
  locators.map(({ address }) => formatAddress(address));

function change(world: World, host: TestHost, locators: readonly OwnLocator[]): void {
  world.tell(host, host.context, { type: 'own-locators', locators });
}

const cga = (text: string, more: Partial<OwnLocator> = {}): OwnLocator => ({
  ...NO_PREFERENCE,
  address: ip(text),
  method: 'cga',
  ...more,
});

describe('Update Request', () => {
  it('S6-031 S6-139 replaces the list; the acknowledgement opens the new locators as sources', () => {
    const { world, a, b } = cgaHosts();
    const changed = [...a.locators, cga('2001:db8:c::1')];
    a.log = [];
    change(world, a, changed);
    expect(a.log.filter(({ type }) => type === 'own-locators-acknowledged')).toEqual([]); // S6-059
    world.run(1000);
    expect(requests(world)).toHaveLength(1);
    expect(world.trace.at(-1)?.message).toMatchObject({
      type: 'UpdateAcknowledgement',
      receiverContextTag: a.context.tag,
      requestNonce: requests(world)[0]?.message.requestNonce,
    });
    expect(addresses(b.context.peerLocators)).toEqual(addresses(changed));
    expect(a.log).toContainEqual({
      type: 'own-locators-acknowledged',
      locators: changed.map(({ address }) => address),
    });
    expect(b.log.findLast(({ type }) => type === 'peer-locators')).toMatchObject({ locators: changed });
    world.run(300_000);
    expect(requests(world)).toHaveLength(1);
  });

  it('S6-032 leaves the parameters out once the peer has them, but signs every list of CGA locators', () => {
    const { world, a } = cgaHosts();
    change(world, a, [...a.locators, cga('2001:db8:c::1')]);
    const options = requests(world)[0]?.message.options;
    expect(options?.locatorList?.locators.map(({ method }) => method)).toEqual([2, 2, 2]);
    expect(options?.signature).toHaveLength(128);
    expect(options?.parameters).toBeUndefined();
  });

  it('S6-032 sends the parameters with the first list after a single address', () => {
    const { world, a, b } = cgaHosts({ single: true });
    expect(b.context.peerLocators).toMatchObject([{ method: 'ulid' }]);
    const changed = [...a.locators, cga('2001:db8:c::1')];
    change(world, a, changed);
    world.run(100);
    expect(requests(world)[0]?.message.options.parameters).toBeDefined();
    expect(addresses(b.context.peerLocators)).toEqual(addresses(changed));
  });

  it('S6-263 tells a broken locator with the generation of the list, without the list', () => {
    const { world, a, b } = established();
    const list = world.trace.find(({ message }) => message.type === 'I2')?.message;
    const broken = a.locators.map((locator, i) => ({ ...locator, broken: i === 0 }));
    b.log = [];
    change(world, a, broken);
    world.run(100);
    const [request] = requests(world);
    expect(request?.message.options.locatorList).toBeUndefined();
    expect(request?.message.options.locatorPreferences).toEqual({
      generation: list?.type === 'I2' ? list.options.locatorList?.generation : undefined,
      elementLength: 1,
      elements: broken.map(({ broken: flag }) => ({ ...NO_PREFERENCE, broken: flag })),
    });
    expect(b.context.peerLocators.map(({ broken: flag }) => flag)).toEqual([true, false]);
    expect(b.log).toContainEqual({ type: 'peer-withdrew', locator: a.address(0) }); // S6-140: only told
  });

  it('S6-047 S6-049 uses three octets per locator when there are priorities', () => {
    const { world, a, b } = established();
    change(
      world,
      a,
      a.locators.map((locator, i) => ({ ...locator, transient: true, priority: i, weight: 7 })),
    );
    world.run(100);
    expect(requests(world)[0]?.message.options.locatorPreferences?.elementLength).toBe(3);
    expect(b.context.peerLocators).toMatchObject([
      { transient: true, priority: 0, weight: 7 },
      { transient: true, priority: 1, weight: 7 },
    ]);
  });

  it('S6-266 keeps the ULID in the list, broken, when its address is gone', () => {
    const { world, a, b } = cgaHosts();
    change(world, a, a.locators.slice(1));
    world.run(100);
    expect(addresses(b.context.peerLocators)).toEqual(addresses([...a.locators.slice(1), ...a.locators.slice(0, 1)]));
    expect(b.context.peerLocators.map(({ broken }) => broken)).toEqual([false, true]);
  });

  it('S6-130 says nothing when nothing changed, also for a preference that was never told', () => {
    const { world, a } = established();
    change(
      world,
      a,
      a.locators.map((locator) => ({ ...locator })),
    );
    expect(requests(world)).toEqual([]);
  });
});

describe('an outstanding request', () => {
  it('S6-128 S6-129 S6-258 is repeated unchanged for ever: 4 s, doubling up to 120 s, times 0.5 to 1.5', () => {
    const { world, a } = cgaHosts();
    world.loses = ({ message }) => message.type === 'UpdateRequest';
    change(world, a, [...a.locators, cga('2001:db8:c::1')]);
    world.run(3_600_000);
    const sent = requests(world);
    expect(new Set(sent.map(({ octets }) => octets.join())).size).toBe(1);
    const waits = sent.slice(1).map(({ at }, i) => at - (sent[i]?.at ?? 0));
    waits.forEach((wait, i) => {
      const nominal = Math.min(4000 * 2 ** i, 120_000);
      expect(wait / nominal).toBeGreaterThanOrEqual(0.5);
      expect(wait / nominal).toBeLessThanOrEqual(1.5);
    });
    expect(waits.length).toBeGreaterThan(20);
  });

  it('S6-046 S6-130 S6-265 is replaced by one that says everything not acknowledged, and its late answer is ignored', () => {
    const { world, a, b } = cgaHosts();
    const [a1, a2] = a.locators;
    if (a1 === undefined || a2 === undefined) throw new Error('two locators expected');
    const a3 = cga('2001:db8:c::3');
    const a4 = cga('2001:db8:c::4');
    world.delay = ({ message }) => (message.type === 'UpdateAcknowledgement' ? 100 : 10);
    change(world, a, [a1, a3]);
    world.run(50); // the acknowledgement is under way
    change(world, a, [{ ...a1, broken: true }, a3, a4]);
    const [first, second] = requests(world);
    expect(second?.message.requestNonce).not.toBe(first?.message.requestNonce);
    const { locatorList: list, locatorPreferences: preferences } = second?.message.options ?? {};
    expect(addresses(list?.locators ?? [])).toEqual(addresses([a1, a3, a4]));
    expect(list?.generation).not.toBe(first?.message.options.locatorList?.generation); // S6-046
    expect(preferences?.generation).toBe(list?.generation);
    expect(preferences?.elements.map(({ broken }) => broken)).toEqual([true, false, false]);
    a.log = [];
    world.run(70); // the first acknowledgement arrives
    expect(a.log).toEqual([{ type: 'drop', reason: 'no-match' }]); // S6-131
    world.run(100);
    expect(a.log.map(({ type }) => type)).toContain('own-locators-acknowledged');
    expect(addresses(b.context.peerLocators)).toEqual(addresses([a1, a3, a4]));
    world.run(300_000);
    expect(requests(world)).toHaveLength(2);
  });

  it('S6-265 taking a change back is an update as well while the first one may have arrived', () => {
    const { world, a, b } = established();
    world.loses = ({ message }) => message.type === 'UpdateAcknowledgement';
    change(
      world,
      a,
      a.locators.map((locator) => ({ ...locator, broken: true })),
    );
    world.run(50);
    expect(b.context.peerLocators.every(({ broken }) => broken)).toBe(true);
    world.loses = () => false;
    change(world, a, a.locators);
    world.run(50);
    expect(b.context.peerLocators.some(({ broken }) => broken)).toBe(false);
    // said in so many words, for a peer that keeps preferences when a list comes without them
    expect(requests(world)[1]?.message.options.locatorPreferences?.elements).toEqual([NO_PREFERENCE, NO_PREFERENCE]);
  });

  it('S6-130 that comes late does not undo the one that replaced it', () => {
    const { world, a, b } = cgaHosts();
    const [a1, a2] = a.locators;
    if (a1 === undefined || a2 === undefined) throw new Error('two locators expected');
    let slow = true;
    world.delay = ({ message }) => {
      if (message.type !== 'UpdateRequest' || !slow) return 10;
      slow = false;
      return 500;
    };
    change(world, a, [a1, cga('2001:db8:c::3')]);
    world.run(100);
    change(world, a, [a1, cga('2001:db8:c::4')]);
    world.run(100);
    const known = addresses(b.context.peerLocators);
    b.log = [];
    world.run(1000);
    expect(b.log).toEqual([{ type: 'drop', reason: 'replayed' }]);
    expect(addresses(b.context.peerLocators)).toEqual(known);
  });

  it('S6-139 that is repeated by the network after newer ones is recognised; the last one is acknowledged again', () => {
    const { world, a, b } = established();
    for (const broken of [true, false]) {
      change(
        world,
        a,
        a.locators.map((locator) => ({ ...locator, broken })),
      );
      world.run(100);
    }
    const [first, second] = requests(world);
    if (first === undefined || second === undefined) throw new Error('two requests expected');
    expect(b.receive(packetOf(first), world.now)).toEqual([{ type: 'drop', reason: 'replayed' }]);
    expect(b.receive(packetOf(second), world.now).map(({ type }) => type)).toContain('transmit');
    expect(b.context.peerLocators.some(({ broken }) => broken)).toBe(false);
  });

  it('S6-129 goes out again at once when the pair changes', () => {
    const { world, a, b } = established();
    world.loses = ({ source }) => source === a.address(0);
    change(
      world,
      a,
      a.locators.map((locator, i) => ({ ...locator, broken: i === 0 })),
    );
    world.tell(a, a.context, { type: 'current-pair', pair: { local: a.address(1), peer: b.address(0) } });
    world.run(50);
    expect(requests(world).map(({ source }) => source)).toEqual([a.address(0), a.address(1)]);
    expect(world.trace.at(-1)?.message.type).toBe('UpdateAcknowledgement');
    expect(world.trace.at(-1)?.destination).toEqual(a.address(1));
  });

  it('S6-130 crosses one of the peer without harm', () => {
    const { world, a, b } = established();
    change(
      world,
      a,
      a.locators.map((locator) => ({ ...locator, transient: true })),
    );
    change(
      world,
      b,
      b.locators.map((locator) => ({ ...locator, broken: true })),
    );
    world.run(100);
    expect(b.context.peerLocators.every(({ transient }) => transient)).toBe(true);
    expect(a.context.peerLocators.every(({ broken }) => broken)).toBe(true);
    world.run(300_000);
    expect(requests(world)).toHaveLength(2);
  });

  it('of one context makes no work for the others', () => {
    const { world, a } = established();
    const fork = a.create(a.context.ulids, 1);
    world.tell(a, fork, { type: 'start' });
    world.run(100);
    world.loses = ({ message }) => message.type === 'UpdateAcknowledgement';
    const [first] = a.contexts;
    if (first === undefined) throw new Error('no context');
    for (const broken of [true, false]) {
      const locators = a.locators.map((locator) => ({ ...locator, broken }));
      world.tell(a, first, { type: 'own-locators', locators }); // the second needs a new generation
    }
    expect(requests(world)).toHaveLength(2);
    world.tell(a, fork, { type: 'own-locators', locators: a.locators });
    expect(requests(world)).toHaveLength(2);
  });

  it('S6-265 changes during establishment are told afterwards', () => {
    const { world, a, b } = cgaHosts();
    const fork = a.create(a.context.ulids, 1);
    world.tell(a, fork, { type: 'start' });
    world.run(15);
    const changed = [...a.locators, cga('2001:db8:c::1')];
    world.run(5); // I2-SENT
    expect(fork.state).toBe('I2-SENT');
    world.tell(a, fork, { type: 'own-locators', locators: changed });
    world.run(100);
    expect(requests(world)).toHaveLength(1);
    expect(addresses(b.contexts[1]?.peerLocators ?? [])).toEqual(addresses(changed));
  });
});

describe('a request that is not taken', () => {
  const request = (host: TestHost, options: UpdateRequest['options']): Uint8Array =>
    encodeShim6({ type: 'UpdateRequest', receiverContextTag: host.context.tag, requestNonce: 99, options });
  const between = (a: TestHost, b: TestHost, octets: Uint8Array): Parameters<TestHost['receive']>[0] => ({
    source: a.address(0),
    destination: b.address(0),
    octets,
  });

  it('S6-136 S6-060 S6-061 Error 2 points at the method of the locator that does not verify', () => {
    const { world, a, b } = established();
    const before = b.context.peerLocators;
    const locators = [a.address(0), ip('2001:db8:bad::1')].map((address) => ({ address, method: 1 }));
    const octets = request(b, { locatorList: { generation: 1, locators } });
    world.inject(between(a, b, octets));
    world.run(100);
    expect(b.context.peerLocators).toEqual(before);
    expect(b.log).toContainEqual({ type: 'drop', reason: 'locator-list' });
    const [error] = a.errors;
    expect(error).toMatchObject({ code: 2, pointer: 40 + 16 + 4 + 5 + 1 });
    expect(error?.packet[error.pointer]).toBe(1);
    expect(world.trace.at(-1)?.message.type).toBe('Error');
  });

  it('S6-060 nor one with a method that is unknown or contradicts the parameters', () => {
    const { a, b, world } = established();
    for (const method of [0, 2, 3, 255]) {
      const list = { generation: 1, locators: [{ address: a.address(0), method }] };
      const effects = b.receive(between(a, b, request(b, { locatorList: list })), world.now);
      expect(effects[0]).toEqual({ type: 'drop', reason: 'locator-list' });
    }
  });

  it('S6-137 Error 3 points at the generation in the preferences', () => {
    const { world, a, b } = established();
    const elements = a.locators.map(() => ({ ...NO_PREFERENCE, broken: true }));
    world.inject(between(a, b, request(b, { locatorPreferences: { generation: 7, elementLength: 1, elements } })));
    world.run(100);
    expect(a.errors).toMatchObject([{ code: 3, pointer: 40 + 16 + 4 }]);
    expect(b.context.peerLocators.some(({ broken }) => broken)).toBe(false);
  });

  it('S6-138 S6-264 Error 4 points at the Length of the preferences; a good list in front of them stays', () => {
    const { world, a, b } = established();
    const generation = 0x1234;
    const locators = [a.address(1), a.address(0)].map((address) => ({ address, method: 1 }));
    const elements = [NO_PREFERENCE];
    const options = {
      locatorList: { generation, locators },
      locatorPreferences: { generation, elementLength: 1, elements },
    } as const;
    world.inject(between(a, b, request(b, options)));
    world.run(100);
    expect(a.errors).toMatchObject([{ code: 4, pointer: 40 + 16 + 48 + 2 }]);
    expect(world.trace.at(-1)?.message.type).toBe('Error');
    expect(addresses(b.context.peerLocators)).toEqual(addresses(locators));
  });

  it('S6-135 with parameters of another ULID is dropped in silence', () => {
    const { a, b, world } = established();
    const parameters = b.parametersOf(b.address(0));
    expect(b.receive(between(a, b, request(b, { parameters })), world.now)).toEqual([
      { type: 'drop', reason: 'parameters' },
    ]);
  });

  it('S6-133 S6-134 S6-142 S6-149 from or to an address outside the sets gets R1bis', () => {
    const { a, b, world } = established();
    const acknowledgement = encodeShim6({
      type: 'UpdateAcknowledgement',
      receiverContextTag: b.context.tag,
      requestNonce: 1,
      options: {},
    });
    for (const octets of [request(b, {}), acknowledgement, a.context.keepalive()]) {
      for (const [source, destination] of [
        [ip('2001:db8:bad::1'), b.address(0)],
        [a.address(0), ip('2001:db8:bad::1')],
      ] as const) {
        const [answer] = b.receive({ source, destination, octets }, world.now);
        if (answer?.type !== 'transmit') throw new Error('no answer');
        expect(parseShim6(answer.octets)).toMatchObject({ value: { type: 'R1bis', packetContextTag: b.context.tag } });
        expect([answer.source, answer.destination]).toEqual([destination, source]);
      }
    }
    expect(b.context.state).toBe('ESTABLISHED');
  });

  it('S6-137 S6-138 A-34 the sender repeats it in full with a new generation after Error 3 or 4, once', () => {
    const { world, a } = established();
    const { context } = a;
    world.loses = ({ message }) => message.type === 'UpdateRequest';
    change(
      world,
      a,
      a.locators.map((locator, i) => ({ ...locator, broken: i === 0 })),
    );
    const quote = (sent: Sent | undefined): Parameters<typeof context.handle>[0] => {
      if (sent?.message.type !== 'UpdateRequest') throw new Error('not an Update Request');
      const { source, destination } = packetOf(sent);
      const common = { source, destination, ulids: { local: source, peer: destination }, forkedInstanceId: 0 };
      const { receiverContextTag: contextTag, requestNonce: nonce } = sent.message;
      return { type: 'error-message', code: 3, quoted: { ...common, type: 'UpdateRequest', contextTag, nonce } };
    };
    const [first] = requests(world);
    world.tell(a, context, quote(first));
    const second = requests(world)[1];
    expect(second?.message.options.locatorList?.generation).not.toBe(
      first?.message.options.locatorPreferences?.generation,
    );
    expect(second?.message.options.locatorPreferences?.elements).toHaveLength(2);
    world.tell(a, context, quote(first)); // a late Error about the old one
    expect(requests(world)).toHaveLength(2);
    world.tell(a, context, quote(second));
    world.run(1_000_000);
    expect(requests(world)).toHaveLength(2);
  });
});

describe('keepalive timeout', () => {
  it('S6-185 S6-188 is announced in I2 and R2 when it is not the default', () => {
    const { a, b, world } = established({ a: { sendTimeoutSeconds: 30 } });
    const [i2, r2] = world.trace.slice(2).map(({ message }) => message);
    expect(i2).toMatchObject({ options: { keepaliveTimeout: 30 } });
    expect(r2).not.toHaveProperty('options.keepaliveTimeout');
    const facts = b.log.find(({ type }) => type === 'established');
    expect(facts).toMatchObject({ peer: { keepaliveTimeoutSeconds: 30 } });
    expect(a.log.find(({ type }) => type === 'established')).toMatchObject({
      peer: { keepaliveTimeoutSeconds: undefined },
    });
  });

  it('S6-186 is taken from an Update Request; 0 means nothing', () => {
    const { a, b, world } = established();
    let requestNonce = 0;
    for (const [keepaliveTimeout, effects] of [
      [0, []],
      [20, [{ type: 'keepalive-timeout', seconds: 20 }]],
      [undefined, []],
      [20, []],
      [30, [{ type: 'keepalive-timeout', seconds: 30 }]],
    ] as const) {
      const octets = encodeShim6({
        type: 'UpdateRequest',
        receiverContextTag: b.context.tag,
        requestNonce: ++requestNonce,
        options: { keepaliveTimeout },
      });
      const done = b.receive({ source: a.address(0), destination: b.address(0), octets }, world.now);
      expect(done.filter(({ type }) => type === 'keepalive-timeout')).toEqual(effects);
      expect(done.some(({ type }) => type === 'transmit')).toBe(true);
    }
  });
});

describe('signatures', () => {
  it('S6-050 S6-051 one per generation, however many contexts and messages', () => {
    const { world, a, b } = cgaHosts();
    const before = signer.count;
    for (let instance = 1; instance <= 20; instance++) {
      world.tell(a, a.create({ local: a.address(0), peer: b.address(0) }, instance), { type: 'start' });
    }
    world.run(1000);
    expect(b.contexts.every(({ state }) => state === 'ESTABLISHED')).toBe(true);
    expect(b.contexts).toHaveLength(21);
    expect(signer.count).toBe(before);
    const made = b.verifier.made;
    for (const context of a.contexts) {
      world.tell(a, context, { type: 'own-locators', locators: [...a.locators, cga('2001:db8:c::1')] });
    }
    world.run(1000);
    expect(requests(world)).toHaveLength(21);
    expect(b.contexts.every(({ peerLocators }) => peerLocators.length === 3)).toBe(true);
    expect(signer.count).toBe(before + 1);
    expect(b.verifier.made).toBe(made + 1);
  });
});
