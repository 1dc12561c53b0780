/** What must be undone before the process ends, by a signal, an uncaught error or as usual. Latest first. */
const pending = new Set<() => void>();
let watching = false;

/** Registers synchronous work for the end of the process; the result does it now instead. */
export function beforeExit(undo: () => void): () => void {
  if (!watching) watch();
  pending.add(undo);
  return () => {
    if (pending.delete(undo)) undo();
  };
}

function watch(): void {
  watching = true;
  process.on('exit', () => {
    for (const undo of [...pending].reverse()) undo();
  });
  for (const [signal, status] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.on(signal, () => process.exit(status));
  }
}
