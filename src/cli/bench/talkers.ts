/**
 * A program like any other: sends a datagram from SOURCE to PORT of each of ADDRESSES every INTERVAL milliseconds, one after
 * the other. It says when the first one left, and when the first answer came.
 */
import { createSocket } from 'node:dgram';
import { argument, monotonicNow, onCommand, say } from '../demo/lines.ts';

const source = argument(0, 'SOURCE');
const port = Number(argument(1, 'PORT'));
const interval = Number(argument(2, 'INTERVAL'));
const addresses = process.argv.slice(5);

const DATAGRAM = Buffer.alloc(64);
const socket = createSocket({ type: 'udp6', recvBufferSize: 1_000_000 });
let sent = 0;
let start = 0;
let isAnswered = false;

function sendWhatIsDue(): void {
  const due = ((monotonicNow() - start) * addresses.length) / interval;
  for (; sent <= due; sent++) socket.send(DATAGRAM, port, addresses[sent % addresses.length]);
}

socket.on('message', () => {
  if (!isAnswered) say('answered');
  isAnswered = true;
});
socket.on('error', () => undefined); // an ICMPv6 error about an earlier datagram: the next one may arrive
socket.bind(0, source, () => {
  start = monotonicNow();
  sendWhatIsDue();
  say('began', { at: start });
  setInterval(sendWhatIsDue, 1);
});
onCommand(() => undefined);
