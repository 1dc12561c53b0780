/** As `udp-sender` of the demonstration, from SOURCE: a numbered datagram to ADDRESS PORT every INTERVAL milliseconds. */
import { createSocket } from 'node:dgram';
import { argument, monotonicNow, onCommand, say } from '../../../src/cli/demo/lines.ts';

const [source, address, port] = [argument(0, 'SOURCE'), argument(1, 'ADDRESS'), Number(argument(2, 'PORT'))];
const interval = Number(argument(3, 'INTERVAL'));
const socket = createSocket('udp6');
let sent = 0;

socket.on('error', () => undefined); // an ICMPv6 error about an earlier datagram: the next one may arrive
socket.bind(0, source, () => {
  socket.connect(port, address, () => {
    const start = monotonicNow();
    setInterval(() => {
      for (const due = (monotonicNow() - start) / interval; sent <= due; sent++) {
        const datagram = Buffer.alloc(64);
        datagram.writeUInt32BE(sent);
        socket.send(datagram, () => undefined);
      }
    }, 1);
    say('ready');
  });
});
onCommand(() => {
  say('sent', { sent });
});
