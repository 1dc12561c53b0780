import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { batch, CHECKSUM_OFFSET, CHECKSUM_START, GSO_SIZE } from '../../src/host/ports.ts';
import { RawReceiver, RawSender } from '../../src/node/packets.ts';
import { TunDevice, TUN_STRIDE } from '../../src/node/tun.ts';
import { inOwnNetwork, ip, runInOwnNetwork } from './own-network.ts';
import { address, column, packetIn, put, SHIM6 } from './packets.ts';
import { rawContract } from './raw-contract.ts';
import { tunContract } from './tun-contract.ts';
import type { Delivered } from './tun-contract.ts';

function sysctl(name: string, value: number): void {
  writeFileSync(`/proc/sys/net/ipv6/conf/${name}`, String(value));
}

/** Two TUN devices between which the kernel forwards: what is written to one is read from the other. */
function twoDevices(): [TunDevice, TunDevice] {
  sysctl('default/addr_gen_mode', 1);
  sysctl('all/forwarding', 1);
  const devices: [TunDevice, TunDevice] = [TunDevice.open('lociA', 1500), TunDevice.open('lociB', 1500)];
  ip('-6 addr add fd00:a::1/64 dev lociA nodad');
  ip('-6 addr add fd00:b::1/64 dev lociB nodad');
  return devices;
}

/** Forwarding takes one hop. */
function withHops(packet: Uint8Array, change: number): Uint8Array {
  const changed = packet.slice();
  changed[7] = (changed[7] ?? 0) + change;
  return changed;
}

function takeAll(device: TunDevice): Delivered[] {
  const into = batch(8, TUN_STRIDE);
  const delivered: Delivered[] = [];
  for (let count = device.read(into); count > 0; count = device.read(into)) {
    for (let slot = 0; slot < count; slot++) {
      const packet = packetIn(into, slot);
      if (packet[24] === 0xff) continue; // multicast of the kernel itself
      const [gsoSize = 0, checksumStart = 0, checksumOffset = 0] = [GSO_SIZE, CHECKSUM_START, CHECKSUM_OFFSET].map(
        (field) => column(into, slot, field),
      );
      delivered.push({ packet: withHops(packet, 1), offload: { gsoSize, checksumStart, checksumOffset } });
    }
  }
  return delivered;
}

if (!inOwnNetwork) {
  it('the kernel keeps the contracts of the ports, in a network namespace of its own', { timeout: 60_000 }, () => {
    runInOwnNetwork(import.meta.url);
  });
} else {
  describe('a TUN device of the kernel', () => {
    tunContract(() => {
      const [other, tun] = twoDevices();
      return {
        tun,
        inwards: { source: address('fd00:a::2'), destination: address('fd00:b::2') },
        inject: (packet, offload) => {
          const from = batch(1, TUN_STRIDE);
          put(from, 0, withHops(packet, 1), offload);
          expect(other.write(from, 1)).toBe(1);
        },
        taken: () => takeAll(other),
        merges: true,
        close: () => {
          tun.close();
          other.close();
        },
      };
    });
  });

  describe('raw sockets of the kernel', () => {
    rawContract(() => {
      const device = TunDevice.open('lociA', 1500);
      ip('link set lo up');
      ip('-6 addr replace fd00:5::1/128 dev lo nodad');
      ip('-6 addr replace fd00:5::2/128 dev lo nodad');
      ip('-6 addr add fd00:a::1/64 dev lociA nodad');
      const sender = new RawSender();
      const receiver = RawReceiver.open(SHIM6);
      return {
        sender,
        receiver,
        own: [address('fd00:5::1'), address('fd00:5::2')],
        far: address('fd00:a::2'),
        lost: address('2001:db8:dead::1'),
        interfaceIndex: 1,
        close: () => {
          sender.close();
          receiver.close();
          device.close();
        },
      };
    });
  });
}
