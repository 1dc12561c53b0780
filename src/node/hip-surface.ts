import type { Address } from '../wire/address.ts';
import { IFA_F_NODAD, IFA_F_NOPREFIXROUTE, RTM_DELADDR, RTM_NEWADDR, writeAddressMessage } from './netlink/address.ts';
import type { NetlinkExchange } from './netlink/message.ts';
import { NLM_F_CREATE, NLM_F_REPLACE } from './netlink/message.ts';
import { RT_TABLE_MAIN, RTM_DELROUTE, RTM_NEWROUTE, writeRoute } from './netlink/route.ts';
import type { RouteRequest } from './netlink/route.ts';
import { PROTOCOL } from './own-mark.ts';
import { GONE, perform } from './refusal.ts';

/** 2001:20::/28, RFC 7343 §2. */
const ORCHIDS = { address: Uint8Array.of(0x20, 0x01, 0, 0x20, ...new Uint8Array(12)), length: 28 };

export interface HipSurfaceOptions {
  readonly route: NetlinkExchange;
  readonly tunIndex: number;
  readonly hit: Address;
  /** The largest packet to a HIT whose ESP still fits through every link. */
  readonly mtu: number;
  readonly rtoMinMs: number;
}

/** What programs see of HIP: the own HIT is an address of the TUN device, and all HITs are behind it. */
export class HipSurface {
  readonly #options: HipSurfaceOptions;

  constructor(options: HipSurfaceOptions) {
    this.#options = options;
    perform(options.route, [this.#address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE)]);
    perform(options.route, [writeRoute(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, this.#orchids())]);
  }

  close(): void {
    const { route } = this.#options;
    perform(route, [writeRoute(RTM_DELROUTE, 0, this.#orchids()), this.#address(RTM_DELADDR, 0)], GONE);
  }

  #orchids(): RouteRequest {
    const { tunIndex, hit, mtu, rtoMinMs } = this.#options;
    return {
      table: RT_TABLE_MAIN,
      destination: ORCHIDS,
      protocol: PROTOCOL,
      index: tunIndex,
      preferredSource: hit,
      mtu,
      ...(rtoMinMs > 0 && { rtoMinMs }),
    };
  }

  #address(type: number, flags: number): Uint8Array {
    const { tunIndex, hit } = this.#options;
    return writeAddressMessage(type, flags, {
      index: tunIndex,
      address: hit,
      prefixLength: 128,
      flags: IFA_F_NODAD | IFA_F_NOPREFIXROUTE,
      validLifetimeSeconds: Number.POSITIVE_INFINITY,
      preferredLifetimeSeconds: Number.POSITIVE_INFINITY,
      protocol: PROTOCOL,
    });
  }
}
