import { describe, expect, it } from 'vitest';
import type { Sent } from './world.ts';
import { established, packetOf, twoHosts } from './world.ts';

const types =
  (...names: string[]) =>
  (sent: Sent) =>
    names.includes(`${sent.from}:${sent.message.type}`);

describe('establishment', () => {
  it('S6-064 S6-091 S6-259 takes four messages and creates nothing at the responder before a valid I2', () => {
    const { world, a, b, ab } = twoHosts();
    const context = world.start(a, ab);
    expect(context.state).toBe('I1-SENT');
    world.run(10);
    expect(b.contexts).toHaveLength(0);
    world.run(10);
    expect([context.state, b.contexts.length]).toEqual(['I2-SENT', 0]);
    world.run(1000);
    expect(world.story).toBe('A:I1 B:R1 A:I2 B:R2');
    expect([context.state, b.context.state]).toEqual(['ESTABLISHED', 'ESTABLISHED']);
    expect([context.tagPeer, b.context.tagPeer]).toEqual([b.context.tag, context.tag]);
    expect(context.peerLocators.map(({ address }) => address)).toEqual(b.locators.map(({ address }) => address));
    expect(b.context.peerLocators.map(({ address }) => address)).toEqual(a.locators.map(({ address }) => address));
  });

  it('S6-078 crossing I1s are answered by R2 on both sides', () => {
    const { world, a, b, ab, ba } = twoHosts();
    world.start(a, ab);
    world.start(b, ba);
    world.run(1000);
    expect(world.story).toBe('A:I1 B:I1 B:R2 A:R2');
    expect([a.context.state, b.context.state]).toEqual(['ESTABLISHED', 'ESTABLISHED']);
    expect([a.context.tagPeer, b.context.tagPeer]).toEqual([b.context.tag, a.context.tag]);
    world.run(200_000);
    expect(world.trace).toHaveLength(4);
  });

  it('S6-078 crossing I1s recover when one R2 is lost, and when both are', () => {
    for (const lost of [['A:R2'], ['B:R2'], ['A:R2', 'B:R2']]) {
      const { world, a, b, ab, ba } = twoHosts();
      let losses = lost.length;
      world.loses = (sent) => types(...lost)(sent) && losses-- > 0;
      world.start(a, ab);
      world.start(b, ba);
      world.run(60_000);
      expect([a.context.state, b.context.state]).toEqual(['ESTABLISHED', 'ESTABLISHED']);
      expect([a.context.tagPeer, b.context.tagPeer]).toEqual([b.context.tag, a.context.tag]);
      expect(a.context.peerLocators).toHaveLength(2);
      expect(b.context.peerLocators).toHaveLength(2);
    }
  });

  it('S6-093 S6-094 an I2 that crosses an I1 establishes both ends', () => {
    const { world, a, b, ab, ba } = twoHosts();
    world.start(a, ab);
    world.run(15); // the R1 is under way
    const late = world.start(b, ba);
    world.run(1000);
    expect(world.story).toBe('A:I1 B:R1 B:I1 A:I2 A:R2 B:R2');
    expect(b.log).toContainEqual({ type: 'state', from: 'I1-SENT', to: 'ESTABLISHED' });
    expect([a.context.state, late.state]).toEqual(['ESTABLISHED', 'ESTABLISHED']);
    expect(b.log.filter(({ type }) => type === 'established')).toHaveLength(1);
  });

  it('S6-085 repeats a lost I2 unchanged', () => {
    const { world, a, ab } = twoHosts();
    let losses = 2;
    world.loses = (sent) => types('A:I2')(sent) && losses-- > 0;
    world.start(a, ab);
    world.run(30_000);
    expect(world.story).toBe('A:I1 B:R1 A:I2 A:I2 A:I2 B:R2');
    const i2s = world.trace.filter(types('A:I2'));
    expect(new Set(i2s.map(({ octets }) => octets.join())).size).toBe(1);
    expect(a.context.state).toBe('ESTABLISHED');
  });

  it('S6-096 a lost R2 is sent again for the repeated I2, never by itself', () => {
    const { world, a, b, ab } = twoHosts();
    let losses = 2;
    world.loses = (sent) => types('B:R2')(sent) && losses-- > 0;
    world.start(a, ab);
    world.run(30_000);
    expect(world.story).toBe('A:I1 B:R1 A:I2 B:R2 A:I2 B:R2 A:I2 B:R2');
    expect(a.context.state).toBe('ESTABLISHED');
    expect(b.log.filter(({ type }) => type === 'established')).toHaveLength(1);
  });

  it('S6-086 S6-077 goes back to I1 with the same tag after the retries, and the peer answers with R2', () => {
    const { world, a, b, ab } = twoHosts();
    let losses = 3;
    world.loses = (sent) => types('B:R2')(sent) && losses-- > 0;
    const context = world.start(a, ab);
    world.run(60_000);
    expect(world.story).toBe('A:I1 B:R1 A:I2 B:R2 A:I2 B:R2 A:I2 B:R2 A:I1 B:R2');
    const tags = world.trace
      .filter(types('A:I1'))
      .map(({ message }) => message.type === 'I1' && message.initiatorContextTag);
    expect(tags).toEqual([context.tag, context.tag]);
    expect(a.context.state).toBe('ESTABLISHED');
    expect(context.peerLocators).toHaveLength(b.locators.length);
  });

  it('S6-086 A-21 gives up when I2s are never answered, counting I1s across the fallbacks', () => {
    const { world, a, ab } = twoHosts();
    world.loses = types('A:I2');
    const context = world.start(a, ab);
    world.run(600_000);
    expect(world.trace.filter(types('A:I1'))).toHaveLength(5);
    expect(a.log).toContainEqual({ type: 'failed', state: 'E-FAILED' });
    expect(context.state).toBe('IDLE');
  });

  it('S6-052 over any pair known from before, with ULID Pair option', () => {
    const { world, a, b, ab } = twoHosts();
    world.loses = ({ source, destination }) => [source, destination].some((end) => end === ab.local || end === ab.peer);
    world.start(a, ab, { local: a.address(1), peer: b.address(1) });
    world.run(1000);
    expect(world.story).toBe('A:I1 B:R1 A:I2 B:R2');
    for (const sent of world.trace.filter(types('A:I1', 'A:I2'))) {
      expect(sent.message).toMatchObject({ options: { ulidPair: { sender: ab.local, receiver: ab.peer } } });
    }
    expect(b.context.ulids).toEqual({ local: ab.peer, peer: ab.local });
    expect(b.log).toContainEqual(
      expect.objectContaining({ type: 'established', pair: { local: b.address(1), peer: a.address(1) } }),
    );
  });

  it('S6-005 S6-071 S6-084 a forked context carries its instance and lives beside the default one', () => {
    const { world, a, b, ab } = established();
    const fork = a.create(ab, 5);
    world.tell(a, fork, { type: 'start' });
    world.run(1000);
    expect(fork.state).toBe('ESTABLISHED');
    expect(b.contexts.map(({ forkedInstanceId }) => forkedInstanceId)).toEqual([0, 5]);
    const options = world.trace.slice(4).map(({ message }) => 'options' in message && message.options.forkedInstanceId);
    expect(options).toEqual([5, undefined, 5, undefined]);
  });

  it('S6-003 a peer with a single address needs no list', () => {
    const { world, a, b, ab } = twoHosts({ b: { identity: { parametersOf: () => undefined, locators: [locator()] } } });
    world.start(a, ab);
    world.run(1000);
    expect(a.context.peerLocators).toMatchObject([{ address: b.address(0), method: 'ulid' }]);
    expect(a.context.state).toBe('ESTABLISHED');
  });
});

