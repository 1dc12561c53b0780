import { NetlinkSocket } from '../netlink.ts';
import { SelectionPicture } from './selection.ts';

/** Lend a picture of address selection, taken from the kernel now. */
export function openSelection<T>(use: (picture: SelectionPicture) => T): T {
  const route = NetlinkSocket.open('route');
  try {
    return use(new SelectionPicture(route));
  } finally {
    route.close();
  }
}
