import type { UdpSocket } from '../host/esp-ports.ts';
import { HIP_UDP_PORT } from '../esp/udp-encapsulation.ts';
import type { Batch } from '../host/ports.ts';
import { UNSPECIFIED } from '../wire/address.ts';
import type { Address } from '../wire/address.ts';
import { addon } from './addon.ts';
import { systemError } from './error.ts';
import { BYPASS_MARK } from './packets.ts';
import { Descriptor } from './poll.ts';

export interface UdpOptions {
  /** One own locator, IPv4 in its mapped form; all of both families when left out. */
  readonly locator?: Address;
  readonly port?: number;
  /** Keeps what is sent out of the policy rules that divert traffic. */
  readonly mark?: number;
}

/** UDP for IPv6 and IPv4, with UDP_GRO on the way in and UDP_SEGMENT on the way out. */
export class UdpEndpoint extends Descriptor implements UdpSocket {
  static open({ locator = UNSPECIFIED, port = HIP_UDP_PORT, mark = BYPASS_MARK }: UdpOptions = {}): UdpEndpoint {
    return new UdpEndpoint(addon().udpOpen(locator, port, mark), `cannot open UDP port ${String(port)}`);
  }

  get descriptor(): number {
    return this.fd;
  }

  receive(into: Batch): number {
    if (this.fd < 0) return 0;
    const result = addon().udpReceive(this.fd, into.slab, into.meta, into.slots, into.stride);
    if (result < 0) throw systemError(-result, 'cannot receive datagrams');
    return result;
  }
}