function locator(): { address: Uint8Array; method: 'hba'; broken: false; transient: false; priority: 0; weight: 0 } {
  const address = Uint8Array.from({ length: 16 }, (_, i) => (i < 8 ? ([0x20, 1, 0xd, 0xb8, 0, 0xb, 0, 9][i] ?? 0) : i));
  return { address, method: 'hba', broken: false, transient: false, priority: 0, weight: 0 };
}

describe('no answer', () => {
  it('S6-072 S6-073 S6-258 five I1s, E-FAILED, and IDLE a minute later', () => {
    const waits: number[][] = [];
    for (let seed = 1; seed <= 40; seed++) {
      const { world, a, ab } = twoHosts({ a: { seed } });
      world.loses = () => true;
      const context = world.start(a, ab);
      const failedAt = (): number | undefined => (context.state === 'E-FAILED' ? world.now : undefined);
      let failed: number | undefined;
      while (failed === undefined && world.now < 2_000_000) {
        world.run(100);
        failed = failedAt();
      }
      const times = world.trace.map(({ at }) => at);
      expect(world.story).toBe('A:I1 A:I1 A:I1 A:I1 A:I1');
      expect(new Set(world.trace.map(({ octets }) => octets.join())).size).toBe(1);
      waits.push([...times.slice(1), failed ?? 0].map((at, i) => at - (times[i] ?? 0)));
      world.run(61_000);
      expect(context.state).toBe('IDLE');
      expect(a.log).toContainEqual({ type: 'discarded', reason: 'hold-down-over' });
    }
    [4000, 8000, 16_000, 32_000, 64_000].forEach((nominal, i) => {
      const factors = waits.map((row) => (row[i] ?? 0) / nominal);
      expect(Math.min(...factors)).toBeGreaterThanOrEqual(0.5);
      expect(Math.max(...factors)).toBeLessThanOrEqual(1.53); // E-FAILED is seen in steps of 100 ms
      expect(Math.max(...factors) - Math.min(...factors)).toBeGreaterThan(0.5);
    });
  });

  it('S6-256 while held down, an I2 of the peer creates the context', () => {
    const { world, a, b, ab, ba } = twoHosts();
    world.loses = () => true;
    const context = world.start(a, ab);
    while (world.now < 2_000_000 && context.state !== 'E-FAILED') world.run(1000);
    expect(context.state).toBe('E-FAILED');
    expect(a.tell(context, { type: 'start' }, world.now)).toEqual([{ type: 'drop', reason: 'wrong-state' }]);
    world.loses = () => false;
    world.start(b, ba);
    world.run(100);
    expect([context.state, b.context.state]).toEqual(['ESTABLISHED', 'ESTABLISHED']);
  });
});

