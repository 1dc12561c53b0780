import { describe } from 'vitest';
import { MemoryReceiver, MemorySender, MemoryTun } from '../../src/sim/ports.ts';
import { addressKey } from '../../src/wire/address.ts';
import { address, SHIM6 } from './packets.ts';
import { rawContract } from './raw-contract.ts';
import { tunContract } from './tun-contract.ts';
import type { Delivered } from './tun-contract.ts';

const EMSGSIZE = 90;
const ENETUNREACH = 101;

describe('a TUN device in memory', () => {
  tunContract(() => {
    const delivered: Delivered[] = [];
    const tun = new MemoryTun('loci0', 2, (packet, offload) => {
      delivered.push({ packet, offload });
    });
    return {
      tun,
      inwards: { source: address('fd00:a::2'), destination: address('fd00:b::2') },
      inject: (packet, offload) => {
        tun.inject(packet, offload);
      },
      taken: () => delivered.splice(0),
      merges: false,
      close: () => {
        tun.close();
      },
    };
  });
});

describe('raw sockets in memory', () => {
  rawContract(() => {
    const own = [address('fd00:5::1'), address('fd00:5::2')] as const;
    const far = address('fd00:a::2');
    const receiver = new MemoryReceiver(SHIM6);
    const keys = new Set(own.map(addressKey));
    const sender = new MemorySender({
      has: (locator) => keys.has(addressKey(locator)),
      transmit: (packet) => {
        const destination = addressKey(packet.subarray(24, 40));
        if (destination === addressKey(far)) return packet.length > 1500 ? EMSGSIZE : 0;
        if (!keys.has(destination)) return ENETUNREACH;
        receiver.arrive(packet, 1);
        return 0;
      },
    });
    return {
      sender,
      receiver,
      own,
      far,
      lost: address('fd00:dead::1'),
      interfaceIndex: 1,
      close: () => {
        sender.close();
        receiver.close();
      },
    };
  });
});
