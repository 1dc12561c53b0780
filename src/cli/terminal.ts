/** Where a command writes: results to `out`, everything else to `err`. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** Whether people look at `out` in colour. */
  readonly coloured: boolean;
  /** Aborts when the person has seen enough. */
  readonly enough: AbortSignal;
}

/** The terminal of this process. A reader that goes away ends the process quietly. */
export function processTerminal(): Terminal {
  const enough = new AbortController();
  process.once('SIGINT', () => {
    enough.abort();
  });
  process.stdout.on('error', (error) => {
    process.exit('code' in error && error.code === 'EPIPE' ? 0 : 1);
  });
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    coloured: process.stdout.isTTY && process.env['NO_COLOR'] === undefined && process.env['TERM'] !== 'dumb',
    enough: enough.signal,
  };
}

const BOLD = '\u001b[1m';
const GREEN = '\u001b[32m';
const YELLOW = '\u001b[33m';
const RED = '\u001b[31m';
const RESET = '\u001b[0m';

/** How a word is meant: drawn in colour where there is any. */
export type Mood = 'plain' | 'good' | 'doubtful' | 'bad' | 'title';

const COLOURS: Readonly<Record<Mood, string>> = { plain: '', good: GREEN, doubtful: YELLOW, bad: RED, title: BOLD };

export interface Cell {
  readonly text: string;
  readonly mood: Mood;
}

/** One line of a table: cells, or a remark below the line before. */
export type Row = readonly (string | Cell)[] | { readonly remark: string };

/** Columns as wide as their longest cell, two spaces apart. */
export function table(titles: readonly string[], rows: readonly Row[], coloured: boolean): string {
  const head = titles.map((text): Cell => ({ text, mood: 'title' }));
  const lines = [head, ...rows].map((row) => ('remark' in row ? row : row.map(cellOf)));
  const widths = titles.map((_, column) =>
    Math.max(...lines.map((line) => ('remark' in line ? 0 : (line[column]?.text.length ?? 0)))),
  );
  return lines
    .map((line) => {
      if ('remark' in line) return `    ${printable(line.remark)}`;
      return line
        .map((cell, column) => paint(cell, coloured, widths[column] ?? 0))
        .join('  ')
        .trimEnd();
    })
    .map((line) => `${line}\n`)
    .join('');
}

function cellOf(cell: string | Cell): Cell {
  return typeof cell === 'string' ? { text: printable(cell), mood: 'plain' } : { ...cell, text: printable(cell.text) };
}

/** A cell padded to `width`; trailing blanks stay outside the colour. */
function paint({ text, mood }: Cell, coloured: boolean, width: number): string {
  const colour = coloured ? COLOURS[mood] : '';
  return (colour === '' ? text : colour + text + RESET) + ' '.repeat(Math.max(0, width - text.length));
}

/** Control characters have no business on a terminal, whoever sent them. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '?');
}

/** `3.2 s`, `4 min`, `2 h`: one unit, two digits where they matter. */
export function duration(ms: number | null): string {
  if (ms === null) return '-';
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1_000) return `${ms.toFixed(0)} ms`;
  if (ms < 100_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 6_000_000) return `${(ms / 60_000).toFixed(0)} min`;
  if (ms < 172_800_000) return `${(ms / 3_600_000).toFixed(0)} h`;
  return `${(ms / 86_400_000).toFixed(0)} d`;
}
