/**
 * A program like any other: sends a datagram of 64 octets to ADDRESS PORT every INTERVAL milliseconds. It knows nothing of Loci.
 * Each datagram carries its number and when it was sent. Sleeps are made up for: a late tick sends what is due.
 */
import { createSocket } from 'node:dgram';
import { argument, monotonicNow, onCommand, say } from './lines.ts';

const LENGTH = 64;
const RING = 256; // datagrams that may wait inside the socket before their storage is used again

const address = argument(0, 'ADDRESS');
const port = Number(argument(1, 'PORT'));
const interval = Number(argument(2, 'INTERVAL'));

const socket = createSocket('udp6');
const ring = Array.from({ length: RING }, () => Buffer.alloc(LENGTH));
let sent = 0;
let refused = 0;
let start = 0;

const count = (error: Error | null): void => {
  if (error !== null) refused++;
};

function sendWhatIsDue(): void {
  const due = Math.floor((monotonicNow() - start) / interval);
  for (; sent <= due; sent++) {
    const datagram = ring[sent % RING];
    if (datagram === undefined) return;
    datagram.writeUInt32BE(sent, 0);
    datagram.writeDoubleBE(monotonicNow(), 4);
    socket.send(datagram, count);
  }
}

socket.on('error', () => refused++); // an ICMPv6 error about an earlier datagram: the next one may arrive
socket.connect(port, address, () => {
  start = monotonicNow();
  const timer = setInterval(sendWhatIsDue, 1);
  say('ready', { local: socket.address(), remote: socket.remoteAddress() });
  onCommand(() => {
    clearInterval(timer);
    say('stopped', { at: monotonicNow(), sent, refused });
  });
});
