import { afterEach, describe, expect, it } from 'vitest';
import { newEcdsaSecret, portableSigner } from '../../src/crypto/portable-hip.ts';
import { HipHost } from '../../src/host/hip-host.ts';
import { batch, ERROR, FIELDS, GSO_SIZE, LENGTH, OFFSET, SOURCE_AT, SPARE } from '../../src/host/ports.ts';
import type { Batch, PacketSender } from '../../src/host/ports.ts';
import type { UdpSocket } from '../../src/host/esp-ports.ts';
import { ownIdentity } from '../../src/hip/orchid.ts';
import { solvePuzzle } from '../../src/hip/puzzle.ts';
import { HIP_DEFAULTS } from '../../src/hip/settings.ts';
import { NativeEsp } from '../../src/node/esp.ts';
import { nodeHipCrypto } from '../../src/node/hip-crypto.ts';
import { HipShell } from '../../src/node/hip-shell.ts';
import { systemRandom } from '../../src/node/random.ts';
import { TUN_STRIDE } from '../../src/node/tun.ts';
import { MemoryReceiver, MemoryTun } from '../../src/sim/ports.ts';
import { ESP, HIP, IPV6_HEADER_LENGTH, UDP, writeIpv6Header } from '../../src/wire/ipv6.ts';
import { Writer } from '../../src/wire/writer.ts';
import { address, espSuites, locator, text } from '../host/hip-hosts.ts';

/** Whole packets from one host to the other. */
type Wire = (packet: Uint8Array) => void;

/** Rows as the addon sends them: whole packets or trains of them, and datagrams in UDP. */
class WireSender implements PacketSender {
  readonly #wire: Wire;
  readonly #udp: Wire;

  constructor(wire: Wire, udp: Wire) {
    this.#wire = wire;
    this.#udp = udp;
  }

  descriptor(): number {
    return 1;
  }

  release(): void {
    return;
  }

  send({ slab, meta, stride }: Batch, count: number): void {
    for (let slot = 0; slot < count; slot++) {
      const row = slot * FIELDS;
      meta[row + ERROR] = 0;
      const length = meta[row + LENGTH] ?? 0;
      const size = (meta[row + GSO_SIZE] ?? 0) || length;
      const start = meta[row + OFFSET] ?? 0;
      for (let at = start; at < start + length; at += size) {
        const octets = slab.slice(at, Math.min(at + size, start + length));
        if ((meta[row + SPARE] ?? 0) === 0) this.#wire(octets);
        else this.#udp(Uint8Array.of(...slab.subarray(slot * stride, slot * stride + 32), ...octets));
      }
    }
  }

  close(): void {
    return;
  }
}

/** A UDP socket without a kernel: addresses in front of what `arrive` gets. */
class WireUdp implements UdpSocket {
  readonly descriptor = 2;
  readonly #waiting: Uint8Array[] = [];
  #callback: () => void = () => undefined;

  arrive(octets: Uint8Array): void {
    this.#waiting.push(octets);
    this.#callback();
  }

  receive(into: Batch): number {
    const octets = this.#waiting.shift();
    if (octets === undefined) return 0;
    into.meta.fill(0, 0, FIELDS);
    into.slab.set(octets.subarray(0, 32), SOURCE_AT);
    into.slab.set(octets.subarray(32), 64);
    into.meta[OFFSET] = 64;
    into.meta[LENGTH] = octets.length - 32;
    into.meta[SPARE] = 10500;
    return 1;
  }

  onReadable(callback: () => void): void {
    this.#callback = callback;
  }

  close(): void {
    this.#callback = () => undefined;
  }
}

interface Side {
  readonly host: HipHost;
  readonly shell: HipShell;
  readonly arrived: Uint8Array[];
  readonly hip: MemoryReceiver;
  readonly raw: MemoryReceiver;
  readonly udp: WireUdp;
  readonly address: Uint8Array;
}

let shells: HipShell[] = [];
afterEach(() => {
  for (const shell of shells) shell.close();
  shells = [];
});

