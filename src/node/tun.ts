import type { Batch, Tun } from '../host/ports.ts';
import { addon } from './addon.ts';
import { systemError } from './error.ts';
import { Descriptor } from './poll.ts';

/** A slot must hold 64 KB behind its headroom, or TCP super-packets are dropped (and counted in `dropped`). */
export const TUN_STRIDE: number = 65536 + 128;

/**
 * A TUN device of the kernel, with checksum and TCP segmentation offload; it vanishes with its descriptor.
 * `write` may alter octets of the slots it merges.
 */
export class TunDevice extends Descriptor implements Tun {
  readonly name: string;
  readonly index: number;

  private constructor(fd: number, name: string) {
    super(fd, `cannot open the TUN device ${name}`);
    this.name = name;
    this.index = addon().tunIndex(fd);
    if (this.index >= 0) return;
    this.close();
    throw systemError(-this.index, `cannot find the TUN device ${name}`);
  }

  /** Create the device (or take over a persistent one), set its MTU and bring it up. */
  static open(name: string, mtu: number): TunDevice {
    if (!/^[\w.-]{1,15}$/.test(name)) throw new RangeError(`not an interface name: ${name}`);
    return new TunDevice(addon().tunOpen(name, mtu), name);
  }

  read(into: Batch): number {
    if (this.fd < 0) return 0;
    return counted(addon().tunRead(this.fd, into.slab, into.meta, into.slots, into.stride), this.name);
  }

  write(from: Batch, count: number): number {
    if (count > from.slots) throw new RangeError('more packets than slots');
    if (this.fd < 0) return 0;
    return counted(addon().tunWrite(this.fd, from.slab, from.meta, count, from.stride), this.name);
  }
}

function counted(result: number, name: string): number {
  if (result < 0) throw systemError(-result, `TUN device ${name}`);
  return result;
}