describe('recovery', () => {
  it('S6-106 S6-110 S6-261 a tagged packet for a lost context: R1bis, I2bis, R2, with new tags at the peer', () => {
    const { world, a, b } = established();
    const old = b.context;
    b.contexts = [];
    world.perform(b, b.receiveTagged(old.tag, a.address(1), b.address(1), world.now));
    world.run(1000);
    expect(world.story).toBe('A:I1 B:R1 A:I2 B:R2 B:R1bis A:I2bis B:R2');
    expect(b.context.tag).not.toBe(old.tag);
    expect([a.context.state, b.context.state]).toEqual(['ESTABLISHED', 'ESTABLISHED']);
    expect([a.context.tagPeer, b.context.tagPeer]).toEqual([b.context.tag, a.context.tag]);
    const i2bis = world.trace.find(types('A:I2bis'));
    expect(i2bis?.source).toEqual(a.address(1)); // S6-111
    expect(i2bis?.message).toMatchObject({ options: { ulidPair: { sender: a.address(0), receiver: b.address(0) } } });
    expect(b.context.peerLocators).toHaveLength(2);
  });

  it('S6-107 so does a Probe or Keepalive', () => {
    const { world, a, b } = established();
    b.contexts = [];
    const [source, destination] = [a.address(0), b.address(0)];
    world.inject({ source, destination, octets: a.context.keepalive() });
    world.run(1000);
    expect(world.story).toBe('A:I1 B:R1 A:I2 B:R2 B:R1bis A:I2bis B:R2');
    const i2bis = world.trace.find(types('A:I2bis'));
    expect(i2bis?.message).not.toHaveProperty('options.ulidPair');
  });

  it('S6-113 S6-114 repeats the I2bis twice, then starts again with I1', () => {
    const { world, a, b } = established();
    b.contexts = [];
    world.loses = types('A:I2bis');
    world.inject({ source: a.address(0), destination: b.address(0), octets: a.context.keepalive() });
    world.run(60_000);
    expect(world.story).toBe('A:I1 B:R1 A:I2 B:R2 B:R1bis A:I2bis A:I2bis A:I2bis A:I1 B:R1 A:I2 B:R2');
    expect(a.context.state).toBe('ESTABLISHED');
    expect(a.context.tagPeer).toBe(b.context.tag);
  });

  it('S6-077 S6-068 loss at the sender: its I1 gets R1, the old context stays until the I2', () => {
    const { world, a, b, ab } = established();
    const before = b.context.tagPeer;
    a.contexts = [];
    const again = world.start(a, ab);
    world.run(15);
    expect(b.context.tagPeer).toBe(before);
    world.run(1000);
    expect(world.story).toBe('A:I1 B:R1 A:I2 B:R2 A:I1 B:R1 A:I2 B:R2');
    expect([b.context.state, b.context.tagPeer]).toEqual(['ESTABLISHED', again.tag]);
    expect(b.log.filter(({ type }) => type === 'peer-changed')).toHaveLength(1);
  });

  it('S6-109 an R1bis for another tag or from elsewhere changes nothing', () => {
    const { world, a, b } = established();
    b.contexts = [];
    world.loses = types('B:R1bis');
    world.inject({ source: a.address(0), destination: b.address(0), octets: a.context.keepalive() });
    world.run(100);
    const r1bis = world.trace.find(types('B:R1bis'));
    if (r1bis === undefined) throw new Error('no R1bis');
    expect(a.receive({ ...packetOf(r1bis), source: new Uint8Array(16).fill(0x20) }, world.now)).toEqual([
      { type: 'drop', reason: 'no-match' },
    ]);
    expect(a.context.state).toBe('ESTABLISHED');
    a.receive(packetOf(r1bis), world.now);
    expect(a.context.state).toBe('I2BIS-SENT');
  });
});

describe('confusion', () => {
  it('S6-066 S6-097 S6-098 S6-100 an old context whose tag the peer gave away is not used any more', () => {
    const { world, a, b } = established({ b: { tagSpace: 1 } });
    const tag = a.context.tagPeer;
    b.contexts = []; // the peer forgets, and has no other tag to give
    const second = a.create({ local: a.address(1), peer: b.address(0) });
    world.tell(a, second, { type: 'start' });
    world.run(1000);
    expect(second.state).toBe('ESTABLISHED');
    expect(second.tagPeer).toBe(tag);
    expect(a.contexts).toEqual([second]);
    expect(a.log).toContainEqual({ type: 'discarded', reason: 'confused' });
  });

  it('S6-067 S6-099 it may start again with an I1', () => {
    const { world, a, b } = established();
    const { context } = a;
    world.tell(a, context, { type: 'confused', restart: true });
    expect([context.state, context.tagPeer, context.peerLocators]).toEqual(['I1-SENT', undefined, []]);
    world.run(1000);
    expect([context.state, context.tagPeer]).toEqual(['ESTABLISHED', b.context.tag]);
  });
});
