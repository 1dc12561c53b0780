/** A program like any other: sends back every datagram that comes to PORT at one of ADDRESSES, which need not be configured. */
import { createSocket } from 'node:dgram';
import { argument, onCommand, say } from '../demo/lines.ts';

const port = Number(argument(0, 'PORT'));
const addresses = process.argv.slice(3);

let ready = 0;
for (const address of addresses) {
  const socket = createSocket('udp6');
  socket.on('message', (datagram, from) => {
    socket.send(datagram, from.port, from.address);
  });
  socket.on('error', () => undefined); // an ICMPv6 error about an earlier datagram: the next one may arrive
  socket.bind(port, address, () => {
    if (++ready === addresses.length) say('ready');
  });
}
onCommand(() => undefined);
