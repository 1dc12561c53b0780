import { cleanUp } from '../node/cleanup.ts';
import type { Leftover } from '../node/cleanup.ts';
import { NetlinkSocket } from '../node/netlink.ts';

/** Remove from the kernel everything that carries our mark; what it was. */
export function removeLeftovers(): Leftover[] {
  const route = NetlinkSocket.open('route');
  try {
    return cleanUp(route);
  } finally {
    route.close();
  }
}
