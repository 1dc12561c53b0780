/** A program like any other: receives the datagrams of `udp-sender` on PORT and remembers when each one came. */
import { createSocket } from 'node:dgram';
import { Instants } from './instants.ts';
import { argument, monotonicNow, numberIn, onCommand, say } from './lines.ts';

const port = Number(argument(0, 'PORT'));

const socket = createSocket({ type: 'udp6', recvBufferSize: 1_000_000 });
const arrivals = new Instants();
let seen = new Uint8Array(65_536);
let distinct = 0;
let source = '';

socket.on('message', (datagram, from) => {
  arrivals.add(monotonicNow());
  const number = datagram.readUInt32BE(0);
  if (number >= seen.length) {
    const larger = new Uint8Array(2 * number);
    larger.set(seen);
    seen = larger;
  }
  if (seen[number] === 0) distinct++;
  seen[number] = 1;
  if (source === '') {
    source = `${from.address} ${String(from.port)}`;
    say('flowing', { source });
  }
});
socket.bind(port, '::', () => {
  say('ready');
});
onCommand((command) => {
  say('received', { distinct, source, ...arrivals.longestGap(numberIn(command, 'from'), numberIn(command, 'to')) });
});
