/**
 * A program like any other: connects when it is told `{host, port, localAddress?, localPort?}`, and says how that ended and how
 * long it took.
 */
import { connect } from 'node:net';
import { z } from 'zod';
import { monotonicNow, onCommand, say } from '../../../src/cli/demo/lines.ts';

const Command = z.object({
  host: z.string(),
  port: z.number(),
  localAddress: z.string().optional(),
  localPort: z.number().optional(),
});

onCommand((command) => {
  const { host, port, localAddress, localPort } = Command.parse(command);
  const from = monotonicNow();
  const socket = connect({
    host,
    port,
    ...(localAddress === undefined ? {} : { localAddress }),
    ...(localPort === undefined ? {} : { localPort }),
  });
  socket.once('connect', () => {
    say('outcome', { outcome: 'connected', ms: monotonicNow() - from });
    socket.destroy();
  });
  socket.once('error', (error: NodeJS.ErrnoException) => {
    say('outcome', { outcome: error.code ?? error.message, ms: monotonicNow() - from });
  });
});
say('ready');