function side(name: 'a' | 'b', other: () => Side, offersUdp: boolean, seen: number[]): Side {
  const arrived: Uint8Array[] = [];
  const esp = new NativeEsp();
  const [hip, raw, udp] = [new MemoryReceiver(HIP), new MemoryReceiver(ESP), new WireUdp()];
  const identity = ownIdentity(nodeHipCrypto, portableSigner(newEcdsaSecret('P-256', systemRandom), systemRandom));
  const host = new HipHost({
    crypto: nodeHipCrypto,
    random: systemRandom,
    settings: { ...HIP_DEFAULTS, espSuites: espSuites(13, 8), offersUdp },
    identity,
    firstGeneration: 1n,
    esp,
    socket: () => 1,
  });
  const sender = new WireSender(
    (packet) => {
      seen.push(packet[6] ?? 0);
      queueMicrotask(() => other().hip.arrive(packet, 1) || other().raw.arrive(packet, 1));
    },
    (datagram) => {
      seen.push(UDP);
      queueMicrotask(() => {
        other().udp.arrive(datagram);
      });
    },
  );
  const shell = new HipShell(
    host,
    {
      tun: new MemoryTun('loci0', 1, (packet) => arrived.push(packet)),
      esp,
      hip,
      raw,
      udp,
      sender,
      solve: (task) => Promise.resolve(solvePuzzle(nodeHipCrypto, task)),
      now: () => performance.now(),
      onEvent: () => undefined,
      onKeys: () => undefined,
    },
    1500,
  );
  shells.push(shell);
  return { host, shell, arrived, hip, raw, udp, address: address(`2001:db8:${name}::1`) };
}

function pair(offersUdp: boolean): { readonly a: Side; readonly b: Side; readonly seen: number[] } {
  const seen: number[] = [];
  const a: Side = side('a', () => b, offersUdp, seen);
  const b: Side = side('b', () => a, offersUdp, seen);
  for (const [own, peer] of [
    [a, b],
    [b, a],
  ] as const) {
    own.shell.input({ type: 'peers', peers: [{ hit: peer.host.hit, names: [], locators: [peer.address] }] });
    own.shell.input({ type: 'locators', locators: [{ ...locator('::1'), address: own.address }] });
  }
  return { a, b, seen };
}

/** Several datagrams of a program, read from the TUN device at once. */
function send(from: Side, to: Side, ...payloads: readonly Uint8Array[]): Batch {
  const slots = batch(16, TUN_STRIDE);
  payloads.forEach((payload, slot) => {
    const w = new Writer(IPV6_HEADER_LENGTH + payload.length);
    const lengths = { payloadLength: payload.length, nextHeader: UDP, hopLimit: 64 };
    writeIpv6Header(w, {
      trafficClass: 0,
      flowLabel: 0,
      ...lengths,
      source: from.host.hit,
      destination: to.host.hit,
    });
    w.octets(payload);
    slots.slab.set(w.finish(), slot * TUN_STRIDE + 64);
    slots.meta[slot * FIELDS + OFFSET] = slot * TUN_STRIDE + 64;
    slots.meta[slot * FIELDS + LENGTH] = IPV6_HEADER_LENGTH + payload.length;
  });
  from.shell.outbound(slots, payloads.length);
  return slots;
}

function payloads({ arrived }: Side): string[] {
  return arrived.map((packet) => new TextDecoder().decode(packet.subarray(IPV6_HEADER_LENGTH)));
}

describe('the loop of HIP with ESP by the addon', () => {
  it.each([
    ['raw', false, ESP],
    ['UDP', true, UDP],
  ])('carries the first packets and batches both ways, %s', async (_, offersUdp, carriage) => {
    const { a, b, seen } = pair(offersUdp);
    const slots = send(a, b, text('first'));
    expect(slots.meta[LENGTH]).toBe(0); // nothing is left of it for others
    await expect.poll(() => payloads(b)).toEqual(['first']);
    send(b, a, text('one'), text('two'), text('the third is longer'));
    await expect.poll(() => payloads(a)).toEqual(['one', 'two', 'the third is longer']);
    send(a, b, text('last'));
    await expect.poll(() => payloads(b)).toEqual(['first', 'last']);
    expect(seen.at(-1)).toBe(carriage);
    expect(b.arrived[0]?.subarray(8, 40)).toEqual(Uint8Array.of(...a.host.hit, ...b.host.hit));
  });

  it('leaves alone what is not for HITs', () => {
    const { a, b } = pair(false);
    const slots = batch(1, TUN_STRIDE);
    slots.meta[OFFSET] = 64;
    slots.meta[LENGTH] = 60;
    slots.slab.set([0x60], 64);
    slots.slab.set(b.address, 64 + 24);
    a.shell.outbound(slots, 1);
    expect(slots.meta[LENGTH]).toBe(60);
  });
});
